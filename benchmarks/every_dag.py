"""
What the alerts about every DAG cost while DAG files are read: 500 DAGs of 10 tasks, without them and with.

And what the modules cost that every process of Airflow imports, the plugin included.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

DAGS = 500
TASKS = 10
ROUNDS = 5
EVERYTHING = "failed_runs,failed_tasks,retries,recoveries,broken_dag_files"


def milliseconds(apply: Callable[[], None]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    apply()
    return (time.perf_counter() - began) * 1000


def read(options: dict[str, str]) -> tuple[float, float]:
    """Apply the policies to new DAGs; return the milliseconds for each DAG, the first one apart."""
    os.environ.update(options)
    from airflow.sdk import DAG, BaseOperator

    from airflow_provider_d360 import policy
    from airflow_provider_d360.notifications.configured import alert_settings

    alert_settings.cache_clear()
    dags = []
    for number in range(DAGS):
        with DAG(f"dag_{number}", schedule=None) as dag:
            for task in range(TASKS):
                BaseOperator(task_id=f"task_{task}")
        dags.append(dag)

    def apply(dag: DAG) -> None:
        policy.dag_policy(dag)
        for task in dag.tasks:
            policy.task_policy(task)

    first = milliseconds(lambda: apply(dags[0]))
    return first, milliseconds(lambda: [apply(dag) for dag in dags[1:]] and None) / (DAGS - 1)


def import_milliseconds() -> float:
    """Start Airflow in a process of its own, and return how long it took to import modules of ours."""
    program = [sys.executable, "-W", "ignore", "-X", "importtime", "-c", "import airflow.settings"]
    lines = subprocess.run(program, check=True, capture_output=True, text=True).stderr.splitlines()
    ours = [line.split("|")[0].split(":")[1] for line in lines if "airflow_provider_d360" in line]
    return sum(map(float, ours)) / 1000


def main() -> None:
    """Print a table of medians."""
    on = {"AIRFLOW__D360__ALERT_TO": "4915112345689", "AIRFLOW__D360__ALERT_ON": EVERYTHING}
    cases = {"off": {"AIRFLOW__D360__ALERT_TO": ""}, "on, everything": on}
    for name, options in cases.items():
        rounds = [read(options) for _ in range(ROUNDS)]
        first, others = (statistics.median(times) for times in zip(*rounds, strict=True))
        print(f"{name:14} {others:7.4f} ms a DAG of {TASKS} tasks, the first {first:7.3f} ms")
    print(f"import         {statistics.median(import_milliseconds() for _ in range(ROUNDS)):7.3f} ms")


if __name__ == "__main__":
    main()

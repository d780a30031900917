"""
What importing an operator module costs over `import airflow.sdk`: ours beside two official ones.

A provider that is not installed is left out; the names are apache-airflow-providers-slack and -http.
Each module is imported in a fresh process, in turns, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys

ROUNDS = 15
MODULES = {
    "d360": "airflow_provider_d360.operators.messages",
    "slack": "airflow.providers.slack.operators.slack",
    "http": "airflow.providers.http.operators.http",
}
_PROGRAM = """
import time
import airflow.sdk
from airflow.sdk import BaseOperator
began = time.perf_counter()
import {module}
print(time.perf_counter() - began)
"""


def seconds(module: str) -> float:
    """Import a module in a process of its own, after Airflow's SDK."""
    program = [sys.executable, "-W", "ignore", "-c", _PROGRAM.format(module=module)]
    return float(subprocess.run(program, check=True, capture_output=True, text=True).stdout.split()[-1])


def is_installed(module: str) -> bool:
    """Say whether a module is there to be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main() -> None:
    """Print a table: median, and how many times ours."""
    there = {name: module for name, module in MODULES.items() if is_installed(module)}
    taken: dict[str, list[float]] = {name: [] for name in there}
    for _ in range(ROUNDS):
        for name, module in there.items():
            taken[name].append(seconds(module))
    ours = statistics.median(taken["d360"])
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name:6} {median * 1000:7.1f} ms (median of {ROUNDS}), {median / ours:5.1f} times ours")
    for name in MODULES.keys() - there.keys():
        print(f"{name:6} is not installed")


if __name__ == "__main__":
    main()

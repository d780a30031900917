"""
What questions cost that wait, and how long it takes from a person's answer to the task that goes on.

First, a thousand questions wait in one process: queries per interval, and CPU time. Then a whole Airflow:
from the tap on a button at the emulator to the first line of the resumed task, and beside it the same for
Airflow's own `HITLOperator`, answered by Airflow's REST API. One of each, turn by turn, so that both meet
the same machine. ::

    python -m benchmarks.conversations               # 30 answers of each
    python -m benchmarks.conversations --answers 100
    python -m benchmarks.conversations --answers 0   # the first part alone
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event

from airflow_provider_d360.conversations.matching import person_hash
from airflow_provider_d360.conversations.spec import Spec
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer, Webhook
from airflow_provider_d360.emulator.server import connection_json
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.store.question_rows import OPEN, Person, Question
from scripts.real_airflow import RealAirflow

WAITING = 1000
INTERVALS = 10
PATIENCE_SECONDS = 1800
DAGS = """
import os, time
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, task
from airflow_provider_d360.operators.questions import D360AskOperator

def note(context):
    ti = context["ti"]
    with open(os.path.join(os.environ["AIRFLOW_HOME"], "resumed"), "a") as lines:
        lines.write(f"{ti.dag_id} {ti.map_index} {time.time()}\\n")

class Ask(D360AskOperator):
    def resume(self, context, event=None):
        note(context)
        return super().resume(context, event)

class Hitl(HITLOperator):
    def execute_complete(self, context, event):
        note(context)
        return super().execute_complete(context, event)

@task
def rows(dag_run=None):
    return list(dag_run.conf["rows"])

with DAG("ours", schedule=None):
    Ask.partial(task_id="wait", question="Go?", choices=["Yes", "No"], wait_timeout=7200).expand(to=rows())
with DAG("airflows", schedule=None):
    Hitl.partial(task_id="wait", subject="Go?", options=["Yes", "No"]).expand(body=rows())
"""


def main() -> int:
    """Measure both, and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=30)
    answers = parser.parse_args().answers
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory(prefix="d360-bench-") as folder:
        os.environ["AIRFLOW__D360__STORE_PATH"] = f"{folder}/d360.sqlite"
        queries, cpu_seconds = asyncio.run(wait_together())
        del os.environ["AIRFLOW__D360__STORE_PATH"]
    print(
        f"{WAITING} questions that wait: {queries:.2f} queries and {1000 * cpu_seconds:.1f} ms of CPU for "
        "each interval of 2 s"
    )
    if answers:
        resume_all(answers)
    return 0


async def wait_together() -> tuple[float, float]:
    """Let many questions wait for some intervals; return the queries and the CPU seconds of one interval."""
    from airflow_provider_d360.triggers import replies
    from airflow_provider_d360.triggers.messages import shared_watch
    from airflow_provider_d360.triggers.questions import D360QuestionTrigger

    with closing(configured_store()) as store:
        for number in range(WAITING):
            to = f"447700{900_000 + number}"
            person = Person(
                0, to, "44…00", person_hash(store.ledger.hash, to), None, {"question": f"wamid.{number}"}
            )
            now, where = time.time(), ("d360_default", "dag", "run", "ask", number)
            spec = Spec("text").to_json()
            store.questions.ensure(
                Question(f"q{number}", "ask", OPEN, *where, spec, now, now + 7200, (person,))
            )
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen((await shared_watch()).store._database._open(), "before_cursor_execute", note)
    triggers = [D360QuestionTrigger(question_id=f"q{number}") for number in range(WAITING)]
    runs = [asyncio.ensure_future(anext(trigger.run())) for trigger in triggers]
    while sum("FROM d360_questions" in one for one in statements) < WAITING:  # noqa: ASYNC110 - of other threads
        await asyncio.sleep(0.1)
    await asyncio.sleep(2 * replies._POLL_SECONDS)
    statements.clear()
    cpu = time.process_time()
    await asyncio.sleep(INTERVALS * replies._POLL_SECONDS)
    cpu = time.process_time() - cpu
    queries = sum("SELECT" in one for one in statements)
    for run in runs:
        run.cancel()
    await asyncio.gather(*runs, return_exceptions=True)
    return queries / INTERVALS, cpu / INTERVALS


def resume_all(count: int) -> None:
    """Let so many questions of each kind wait in an Airflow, answer them, and print how long it took."""
    with EmulatorServer(Emulator()) as server, tempfile.TemporaryDirectory(prefix="d360-bench-dags-") as dags:
        (Path(dags) / "waiting.py").write_text(DAGS)
        login = {"webhook_username": "d360", "webhook_password": "secret"}
        environment = {
            "AIRFLOW_CONN_D360_DEFAULT": connection_json(server.url, CLOUD_KEY, "cloud", **login),
            "AIRFLOW__D360__WEBHOOK_ENABLED": "True",
        }
        with RealAirflow(Path(dags), environment) as airflow:
            basic = base64.b64encode(b"d360:secret").decode()
            server.emulator.numbers[CLOUD_KEY].webhook = Webhook(
                f"{airflow.url}/d360/webhook", {"Authorization": f"Basic {basic}"}
            )
            ours, airflows = measure(airflow, server.emulator, count)
    describe("D360AskOperator, tap to resumed task", ours)
    describe("HITLOperator, REST call to resumed task", airflows)
    ratio = statistics.median(ours) / statistics.median(airflows)
    print(f"ratio of the medians: {ratio:.2f}; the triggerer looks every 2 s, so one second of it is waiting")


def measure(airflow: RealAirflow, emulator: Emulator, count: int) -> tuple[list[float], list[float]]:
    """Return the seconds of each answer: ours, and Airflow's own."""
    people = [f"447700{900_000 + number}" for number in range(count)]
    runs = {dag_id: airflow.start_run(dag_id, {"rows": people}) for dag_id in ("ours", "airflows")}
    for dag_id, run_id in runs.items():

        def all_wait(dag_id: str = dag_id, run_id: str = run_id) -> bool:
            tasks = [one for one in airflow.tasks(dag_id, run_id) if one["task_id"] == "wait"]
            waiting = [one for one in tasks if one["state"] in ("deferred", "awaiting_input")]
            return len(waiting) == count

        airflow.wait(all_wait, f"{dag_id} to wait", PATIENCE_SECONDS)
    messages = {sent.to: sent.message_id for sent in emulator.sent}
    hitl = f"/dags/airflows/dagRuns/{runs['airflows']}/taskInstances/wait"
    ours, airflows = [], []
    for number, person in enumerate(people):

        def tap(person: str = person) -> Any:
            return emulator.tap(messages[person], "Yes")

        def respond(number: int = number) -> Any:
            return airflow._checked("PATCH", f"{hitl}/{number}/hitlDetails", {"chosen_options": ["Yes"]})

        ours.append(seconds_until_resumed(airflow, "ours", number, tap))
        airflows.append(seconds_until_resumed(airflow, "airflows", number, respond))
    return ours, airflows


def seconds_until_resumed(airflow: RealAirflow, dag_id: str, number: int, answer: Callable[[], Any]) -> float:
    """Answer at some instant, and return the seconds until the task has gone on."""
    time.sleep(random.uniform(0, 2))  # noqa: S311 - chance, not secrecy
    began, deadline = time.time(), time.monotonic() + PATIENCE_SECONDS
    (airflow.home / "resumed").touch()
    answer()
    while time.monotonic() < deadline:
        for line in (airflow.home / "resumed").read_text().splitlines():
            where, index, at = line.split()
            if (where, int(index)) == (dag_id, number):
                return float(at) - began
        time.sleep(0.05)
    sys.exit(f"{dag_id} {number} did not go on\n{airflow.log_tail()}")


def describe(name: str, seconds: list[float]) -> None:
    """Print a line."""
    p99 = statistics.quantiles(seconds, n=100, method="inclusive")[98] if len(seconds) > 1 else seconds[0]
    print(f"{name:42} {len(seconds):4} answers: median {statistics.median(seconds):5.2f} s, p99 {p99:5.2f} s")


if __name__ == "__main__":
    sys.exit(main())

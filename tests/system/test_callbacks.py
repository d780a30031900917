"""Alerts from a whole Airflow: each callback arrives once, with its own run's text, and nothing leaks."""

from __future__ import annotations

import json
import sqlite3

import airflow as airflow_package
import pytest

from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.emulator.records import Number

KEY = "alerts-canary-key"
NUMBER = "4915199988877"
SPELLING = "+49 151 999 888 77"
LITERAL = ("+49 30 98765432", "493098765432", "Nobody may read this")

pytestmark = pytest.mark.system

VERSION = tuple(map(int, airflow_package.__version__.split(".")[:2]))
BLAMED = "Task: die\n" if VERSION >= (3, 2) else ""  # before, Airflow names any task of the DAG
EXPECTED = {
    "alerts_failure": [
        "🟡 Task failed and will be retried\nDAG: alerts_failure\nTask: load\nRun: {run}\nTry: 1 of 2\n"
        "ValueError: no rows for {run}\n{url}/dags/alerts_failure/runs/{quoted}/tasks/load?try_number=1",
        "🔴 Task failed\nDAG: alerts_failure\nTask: load\nRun: {run}\nTry: 2 of 2\n"
        "ValueError: no rows for {run}\n{url}/dags/alerts_failure/runs/{quoted}/tasks/load?try_number=2",
        # And not a second one of the DAG.
    ],
    "alerts_log": [
        "🔴 Task failed\nDAG: alerts_log\nTask: read_files\nRun: {run}\nTry: 1 of 1\nValueError: no rows\n"
        "Log:\nOne has no rows\nAnother has none, either\n"
        "{url}/dags/alerts_log/runs/{quoted}/tasks/read_files?try_number=1",
    ],
    # A killed process runs no callback of its task: of the two, only the DAG's arrives.
    "alerts_killed": [
        f"🔴 DAG failed\nDAG: alerts_killed\n{BLAMED}Run: {{run}}\n"
        "A task failed\n{url}/dags/alerts_killed/runs/{quoted}",
    ],
    "alerts_success": [
        "🔵 Task started\nDAG: alerts_success\nTask: tidy\nRun: {run}\nTry: 1 of 1\n"
        "{url}/dags/alerts_success/runs/{quoted}/tasks/tidy?try_number=1",
        "🟢 Task succeeded\nDAG: alerts_success\nTask: tidy\nRun: {run}\nTry: 1 of 1\n"
        "{url}/dags/alerts_success/runs/{quoted}/tasks/tidy?try_number=1",
        "🟢 DAG succeeded\nDAG: alerts_success\nRun: {run}\n{url}/dags/alerts_success/runs/{quoted}",
    ],
    "alerts_deadline": [
        "⏰ Deadline missed\nDAG: alerts_deadline\nRun: {run}\n{due}\n"
        "{url}/dags/alerts_deadline/runs/{quoted}",
    ],
}


@pytest.fixture(scope="module")
def on_call(airflow, emulator, server):
    """A connection and a variable in Airflow's own database, as people have them."""
    emulator.numbers[KEY] = Number(KEY, CLOUD, "4930123456799")
    airflow.post("/connections", {"connection_id": "d360_alerts", "conn_type": "d360", "host": server.url, "password": KEY})  # fmt: skip
    airflow.post("/variables", {"key": "on_call", "value": SPELLING})


def two_runs(airflow, dag_id):
    """Let two runs go side by side, so that their callbacks come together."""
    airflow.unpause(dag_id)
    started = [airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None}) for _ in range(2)]
    runs = [str(run["dag_run_id"]) for run in started]
    for run_id in runs:
        airflow.wait_for_end(dag_id, run_id)
    return runs


def alerts(emulator, dag_id):
    texts = [message.body["text"]["body"] for message in emulator.sent if message.to == NUMBER]
    return [text for text in texts if f"\nDAG: {dag_id}\n" in text]


def expected(airflow, dag_id, run_id, found):
    """Fill in what a test cannot know: a deadline's text names the moment."""
    due = next((line for text in found for line in text.splitlines() if line.startswith("Due at ")), "")
    quoted = run_id.replace(":", "%3A").replace("+", "%2B")
    return [text.format(run=run_id, quoted=quoted, url=airflow.url, due=due) for text in EXPECTED[dag_id]]


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_each_callback_arrives_once_with_its_own_runs_text(airflow, emulator, on_call, dag_id):
    runs = two_runs(airflow, dag_id)
    count = 2 * len(EXPECTED[dag_id])
    airflow.wait(lambda: len(alerts(emulator, dag_id)) >= count, f"{count} alerts of {dag_id}")
    found = alerts(emulator, dag_id)
    assert sorted(found) == sorted(
        text
        for run_id in runs
        for text in expected(airflow, dag_id, run_id, [text for text in found if run_id in text])
    )


def test_an_alert_that_fails_says_so_once_and_tells_nobody_the_number(airflow, emulator):
    run_id = airflow.run("alerts_lost")
    log = airflow.task_log("alerts_lost", run_id, "break_slowly")
    assert log.count("The alert did not reach all recipients. 49…32: ") == 1
    assert "Put this number's API key into the connection's password" in log
    told = "another alert has reported it"
    airflow.wait(
        lambda: told in read(airflow, "/dag_processor/"), "the DAG's callback, which says nothing more"
    )
    airflow.wait(lambda: "'to': ['***']" in deadline_log(airflow), "the deadline's callback to fail")


def deadline_log(airflow):
    """What a deadline's callback logs: in the triggerer's own log, and since Airflow 3.4 in a file for each."""
    return read(airflow, "standalone.log") + read(airflow, "/triggerer_callbacks/")


def read(airflow, where):
    files = [file for file in airflow.home.rglob("*") if file.is_file() and where in str(file)]
    return "\n".join(file.read_text(errors="replace") for file in files)


def test_no_log_holds_a_number_a_key_or_a_text(airflow, on_call):
    logs = read(airflow, "/logs/") + read(airflow, "standalone.log")
    assert "Alert accepted for 49…77" in logs
    for private in (KEY, NUMBER, SPELLING, *LITERAL):
        assert private not in logs


def test_the_metadata_database_holds_neither_the_key_nor_a_variables_number(airflow, on_call):
    with sqlite3.connect(airflow.home / "airflow.db") as database:
        lines = list(database.iterdump())
    assert KEY not in "\n".join(lines)
    if VERSION < (
        3,
        3,
    ):  # Airflow's audit log keeps the variable that the test has set, as docs/alerting.md says
        lines = [line for line in lines if not line.startswith('INSERT INTO "log"')]
    dump = "\n".join(lines)
    assert "alerts_deadline" in dump
    for private in (NUMBER, SPELLING, json.dumps(SPELLING)):
        assert private not in dump

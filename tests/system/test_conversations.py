"""
Conversations in a whole Airflow: asked by a worker, tapped at the emulator, resumed by the triggerer.

Webhooks come into its API server, the store is a file on this machine.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer, Webhook
from airflow_provider_d360.emulator.server import connection_json
from scripts.real_airflow import RealAirflow, session_of

pytestmark = pytest.mark.system

USERNAME, PASSWORD = "d360", "a-password-for-deliveries"
ANN = "4915177700044"
QUESTION = "A canary that only its recipient may read"
ANSWER = "Another canary that nobody asked for"


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(Emulator(retry_delays_seconds=[1.0] * 120)) as server:
        yield server


@pytest.fixture(scope="module")
def airflow(server: EmulatorServer) -> Iterator[RealAirflow]:
    login = {"webhook_username": USERNAME, "webhook_password": PASSWORD}
    environment = {
        "AIRFLOW_CONN_D360_DEFAULT": connection_json(server.url, CLOUD_KEY, "cloud", **login),
        "AIRFLOW__D360__WEBHOOK_ENABLED": "True",
        "AIRFLOW__D360__AIRFLOW_CONN_ID": "airflow_bot",
        "AIRFLOW_VAR_SECRET_QUESTION": QUESTION,
        "AIRFLOW_VAR_ON_CALL": ANN,
    }
    airflow = RealAirflow(Path(__file__).parent / "dags", environment)
    bot = {"conn_type": "http", "host": airflow.url, "login": airflow.user, "password": airflow.password}
    environment["AIRFLOW_CONN_AIRFLOW_BOT"] = json.dumps(bot)
    with airflow:
        basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        server.emulator.numbers[CLOUD_KEY].webhook = Webhook(
            f"{airflow.url}/d360/webhook", {"Authorization": f"Basic {basic}"}
        )
        yield airflow
    assert session_of(airflow.leader) == []


@pytest.fixture
def emulator(server: EmulatorServer) -> Emulator:
    return server.emulator


def question_of(airflow: RealAirflow, emulator: Emulator, text: str) -> Any:
    """Wait until the question with a text is on the phone."""

    def sent() -> Any:
        asked = [one for one in emulator.sent if text in json.dumps(one.body)]
        return asked[0] if asked else None

    return airflow.wait(sent, f"the question {text}", 240)


def state(airflow: RealAirflow, dag_id: str, run_id: str, task_id: str) -> tuple[str, int]:
    (task,) = [one for one in airflow.tasks(dag_id, run_id) if one["task_id"] == task_id]
    return task["state"], task["try_number"]


def wait_for_state(airflow: RealAirflow, dag_id: str, run_id: str, task_id: str, states: set[str]) -> None:
    airflow.wait(lambda: state(airflow, dag_id, run_id, task_id)[0] in states, f"{task_id} to wait", 240)


def test_a_question_is_asked_tapped_and_its_task_resumes_with_the_choice(airflow, emulator):
    run_id = airflow.start_run("conversation_asking")
    question = question_of(airflow, emulator, run_id)
    wait_for_state(airflow, "conversation_asking", run_id, "ask", {"deferred"})
    emulator.tap(question.message_id, "Deploy")
    airflow.require_success("conversation_asking", run_id)
    assert airflow.xcom("conversation_asking", run_id, "ask") == "yes"
    assert sum(run_id in json.dumps(one.body) for one in emulator.sent) == 1


def hitl_question(airflow: RealAirflow, emulator: Emulator) -> tuple[str, Any]:
    before = len([one for one in emulator.sent if "A question of Airflow" in json.dumps(one.body)])
    run_id = airflow.start_run("conversation_hitl")

    def sent() -> Any:
        asked = [one for one in emulator.sent if "A question of Airflow" in json.dumps(one.body)]
        return asked[before] if len(asked) > before else None

    question = airflow.wait(sent, "the question of Airflow", 240)
    wait_for_state(airflow, "conversation_hitl", run_id, "approve", {"awaiting_input", "deferred"})
    airflow.wait_until_noticed("conversation_hitl", run_id)
    return run_id, question


def chosen(airflow: RealAirflow, run_id: str) -> list[str]:
    path = f"/dags/conversation_hitl/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    options: list[str] = airflow.get(path)["chosen_options"]
    return options


def test_airflows_own_question_is_answered_on_the_phone(airflow, emulator):
    run_id, question = hitl_question(airflow, emulator)
    emulator.tap(question.message_id, "Deploy")
    airflow.require_success("conversation_hitl", run_id)
    assert chosen(airflow, run_id) == ["Deploy"]
    (task,) = airflow.tasks("conversation_hitl", run_id)
    assert task["note"] == "Answered on WhatsApp by 49…44: Deploy"


def test_airflows_own_question_is_answered_in_airflow_and_the_phone_is_told(airflow, emulator):
    run_id, question = hitl_question(airflow, emulator)
    path = f"/dags/conversation_hitl/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    airflow._checked("PATCH", path, {"chosen_options": ["Wait"]})
    airflow.require_success("conversation_hitl", run_id)
    emulator.tap(question.message_id, "Deploy")
    airflow.wait(lambda: told(emulator), "the person to be told", 120)
    assert chosen(airflow, run_id) == ["Wait"]


@pytest.mark.parametrize("phone_is_ahead_seconds", [0.0, 0.5])
def test_airflows_own_question_answered_in_both_at_the_same_moment_has_one_answer(
    airflow, emulator, phone_is_ahead_seconds
):
    run_id, question = hitl_question(airflow, emulator)
    told_before = told(emulator)
    path = f"/dags/conversation_hitl/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    emulator.tap(question.message_id, "Deploy")
    time.sleep(phone_is_ahead_seconds)
    in_airflow = airflow._request("PATCH", path, {"chosen_options": ["Wait"]}).status_code
    airflow.require_success("conversation_hitl", run_id)
    if chosen(airflow, run_id) == ["Deploy"]:  # the phone was faster, and Airflow says so to the other one
        assert in_airflow in (400, 409)
        assert told(emulator) == told_before
    else:
        assert (chosen(airflow, run_id), in_airflow) == (["Wait"], 200)
        airflow.wait(lambda: told(emulator) == told_before + 1, "the person to be told", 120)


def told(emulator: Emulator) -> int:
    return sum("has been settled already" in json.dumps(one.body) for one in emulator.sent)


def test_messages_are_read_once_under_a_cursor(airflow, emulator):
    for number in range(5):
        emulator.receive(f"{ANSWER} {number}", sender=ANN)
    emulator.wait_for_deliveries(60)
    runs = [airflow.run("conversation_reading") for _ in range(2)]
    read = [airflow.xcom("conversation_reading", run_id, "receive") for run_id in runs]
    assert [message["text"] for message in read[0]] == [f"{ANSWER} {number}" for number in range(5)]
    assert read[1] == []


def test_neither_logs_nor_airflows_database_hold_number_question_or_password(airflow):
    files = [file for file in airflow.home.rglob("*") if file.suffix == ".log"]
    logs = "\n".join(file.read_text(errors="replace") for file in files)
    with sqlite3.connect(airflow.home / "airflow.db") as database:
        dump = "\n".join(line for line in database.iterdump() if 'INSERT INTO "xcom' not in line)
    assert "Question sent to 49…44" in logs
    assert "conversation_asking" in dump
    private = (ANN, QUESTION, CLOUD_KEY, PASSWORD)
    assert [(secret, where[:40]) for where in (logs, dump) for secret in private if secret in where] == []
    assert ANSWER not in logs
    assert ANSWER not in dump

"""
Kill -9 of triggerer, API server, scheduler and receiver while questions wait and messages come.

``make attack`` lets a hundred questions wait, ``make system`` a few. The receiver is a process of its own.
"""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer, Webhook, deliveries
from airflow_provider_d360.emulator.server import connection_json
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.question_lists import QuestionSelection
from scripts.real_airflow import RealAirflow, session_of
from tests.receiver.doors import Process

pytestmark = pytest.mark.system

USERNAME, PASSWORD = "d360", "a-password-for-deliveries"
IS_WHOLE = os.environ.get("ATTACK") == "whole"
WAITING = 100 if IS_WHOLE else 8
BURST, SENDERS = 500, 10
PATIENCE_SECONDS = 3600 if IS_WHOLE else 600
ANN = "4915177700044"
COMPONENTS = ("triggerer", "receiver", "api-server", "scheduler")


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(Emulator(retry_delays_seconds=[1.0] * 300)) as server:
        yield server


@pytest.fixture
def emulator(server: EmulatorServer) -> Emulator:
    return server.emulator


@pytest.fixture(scope="module")
def airflow(server: EmulatorServer) -> Iterator[RealAirflow]:
    login = {"webhook_username": USERNAME, "webhook_password": PASSWORD}
    environment = {
        "AIRFLOW_CONN_D360_DEFAULT": connection_json(server.url, CLOUD_KEY, "cloud", **login),
        "AIRFLOW__D360__AIRFLOW_CONN_ID": "airflow_bot",
        # By default, Airflow notices after minutes that a component is gone.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW_VAR_SECRET_QUESTION": "Deploy?",
        "AIRFLOW_VAR_ON_CALL": ANN,
    }
    airflow = RealAirflow(Path(__file__).parent / "dags", environment)
    bot = {"conn_type": "http", "host": airflow.url, "login": airflow.user, "password": airflow.password}
    environment["AIRFLOW_CONN_AIRFLOW_BOT"] = json.dumps(bot)
    with airflow:
        yield airflow
    assert session_of(airflow.leader) == []


@pytest.fixture(scope="module")
def receiver(airflow: RealAirflow, server: EmulatorServer) -> Iterator[Process]:
    receiver = Process("airflow_provider_d360.receiver", environment=airflow.environment)
    basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    server.emulator.numbers[CLOUD_KEY].webhook = Webhook(
        f"http://127.0.0.1:{receiver.port}/webhook", {"Authorization": f"Basic {basic}"}
    )
    yield receiver
    receiver.kill()


def count_states(airflow: RealAirflow, dag_id: str, run_id: str, task_id: str) -> Counter[str]:
    tasks = airflow.tasks(dag_id, run_id)
    return Counter(str(task["state"]) for task in tasks if task["task_id"] == task_id)


def wait_for_states(airflow: RealAirflow, dag_id: str, run_id: str, task_id: str, states: set[str]) -> None:
    """Wait until all instances of a task are in one of these states."""

    def have_come() -> bool:
        counted = count_states(airflow, dag_id, run_id, task_id)
        return bool(counted) and set(counted) <= states

    airflow.wait(have_come, f"{dag_id} to wait", PATIENCE_SECONDS)


def test_questions_that_wait_while_everything_is_killed_are_all_answered_once(airflow, emulator, receiver):
    people = [f"4915177{number:06}" for number in range(WAITING)]
    choices = {person: ("Deploy", "Wait")[number % 3 == 0] for number, person in enumerate(people)}
    run_id = airflow.start_run("conversation_many", {"people": people})
    airflow.wait(lambda: {*people} <= {sent.to for sent in emulator.sent}, "the questions", PATIENCE_SECONDS)
    wait_for_states(airflow, "conversation_many", run_id, "ask", {"deferred"})
    airflow.wait_until_noticed("conversation_many", run_id, WAITING)
    questions = {sent.to: sent.message_id for sent in emulator.sent}
    for number, component in enumerate(COMPONENTS):
        theirs = people[number :: len(COMPONENTS)]
        for person in theirs[: len(theirs) // 2]:
            emulator.tap(questions[person], choices[person])
        kill(airflow, receiver, component)
        for person in theirs[len(theirs) // 2 :]:
            emulator.tap(questions[person], choices[person])
    airflow.require_success("conversation_many", run_id, PATIENCE_SECONDS)
    answers = [airflow.xcom("conversation_many", run_id, "ask", index) for index in range(WAITING)]
    assert answers == [{"Deploy": "yes", "Wait": "no"}[choices[person]] for person in people]
    assert Counter(sent.to for sent in emulator.sent) == Counter(people)  # asked once, and told nothing
    with closing(Store(f"sqlite:///{airflow.home}/d360.sqlite", retry_seconds=30.0)) as store:
        assert store.question_lists.counts(QuestionSelection(0.0), 0.0) == {"answered": WAITING}


def kill(airflow: RealAirflow, receiver: Process, component: str) -> None:
    """Kill a component at once, and start it again."""
    if component == "receiver":
        receiver.kill()
        receiver.start()
    else:
        airflow.kill(component)
    if component == "api-server":
        airflow.wait_until_healthy()


def test_a_tap_reaches_airflow_although_the_receiver_is_killed_before_it_is_served(
    airflow, emulator, receiver
):
    before = len(emulator.sent)
    run_id = airflow.start_run("conversation_hitl")
    airflow.wait(lambda: len(emulator.sent) > before, "the question of Airflow", 240)
    states = {"awaiting_input", "deferred"}
    wait_for_states(airflow, "conversation_hitl", run_id, "approve", states)
    airflow.wait_until_noticed("conversation_hitl", run_id)
    emulator.tap(emulator.sent[before].message_id, "Deploy")
    receiver.kill()
    receiver.start()
    airflow.require_success("conversation_hitl", run_id, 240)
    (task,) = airflow.tasks("conversation_hitl", run_id)
    assert task["note"] == "Answered on WhatsApp by 49…44: Deploy"


def test_a_burst_while_the_dag_is_paused_and_the_triggerer_is_down_is_read_once_in_order(
    airflow, emulator, receiver, monkeypatch
):
    # On a busy machine a delivery must not be given up and overtaken by the next: within one second, which is
    # how exact WhatsApp's times are, nobody could tell which was sent first.
    monkeypatch.setattr(deliveries, "TIMEOUT_SECONDS", 120.0)
    dag_id = "conversation_burst"
    airflow.unpause(dag_id)
    airflow.pause(dag_id)
    airflow.take_down("triggerer")
    # Only texts are read: the taps of the tests before are in the same inbox.
    senders = [f"4915188800{number:03}" for number in range(SENDERS)]
    sent: dict[str, list[str]] = {sender: [] for sender in senders}
    for number in range(BURST):
        sender = senders[number * 7 % SENDERS]
        emulator.receive(f"message {number}", sender=sender)
        sent[sender].append(f"message {number}")
    emulator.wait_for_deliveries(300)
    airflow.start("triggerer")
    airflow.unpause(dag_id)
    airflow.wait(lambda: len(received(airflow, dag_id)) >= BURST, "the burst to be read", PATIENCE_SECONDS)
    airflow.pause(dag_id)
    messages = received(airflow, dag_id)
    assert len({message["message_id"] for message in messages}) == len(messages) == BURST
    for sender in senders:
        assert [message["text"] for message in messages if message["sender"] == sender] == sent[sender]


def received(airflow: RealAirflow, dag_id: str) -> list[dict[str, Any]]:
    """Return what the runs have read that succeeded, in the order in which they ran."""
    runs = airflow.get(f"/dags/{dag_id}/dagRuns?state=success&order_by=start_date&limit=100")["dag_runs"]
    return [
        message for run in runs for message in airflow.xcom(dag_id, str(run["dag_run_id"]), "receive") or ()
    ]

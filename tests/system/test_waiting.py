"""
Waiting in a whole Airflow: webhooks come into its API server, the store is a PostgreSQL.

Worker, triggerer and API server look the store's connection up, each in its own way.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer, Webhook, faults
from airflow_provider_d360.emulator.server import connection_json
from airflow_provider_d360.store import Store
from scripts.real_airflow import RealAirflow, session_of
from tests.receiver.doors import delivery, post
from tests.store.conftest import postgres  # noqa: F401
from tests.store.postgres import Postgres

pytestmark = pytest.mark.system

USERNAME, PASSWORD = "d360", "a-password-for-deliveries"
LOGIN = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
PEOPLE = {"customer": "4915177700011", "unreachable": "4915177700022", "asleep": "4915177700033"}
TEXT = "A canary that only its recipient may read"


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> str:  # noqa: F811
    return postgres.new_database()


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    """A 360dialog of its own, because the other tests have no webhook."""
    with EmulatorServer(Emulator(delay_seconds=0.2)) as server:
        yield server


@pytest.fixture(scope="module")
def airflow(server: EmulatorServer, url: str) -> Iterator[RealAirflow]:
    login = {"webhook_username": USERNAME, "webhook_password": PASSWORD}
    place = make_url(url)
    store = {
        "conn_type": "postgres",
        "host": place.query["host"],
        "login": place.username,
        "schema": place.database,
    }
    environment = {
        "AIRFLOW_CONN_D360_DEFAULT": connection_json(server.url, CLOUD_KEY, "cloud", **login),
        "AIRFLOW_CONN_D360_STORE": json.dumps(store),
        "AIRFLOW__D360__WEBHOOK_ENABLED": "True",
        "AIRFLOW__D360__STORE_CONN_ID": "d360_store",
        "AIRFLOW_VAR_SECRET_TEXT": TEXT,
        **{f"AIRFLOW_VAR_{name.upper()}": number for name, number in PEOPLE.items()},
    }
    with RealAirflow(Path(__file__).parent / "dags", environment) as airflow:
        server.emulator.numbers[CLOUD_KEY].webhook = Webhook(
            f"{airflow.url}/d360/webhook", {"Authorization": LOGIN}
        )
        yield airflow
    assert session_of(airflow.leader) == []


@pytest.fixture
def emulator(server: EmulatorServer) -> Emulator:
    return server.emulator


def states(airflow: RealAirflow, dag_id: str, run_id: str) -> dict[str, tuple[str, int]]:
    return {task["task_id"]: (task["state"], task["try_number"]) for task in airflow.tasks(dag_id, run_id)}


def message_of(emulator: Emulator, run_id: str) -> str:
    (sent,) = [sent for sent in emulator.sent if run_id in sent.body["text"]["body"]]
    return sent.message_id


def fail(airflow: RealAirflow, message_id: str, code: int) -> None:
    """Deliver a status that a message failed."""
    status = {
        "id": message_id,
        "status": "failed",
        "timestamp": str(int(time.time())),
        "errors": [{"code": code}],
    }
    body = delivery({"messaging_product": "whatsapp", "statuses": [status]})
    port = int(airflow.url.rpartition(":")[2])
    assert post(port, body, {"Authorization": LOGIN}, "/d360/webhook") == 200


def test_a_task_sleeps_until_its_message_is_delivered_and_a_sensor_until_it_is_read(airflow, emulator):
    run_id = airflow.run("waiting_delivered")
    ended = states(airflow, "waiting_delivered", run_id)  # a busy Airflow may begin a task anew
    assert {task: state for task, (state, _tries) in ended.items()} == {
        "send": "success",
        "see_it_read": "success",
    }
    assert airflow.xcom("waiting_delivered", run_id, "send") == message_of(emulator, run_id)
    assert airflow.xcom("waiting_delivered", run_id, "see_it_read") == "read"
    assert "Pausing task as DEFERRED" in airflow.task_log("waiting_delivered", run_id, "send")


def test_a_message_that_fails_fails_its_task_once_with_the_remedy(airflow, emulator):
    emulator.set_statuses(["sent"], to=PEOPLE["unreachable"])
    run_id = airflow.start_run("waiting_failed")
    airflow.wait(lambda: states(airflow, "waiting_failed", run_id) == {"send": ("deferred", 1)}, "it to wait")
    airflow.wait_until_noticed("waiting_failed", run_id)  # else a busy Airflow may begin it anew
    message_id = message_of(emulator, run_id)
    fail(airflow, message_id, 131026)
    assert airflow.wait_for_end("waiting_failed", run_id) == "failed"
    assert states(airflow, "waiting_failed", run_id) == {"send": ("failed", 1)}
    log = airflow.task_log("waiting_failed", run_id, "send")
    assert f"D360RecipientError: message {short_id(message_id)} failed" in log
    assert "131026" in log


def test_a_message_that_nobody_reads_ends_as_its_author_wanted(airflow, emulator):
    emulator.set_statuses(["sent"], to=PEOPLE["asleep"])
    run_id = airflow.run("waiting_in_vain")
    (state, _tries) = states(airflow, "waiting_in_vain", run_id)["send"]  # a busy Airflow may begin it anew
    assert state == "skipped"
    assert short_id(message_of(emulator, run_id)) in airflow.task_log("waiting_in_vain", run_id, "send")


def test_many_who_wait_in_vain_send_once_each(airflow, emulator):
    dag_id, before = "waiting_in_vain", len(emulator.sent)
    started = [airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None}) for _ in range(8)]
    runs = [str(run["dag_run_id"]) for run in started]
    assert {airflow.wait_for_end(dag_id, run_id) for run_id in runs} == {"success"}
    # Under load, Airflow begins some of them anew: it had not noticed that they were deferred.
    assert [states(airflow, dag_id, run_id)["send"][0] for run_id in runs] == 8 * ["skipped"]
    assert len(emulator.sent) - before == 8


def test_a_lost_answer_is_settled_by_a_status_that_carries_the_intent(airflow, emulator):
    emulator.fail_next(faults.accepted_and_cut_off())
    run_id = airflow.run("waiting_lost_answer")
    assert states(airflow, "waiting_lost_answer", run_id) == {"send": ("success", 1)}
    assert airflow.xcom("waiting_lost_answer", run_id, "send") == message_of(emulator, run_id)


def test_the_ledger_names_the_tasks_that_sent(airflow, emulator, url):
    store = Store(url)
    sent = store.messages.recent(since=0.0)
    store.close()
    assert {(found.entry.dag_id, found.entry.task_id) for found in sent} >= {
        ("waiting_delivered", "send"),
        ("waiting_failed", "send"),
        ("waiting_lost_answer", "send"),
    }


def test_neither_logs_nor_airflows_database_hold_number_text_key_or_login(airflow):
    files = [file for file in airflow.home.rglob("*") if file.suffix == ".log"]
    logs = "\n".join(file.read_text(errors="replace") for file in files)
    with sqlite3.connect(airflow.home / "airflow.db") as database:
        dump = "\n".join(database.iterdump())
    assert "Accepted for 49…11" in logs
    assert "waiting_in_vain" in dump
    private = (*PEOPLE.values(), TEXT, CLOUD_KEY, PASSWORD)
    assert [(secret, where[:40]) for where in (logs, dump) for secret in private if secret in where] == []

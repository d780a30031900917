"""Taps that no task waits for are served beside the receiver, and never within a delivery."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_d360.conversations.asking import Messenger, look, open_question
from airflow_provider_d360.conversations.spec import Spec
from airflow_provider_d360.conversations.writing import write_question
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer, Webhook
from airflow_provider_d360.emulator.server import connection_json
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.receiver import desk as desks
from airflow_provider_d360.receiver.app import create_app
from airflow_provider_d360.receiver.background import Background
from airflow_provider_d360.receiver.desk import background_desk
from airflow_provider_d360.sending.identity import Place
from airflow_provider_d360.store import Store
from tests.provider.airflow_service import PASSWORD, USER, AirflowService, serve_airflow
from tests.receiver.doors import LOGIN, served, wait_until

ANN = "4915112345678"
SPEC = Spec("choice", (("Deploy", "Deploy"), ("Wait", "Wait")), settled="It is settled.")


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Emulator]:
    emulator = Emulator()
    emulator.set_statuses([])
    with EmulatorServer(emulator) as server:
        monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", connection_json(server.url, CLOUD_KEY, "cloud"))
        monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "ledger.sqlite"))
        yield emulator


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowService]:
    monkeypatch.setenv("AIRFLOW__D360__AIRFLOW_CONN_ID", "airflow_bot")
    monkeypatch.setattr(desks, "RETRY_SECONDS", 0.05)
    with serve_airflow() as service:
        yield service


def connections(emulator: Emulator, airflow: AirflowService) -> Any:
    def get_connection(conn_id: str) -> Connection:
        if conn_id == "airflow_bot":
            return Connection(
                conn_id=conn_id, conn_type="http", host=airflow.url, login=USER, password=PASSWORD
            )
        return D360Hook.get_connection(conn_id)

    return get_connection


def ask(store: Store, airflow: AirflowService) -> str:
    """Put a question of Airflow on the phone; return the id of the message."""
    airflow.ask(["Deploy", "Wait"], time.time() - 0.5)
    place = Place("dag", "run", "run", "approve", -1, 1, "0")
    question = open_question(store, place, "d360_default", [ANN], SPEC, 600.0, kind="hitl")
    hook = D360Hook()

    def write(due: Any, payloads: Any, is_open: bool) -> Any:
        return write_question("Deploy?", SPEC, payloads, "Choose")

    Messenger(hook, store, place, write).send_due(look(store, question.id, time.time()))
    found = store.questions.find(question.id)
    assert found is not None
    (message_id,) = found.people[0].message_ids
    return message_id


def test_a_tap_reaches_airflow_by_way_of_webhook_and_desk(store, emulator, airflow):
    message_id = ask(store, airflow)
    desk = background_desk(store, connections(emulator, airflow))
    with served(create_app(store, [LOGIN], desk=desk)) as port:
        emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{port}/webhook", LOGIN)
        emulator.tap(message_id, "Deploy")
        wait_until(lambda: airflow.notes)
    assert airflow.detail is not None
    assert airflow.detail["chosen_options"] == ["Deploy"]
    assert airflow.notes == ["Answered on WhatsApp by 49…78: Deploy"]


def test_what_came_while_no_desk_was_open_is_served_at_the_start(store, emulator, airflow):
    message_id = ask(store, airflow)
    with served(create_app(store, [LOGIN])) as port:
        emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{port}/webhook", LOGIN)
        emulator.tap(message_id, "Wait")
        emulator.wait_for_deliveries(60)
    create_app(store, [LOGIN], desk=background_desk(store, connections(emulator, airflow)))
    wait_until(lambda: airflow.notes)


def test_while_airflow_is_away_the_delivery_is_answered_and_the_tap_is_tried_again(
    store, emulator, airflow, caplog
):
    message_id = ask(store, airflow)
    airflow.down = 2
    desk = background_desk(store, connections(emulator, airflow))
    with served(create_app(store, [LOGIN], desk=desk)) as port:
        emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{port}/webhook", LOGIN)
        emulator.tap(message_id, "Deploy")
        assert [delivery.state for delivery in emulator.wait_for_deliveries(60)] == ["delivered"]
        wait_until(lambda: airflow.notes)
    assert "A tap could not be served, and is tried again in 0 s: Airflow's API" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_delivery_is_answered_while_the_desk_hangs(store, emulator, airflow):
    hangs, started = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        hangs.wait(60)

    desk = Background(work, "d360-desk", lambda: 60.0, lambda error: None)
    message_id = ask(store, airflow)
    with served(create_app(store, [LOGIN], desk=desk)) as port:
        emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{port}/webhook", LOGIN)
        emulator.tap(message_id, "Deploy")
        assert started.wait(60)
        assert [delivery.state for delivery in emulator.wait_for_deliveries(60)] == ["delivered"]
        hangs.set()


def test_statuses_and_texts_that_quote_nothing_wake_no_desk(store, emulator, airflow):
    woken: list[str] = []
    desk = Background(lambda: woken.append("once"), "d360-desk", lambda: 60.0, lambda error: None)
    with served(create_app(store, [LOGIN], desk=desk)) as port:
        wait_until(lambda: woken)  # at the start
        emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{port}/webhook", LOGIN)
        emulator.receive("Hello", sender=ANN)
        emulator.wait_for_deliveries(60)
        emulator.receive(
            json.loads('{"type": "button", "button": {"payload": "x", "text": "y"}}'), sender=ANN
        )
        wait_until(lambda: len(woken) == 2)
    assert len(woken) == 2

"""The store goes away, or comes from before the ledger: a message still goes out once."""

import json
import logging
import sqlite3
import types
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import make_url

from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.compat import AirflowFailException
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.sending.rates import wait_for_turn
from airflow_provider_d360.store import State, Store
from tests.store import old_code
from tests.store.conftest import postgres  # noqa: F401

TO = "4915112345689"
UNAVAILABLE = "so nothing was sent"


def run(round_=0, to=TO, map_index=-1, retry=0, **arguments):
    """Run a task; another round is a Clear, and within a round each retry has another number."""
    operator = D360SendMessageOperator(task_id="send", to=to, message="Hello", **arguments)
    ti = types.SimpleNamespace(
        dag_id="dag",
        run_id="run",
        task_id="send",
        map_index=map_index,
        try_number=10 * round_ + retry + 1,
        max_tries=round_,
    )
    dag_run = types.SimpleNamespace(clear_number=round_, logical_date=None, start_date="2026-11-26")
    context: Any = {"ti": ti, "dag_run": dag_run}
    return operator.execute(context)


@pytest.fixture
def before_the_intent(monkeypatch):
    """Do something once, after the look-up and before the intent."""
    actions: list[Callable[[], object]] = []

    def act(*arguments):
        while actions:
            actions.pop()()
        return wait_for_turn(*arguments)

    monkeypatch.setattr("airflow_provider_d360.sending.recorded.wait_for_turn", act)
    return actions.append


@pytest.fixture
def path(d360_emulator, monkeypatch, tmp_path):
    path = tmp_path / "d360.sqlite"
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(path))
    return path


@pytest.fixture
def server(d360_emulator, monkeypatch, postgres):  # noqa: F811
    """A PostgreSQL that is the configured store. After the test, it runs again for others."""
    url = make_url(postgres.new_database())
    connection = {
        "conn_type": "postgres",
        "host": url.query["host"],
        "login": url.username,
        "schema": url.database,
    }
    monkeypatch.setenv("AIRFLOW_CONN_D360_STORE", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "d360_store")
    postgres.store_url = url
    yield postgres
    if not is_running(postgres):
        postgres.start()


def is_running(server):
    return server._process.poll() is None


def test_a_postgresql_that_goes_away_before_the_intent_fails_the_task_and_nothing_goes_out(
    d360_emulator, server, before_the_intent
):
    before_the_intent(server.stop)
    with pytest.raises(Exception, match=UNAVAILABLE) as caught:
        run()
    assert type(caught.value).__name__ == "D360UnavailableError"  # which Airflow tries again
    with pytest.raises(Exception, match=UNAVAILABLE):
        run(retry=1)  # it cannot be looked up either
    assert d360_emulator.sent == []
    server.start()
    assert run() == run(1) == d360_emulator.sent[0].message_id
    assert len(d360_emulator.sent) == 1


def test_a_postgresql_that_is_restarted_before_the_intent_costs_no_second_message(
    d360_emulator, server, before_the_intent
):
    def restart():
        server.stop()
        server.start()

    before_the_intent(restart)
    assert run() == run(1) == d360_emulator.sent[0].message_id
    assert len(d360_emulator.sent) == 1


def test_what_became_of_a_message_is_proved_by_its_status_if_the_store_went_away_meanwhile(
    d360_emulator, server, monkeypatch, caplog
):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(timeout_seconds=2))
    with monkeypatch.context() as patch:
        patch.setattr(d360_emulator, "on_change", lambda sent: server.stop() if is_running(server) else None)
        message_id = run()
    assert message_id == d360_emulator.sent[0].message_id
    assert "The outcome of the message could not be recorded" in caplog.text
    server.start()
    with pytest.raises(AirflowFailException, match="An earlier try was interrupted"):
        run(1, ambiguity_wait_seconds=0)
    intent = d360_emulator.sent[0].body["biz_opaque_callback_data"]
    with closing(Store(server.store_url)) as store:
        [unsettled] = store.ledger.unsettled(older_than=1e12)
        assert (unsettled.intent, unsettled.state) == (intent, State.INTENDED)
        store.add([StatusEvent(message_id, "sent", biz_opaque_callback_data=intent)], 1.0)
        assert store.ledger.unsettled(older_than=1e12) == []
    assert run(1) == message_id
    assert len(d360_emulator.sent) == 1


def test_a_file_that_is_locked_before_the_intent_fails_the_task_and_nothing_goes_out(
    d360_emulator, path, before_the_intent
):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        before_the_intent(lambda: other.execute("BEGIN IMMEDIATE"))
        with pytest.raises(Exception, match=UNAVAILABLE) as caught:
            run()
        assert type(caught.value).__name__ == "D360UnavailableError"
        assert d360_emulator.sent == []
        other.rollback()
    assert run() == run(1) == d360_emulator.sent[0].message_id
    assert len(d360_emulator.sent) == 1


def test_a_file_that_is_replaced_before_the_intent_fails_the_task_and_nothing_goes_out(
    d360_emulator, path, before_the_intent
):
    def replace():
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()

    before_the_intent(replace)
    with pytest.raises(Exception, match="replaced by another one") as caught:
        run()
    assert type(caught.value).__name__ == "D360UnavailableError"
    assert d360_emulator.sent == []
    assert run() == run(1) == d360_emulator.sent[0].message_id
    assert len(d360_emulator.sent) == 1


def test_a_configured_file_that_cannot_be_opened_fails_the_task_and_nothing_goes_out(
    d360_emulator, monkeypatch, tmp_path
):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "nowhere" / "d360.sqlite"))
    with pytest.raises(Exception, match=UNAVAILABLE) as caught:
        run()
    assert type(caught.value).__name__ == "D360UnavailableError"
    assert d360_emulator.sent == []


def test_a_default_file_that_cannot_be_opened_is_logged_once_and_messages_go_out(
    d360_emulator, monkeypatch, tmp_path, caplog
):
    monkeypatch.delenv("AIRFLOW__D360__STORE_PATH")
    monkeypatch.setattr("airflow_provider_d360.store.configured.AIRFLOW_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr("airflow_provider_d360.hooks.ledgers._warnings", set())
    ids = [run(map_index=index) for index in range(3)]
    assert ids == [sent.message_id for sent in d360_emulator.sent]
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    [warning] = [text for text in warnings if "store" in text]
    assert "prevents no second copy" in warning


def test_a_default_file_that_somebody_else_migrates_stops_messages_until_it_is_done(
    d360_emulator, monkeypatch, tmp_path
):
    """It may know them. Without it, they went out a second time."""
    monkeypatch.delenv("AIRFLOW__D360__STORE_PATH")
    monkeypatch.setattr("airflow_provider_d360.store.configured.AIRFLOW_HOME", str(tmp_path))
    file = tmp_path / "d360.sqlite"
    old_code.fill(f"sqlite:///{file}", [old_row()])
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Exception, match=UNAVAILABLE) as caught:
            run(1)
    assert type(caught.value).__name__ == "D360UnavailableError"
    assert run(1, retry=1) == "wamid.1"
    assert d360_emulator.sent == []


def test_a_default_file_is_made_at_the_first_message_and_remembers_it(d360_emulator, monkeypatch, tmp_path):
    monkeypatch.delenv("AIRFLOW__D360__STORE_PATH")
    monkeypatch.setattr("airflow_provider_d360.store.configured.AIRFLOW_HOME", str(tmp_path))
    assert run() == run(1)
    assert len(d360_emulator.sent) == 1
    assert (tmp_path / "d360.sqlite").exists()


def old_row(**more):
    fields = {"dag_id": "dag", "run_id": "run", "task_id": "send", "map_index": -1, "recipient": "49…89"}
    return old_code.outbox_row(1, **{**fields, **more})


def test_a_task_that_is_cleared_after_the_migration_does_not_send_again(d360_emulator, path):
    old_code.fill(f"sqlite:///{path}", [old_row()])
    assert run(1) == "wamid.1"
    assert run(1, retry=1) == "wamid.1"
    assert run(2) == "wamid.1"
    assert d360_emulator.sent == []


def test_so_does_each_of_many_mapped_tasks(d360_emulator, path):
    people = [f"49151123456{number:02}" for number in range(10)]
    rows = [
        {**old_code.outbox_row(index, **{**old_row(), "map_index": index, "recipient": f"49…{index:02}"}),
         "message_id": f"wamid.{index}"}
        for index in range(10)
    ]  # fmt: skip
    old_code.fill(f"sqlite:///{path}", rows)
    assert [run(1, to, index) for index, to in enumerate(people)] == [f"wamid.{index}" for index in range(10)]
    assert d360_emulator.sent == []


@pytest.mark.parametrize(
    "other",
    [
        {"recipient": "49…88"},
        {"map_index": 3},
        {"task_id": "another"},
        {"run_id": "other"},
        {"dag_id": "other"},
    ],
)
def test_what_another_task_has_sent_before_the_migration_is_no_reason_not_to_send(d360_emulator, path, other):
    old_code.fill(f"sqlite:///{path}", [old_row(**other)])
    assert run(1) == d360_emulator.sent[0].message_id


def test_an_old_message_is_sent_again_once_where_the_dag_says_so(d360_emulator, path):
    old_code.fill(f"sqlite:///{path}", [old_row()])
    first = run(1, resend=True)
    assert run(1, retry=1, resend=True) == run(2) == first == d360_emulator.sent[0].message_id
    assert len(d360_emulator.sent) == 1


def test_an_old_message_that_failed_is_sent_again_by_a_clear(d360_emulator, path):
    old_code.fill(f"sqlite:///{path}", [old_row()], ["failed"])
    assert run(1) == run(2) == d360_emulator.sent[0].message_id
    assert len(d360_emulator.sent) == 1

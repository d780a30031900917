"""Unavailable is what is locked or away; everything else is a fault, and says so at once, without values."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import StatementError

from airflow_provider_d360.api.events import Failure, MessageEvent, StatusEvent
from airflow_provider_d360.store import Store, StoreFaultError, StoreUnavailableError
from airflow_provider_d360.store.database import RejectedValueError
from airflow_provider_d360.store.problems import Problem, problem_of
from airflow_provider_d360.store.statuses import STATUSES
from airflow_provider_d360.store.watch import StatusWatch
from tests.store.entries import entry, record

SECRET = "4915112345678"

STATEMENTS = {
    "a syntax error": "SELEKT '4915112345678'",  # codespell:ignore
    "a column that is not there": "SELECT mood FROM d360_message_statuses WHERE message_id = '4915112345678'",
    "a function that is not there": "SELECT frobnicate('4915112345678')",
    "a key that is there": "INSERT INTO d360_inbox SELECT message_id, '4915112345678', NULL, NULL, 1, 1, NULL, NULL, NULL FROM d360_inbox",
    "no value where one must be": "INSERT INTO d360_inbox (message_id) VALUES ('4915112345678')",
}


@pytest.fixture
def patient(url):
    """A store that retries for a minute."""
    store = Store(url, retry_seconds=60.0)
    store.add([MessageEvent("m", "text")], 1.0)
    yield store
    store.close()


def fails_at_once(store, work, kind=StoreFaultError):
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        store._database.write(work)
    assert time.monotonic() - began < 45
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_a_programming_error_says_so_at_once_and_quotes_no_value(patient, statement):
    assert "The store" in fails_at_once(patient, lambda connection: connection.execute(text(statement)))


@pytest.mark.parametrize("value", [object(), {"a": 1}, [SECRET]])
def test_a_value_of_a_type_that_no_driver_knows_is_a_fault(patient, value):
    query = select(STATUSES).where(STATUSES.c.at == value)
    if isinstance(value, list | dict) and "postgresql" in str(patient._database.url):
        query = select(func.length(STATUSES.c.message_id)).where(STATUSES.c.received_at == value)
    fails_at_once(patient, lambda connection: connection.execute(query))


@pytest.mark.parametrize("error", [NameError("x"), TypeError(SECRET), KeyError("x"), ZeroDivisionError()])
def test_a_bug_of_python_passes_unchanged_at_once(patient, error):
    def work(connection):
        raise error

    began = time.monotonic()
    with pytest.raises(type(error)):
        patient._database.read(work)
    assert time.monotonic() - began < 45


def test_an_error_of_sqlalchemy_itself_is_a_fault(patient):
    fails_at_once(patient, lambda connection: connection.execute(text("SELECT :missing")))


def test_a_read_that_writes_no_permission_is_not_retried_for_ever(postgres):
    url = postgres.new_database()
    owner = Store(url)
    owner.check_writable()
    postgres.execute("CREATE ROLE reader LOGIN")
    reader = Store(url.replace("d360@", "reader@"), retry_seconds=60.0)
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError, match="permission denied"):
        reader.check_writable()
    assert time.monotonic() - began < 45
    for store in (owner, reader):
        store.close()


def test_a_standby_is_unavailable_and_no_fault(postgres):
    url = postgres.new_database()
    store = Store(url, retry_seconds=0.1)
    store.check_writable()
    store.close()
    standby = Store(f"{url}&options=-c%20default_transaction_read_only%3Don", retry_seconds=0.1)
    with pytest.raises(StoreUnavailableError, match="read-only"):
        standby.add([StatusEvent("a", "sent")], 1.0)
    standby.close()


@pytest.mark.parametrize("code", [10**12, 10**30, -(10**30)])
def test_a_number_that_is_too_long_costs_its_own_event_only(store, caplog, code):
    store.add([StatusEvent("bad", "failed", failure=Failure(code, "t")), StatusEvent("good", "sent")], 2.0)
    assert "good" in store.statuses.current(["good", "bad"])
    if "bad" not in store.statuses.current(["bad"]):
        assert "A status was dropped because the database rejects it" in caplog.text
        assert str(code) not in caplog.text


@pytest.mark.parametrize("broken", [StatusEvent(None, "sent"), StatusEvent("bad", "sent", on_premise=None)])
def test_an_event_without_what_a_row_needs_costs_no_other_event(store, caplog, broken):
    store.add([StatusEvent("good", "sent"), broken], 2.0)
    assert store.statuses.current(["good"])
    assert store.count()["statuses"] == 1
    assert "A status was dropped" in caplog.text


def test_a_fault_loses_no_event_and_reports_no_success(store):
    store.add([StatusEvent("a", "sent")], 1.0)
    store._database.write(lambda c: c.execute(text("ALTER TABLE d360_message_statuses DROP COLUMN category")))
    with pytest.raises(StoreFaultError):
        store.add([StatusEvent("b", "failed", failure=Failure(10**12))], 1.0)


def test_a_rejected_value_is_told_from_other_faults(store):
    with pytest.raises(RejectedValueError):
        record(store, entry("a", dag_id=None))


def test_all_who_wait_learn_at_once_of_a_query_that_cannot_work(store):
    store.add([StatusEvent("a", "sent")], 1.0)
    store._database.write(lambda c: c.execute(text("ALTER TABLE d360_message_statuses DROP COLUMN category")))

    async def wait():
        watch = StatusWatch(store, 0.01)
        waits = [watch.wait(name, "read") for name in "abc"]
        return await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 10)

    assert {type(result) for result in asyncio.run(wait())} == {StoreFaultError}


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (StatementError("x", "SELECT 1", {}, TypeError()), Problem.FAULT),
        (OverflowError(), Problem.REJECTED),
        (PermissionError(), Problem.BLOCKED),
    ],
)
def test_errors_without_a_driver_are_classified_too(error, problem):
    assert problem_of(error) is problem

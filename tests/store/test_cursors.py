"""Named cursors: everything is read once, whatever the order of commits, and a purge waits for them."""

from __future__ import annotations

import time

import pytest

from airflow_provider_d360.api.events import MessageEvent, UnknownEvent
from airflow_provider_d360.store import Store

DAY = 86_400.0
NOW = time.time()


def put(store: Store, *message_ids: str, at: float = NOW) -> None:
    """Let messages arrive in one transaction."""
    store.add([MessageEvent(message_id, "text", "4915112345678", at=at) for message_id in message_ids], at)


def unread(store: Store, cursor: str = "orders") -> list[str]:
    return [message.message_id for message in store.inbox.unread(cursor)]


def read(store: Store, cursor: str = "orders") -> list[str]:
    """Read what is unread and acknowledge it, as a task that succeeds does."""
    messages = store.inbox.unread(cursor)
    received = {message.message_id: message.received_at for message in messages}
    store.cursors.acknowledge(cursor, received, NOW)
    return list(received)


@pytest.fixture
def cursor(store):
    store.cursors.ensure("orders", NOW)


@pytest.mark.usefixtures("cursor")
def test_what_is_not_acknowledged_is_read_again_and_what_is_acknowledged_is_not(store):
    put(store, "a")
    assert unread(store) == unread(store) == ["a"]
    assert read(store) == ["a"]
    assert unread(store) == []


@pytest.mark.usefixtures("cursor")
def test_messages_of_one_transaction_keep_their_order(store):
    put(store, "z", "b", "m", "a")
    assert read(store) == ["z", "b", "m", "a"]


@pytest.mark.usefixtures("cursor")
def test_a_message_that_is_committed_after_younger_ones_is_not_skipped(store):
    put(store, "young", at=NOW)
    assert read(store) == ["young"]
    put(store, "late", at=NOW - 3000)
    assert read(store) == ["late"]
    assert unread(store) == []


@pytest.mark.usefixtures("cursor")
def test_marks_below_the_floor_are_deleted_and_their_messages_stay_read(store):
    put(store, "old", at=NOW - 9000)
    put(store, "waiting", at=NOW - 8000)
    put(store, "new", at=NOW)
    store.cursors.acknowledge("orders", {"old": NOW - 9000, "new": NOW}, NOW)
    assert unread(store) == ["waiting"]
    assert read(store) == ["waiting"]
    query = "SELECT message_id FROM d360_cursor_reads"
    marks = store._database.read(lambda connection: connection.exec_driver_sql(query).scalars().all())
    assert marks == ["new"]
    assert unread(store) == []


def test_a_new_cursor_begins_a_day_back(store):
    put(store, "last month", at=NOW - 30 * DAY)
    put(store, "an hour ago", at=NOW - 3600)
    store.cursors.ensure("orders", NOW)
    assert unread(store) == ["an hour ago"]


def test_cursors_do_not_share_what_they_have_read(store):
    put(store, "a")
    for name in ("orders", "support"):
        store.cursors.ensure(name, NOW)
    assert read(store, "orders") == ["a"]
    assert unread(store, "support") == ["a"]


@pytest.mark.usefixtures("cursor")
def test_pages_follow_one_another(store):
    put(store, *(f"m{number:02}" for number in range(25)))
    first = store.inbox.unread("orders", limit=10)
    second = store.inbox.unread("orders", limit=10, after=first[-1])
    assert [message.message_id for message in first + second] == [f"m{number:02}" for number in range(20)]


def test_a_purge_keeps_what_a_cursor_has_not_read_and_says_so(store, caplog):
    store.cursors.ensure("orders", NOW - 40 * DAY)
    put(store, "read", at=NOW - 38 * DAY)
    read(store)
    put(store, "unread", at=NOW - 37 * DAY)
    store.add([UnknownEvent({"x": 1})], NOW - 37 * DAY)
    assert store.inbox.purge(NOW - 30 * DAY, NOW) == 2
    assert unread(store) == ["unread"]
    assert "keeps 1 messages that the cursor 'orders' has not read" in caplog.text
    assert store.cursors.forget("orders")
    assert store.inbox.purge(NOW - 30 * DAY, NOW) == 1
    assert not store.cursors.forget("orders")


def test_a_cursor_that_was_forgotten_while_its_task_ran_begins_anew(store):
    put(store, "a")
    store.cursors.ensure("orders", NOW)
    messages = {message.message_id: message.received_at for message in store.inbox.unread("orders")}
    store.cursors.forget("orders")
    store.cursors.acknowledge("orders", messages, NOW)
    assert unread(store) == []


@pytest.mark.usefixtures("cursor")
def test_acknowledging_nothing_or_twice_changes_nothing(store):
    put(store, "a", "b")
    store.cursors.acknowledge("orders", {}, NOW)
    for _ in range(2):
        store.cursors.acknowledge("orders", {"a": NOW}, NOW)
    assert unread(store) == ["b"]
    assert [(one.name, one.messages) for one in store.cursors.backlogs(NOW + 1)] == [("orders", 1)]

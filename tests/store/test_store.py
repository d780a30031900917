"""What goes in, in whatever order, and what comes out; on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
import json
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import select, update

from airflow_provider_d360.api.events import (
    Event,
    Failure,
    MessageEvent,
    OmittedEvent,
    StatusEvent,
    UnknownEvent,
)
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store import Selection, Store
from airflow_provider_d360.store.incoming import INBOX
from airflow_provider_d360.store.raw import RAW_TYPE
from tests.store.entries import NUMBER, counts, entry, record
from tests.store.postgres import Postgres
from tests.store.test_alerts import send

FAILED = StatusEvent("a", "failed", 13.0, NUMBER, None, "intent", Failure(131026, "No", "Not there"))


def status(message_id: str, name: str, at: float | None = 10.0, **more: object) -> StatusEvent:
    return StatusEvent(message_id, name, at, NUMBER, **more)


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read"])))
def test_the_status_that_counts_is_the_furthest_in_any_order(store, order):
    for name in order:
        store.add([status("a", name)], 11.0)
    assert store.statuses.current(["a"])["a"].status == "read"


@pytest.mark.parametrize("others", [["sent"], ["sent", "delivered", "read", "played"]])
def test_failed_is_final(store, others):
    store.add([FAILED], 11.0)
    for name in others:
        store.add([status("a", name)], 12.0)
    assert store.statuses.current(["a"])["a"].status == "failed"


def test_an_unknown_status_does_not_hide_a_known_one(store):
    store.add([status("a", "sent"), status("a", "teleported", at=99.0), status("b", "teleported")], 11.0)
    found = store.statuses.current(["a", "b"])
    assert [(key, found[key].status, found[key].rank) for key in "ab"] == [
        ("a", "sent", 1),
        ("b", "teleported", 0),
    ]


def test_a_status_is_kept_whole_with_the_number_masked(store):
    store.add(
        [
            StatusEvent(
                "a",
                "failed",
                13.5,
                NUMBER,
                "DE.1",
                "i",
                Failure(1, "title", "details"),
                "utility",
                True,
                True,
            )
        ],
        14.5,
    )
    kept = store.statuses.current(["a"])["a"]
    assert (kept.message_id, kept.status, kept.rank, kept.at, kept.received_at) == (
        "a",
        "failed",
        5,
        13.5,
        14.5,
    )
    assert (kept.recipient, kept.intent, kept.on_premise) == ("49…78", "i", True)
    assert (kept.error_code, kept.error_title, kept.error_details) == (1, "title", "details")
    assert (kept.category, kept.billable) == ("utility", True)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [True, False])
def test_a_duplicate_without_the_error_neither_hides_nor_erases_it(store, order, together):
    copies = [FAILED, status("a", "failed")]
    batches = [[copies[i] for i in order]] if together else [[copies[i]] for i in order]
    for batch in batches:
        store.add(batch, 11.0)
    kept = store.statuses.current(["a"])["a"]
    assert (kept.error_code, kept.error_title, kept.error_details) == (131026, "No", "Not there")
    assert kept.intent == "intent"
    assert store.count()["statuses"] == 1


def test_an_explanation_of_any_length_is_kept_in_part(store):
    store.add([StatusEvent("a", "failed", failure=Failure(1, "No", 5000 * "not "))], 11.0)
    assert store.statuses.history("a")[0].error_details == (500 * "not ")[:2000]


@pytest.mark.parametrize("together", [True, False])
def test_a_later_copy_tells_what_the_first_one_did_not_know(store, together):
    copies = [
        StatusEvent("a", "sent"),
        StatusEvent("a", "sent", 10.0, NUMBER, None, "i", None, "utility", True),
    ]
    for batch in [copies] if together else [[copy] for copy in copies]:
        store.add(batch, 11.0)
    kept = store.statuses.current(["a"])["a"]
    assert (kept.at, kept.recipient, kept.intent) == (10.0, "49…78", "i")
    assert (kept.category, kept.billable) == ("utility", True)


@pytest.mark.parametrize("together", [True, False])
def test_a_later_copy_adds_what_was_unknown_and_replaces_nothing(store, together):
    failure = Failure(131026, "first", "first")
    copies = [
        StatusEvent("a", "failed", 10.0, NUMBER, None, "first", failure, "utility"),
        StatusEvent("a", "failed", 99.0, "33111", None, "later", Failure(1, "x", "y"), "marketing", True),
    ]
    for batch in [copies] if together else [[copy] for copy in copies]:
        store.add(batch, 11.0)
    kept = store.statuses.current(["a"])["a"]
    assert kept.billable is True
    assert (kept.at, kept.recipient, kept.intent, kept.category) == (10.0, "49…78", "first", "utility")
    assert (kept.error_code, kept.error_title, kept.error_details) == (131026, "first", "first")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_current_status_has_the_category_that_came_with_another_one(store, order):
    statuses = [
        status("a", "sent", category="utility", billable=True),
        status("a", "delivered"),
        status("a", "read"),
    ]
    for i in order:
        store.add([statuses[i]], 11.0)
    current = store.statuses.current(["a"])["a"]
    assert (current.status, current.category, current.billable) == ("read", "utility", True)


def test_the_category_that_came_with_the_current_status_counts(store):
    store.add([status("a", "sent", category="utility", billable=False)], 11.0)
    store.add([status("a", "read", category="marketing", billable=True)], 12.0)
    current = store.statuses.current(["a"])["a"]
    assert (current.category, current.billable) == ("marketing", True)


def test_of_duplicates_the_first_counts(store):
    store.add([FAILED], 11.0)
    store.add([StatusEvent("a", "failed", 99.0, "49111", None, "other", Failure(1, "x", "y"))], 99.0)
    assert store.statuses.history("a") == [store.statuses.current(["a"])["a"]]
    kept = store.statuses.history("a")[0]
    assert (kept.at, kept.received_at, kept.intent, kept.error_code) == (13.0, 11.0, "intent", 131026)


def test_a_message_that_comes_twice_is_there_once(store):
    message = MessageEvent(
        "m", "text", NUMBER, "DE.1", 9.0, "a", "4930901820", {"text": {"body": "Grüße 👋"}}
    )
    store.add([message, message], 11.0)
    store.add([message], 12.0)
    [kept] = store.inbox.messages(since=0.0)
    assert (kept.message_id, kept.type, kept.sender, kept.sender_user_id) == ("m", "text", NUMBER, "DE.1")
    assert (kept.at, kept.received_at, kept.reply_to, kept.number) == (9.0, 11.0, "a", "4930901820")
    assert kept.content == {"text": {"body": "Grüße 👋"}}
    assert "Grüße" not in repr(kept)
    assert NUMBER not in repr(kept)


def test_the_inbox_is_read_from_a_time_on_oldest_first(store):
    for at, name in [(3.0, "c"), (1.0, "a"), (2.0, "b")]:
        store.add([MessageEvent(name, "text")], at)
    assert [message.message_id for message in store.inbox.messages(since=2.0)] == ["b", "c"]
    assert [message.message_id for message in store.inbox.messages(since=0.0, limit=1)] == ["a"]


def test_unknown_events_are_stored_once_each_and_are_no_messages(store):
    store.add([UnknownEvent({"x": 1}), UnknownEvent("a\0\ud800"), UnknownEvent({"x": 1})], 1.0)
    store.add([UnknownEvent({"x": 1})], 2.0)
    store.add([OmittedEvent("history")], 2.0)
    store.add([], 1.0)
    assert store.count() == counts(inbox=2)
    assert store.inbox.messages(since=0.0) == []
    contents = store._database.read(
        lambda connection: set(connection.execute(select(INBOX.c.content)).scalars())
    )
    assert {json.loads(content) == {"x": 1} for content in contents} == {True, False}


@pytest.mark.parametrize("make", [UnknownEvent, lambda raw: MessageEvent("m", "text", NUMBER, raw=raw)])
def test_content_that_is_nested_too_deeply_for_json_is_stored_whole(store, make):
    depth = 50_000
    deep: object = {"a": [1, {"b": None, "\0": "\ud800"}, [], {}], "c": "\n"}
    expected = "[" * depth + json.dumps(deep, separators=(",", ":")) + ',{"x":1.5}]' * depth
    for _ in range(depth):
        deep = [deep, {"x": 1.5}]
    store.add([make(deep), status("a", "sent")], 2.0)
    query = select(INBOX.c.content)
    assert store._database.read(lambda connection: connection.execute(query).scalars().all()) == [expected]
    assert store.statuses.current(["a"])
    assert {message.content for message in store.inbox.messages(since=0.0)} <= {None}


@pytest.mark.parametrize(
    "text", ["\0", "a\0b", "\ud800", "\udfff!", "é" * 5000, "\U0001f600", "'; DROP TABLE x; --"]
)
def test_any_text_is_storable(store, text):
    odd = StatusEvent("odd" + text[:9], text[:9], 1.0, text, text, text, Failure(1, text, text), text)
    message = MessageEvent("odd" + text[:9], text[:9], text, text, 1.0, text, text, {text: text})
    store.add([odd, message, status("good", "sent")], 2.0)
    assert store.count() == counts(statuses=2, inbox=1)
    assert store.inbox.messages(since=0.0)[0].content == {text: text}


@pytest.mark.parametrize("at_once", [True, False])
def test_a_message_with_the_id_of_another_one_is_stored_as_it_is(store, at_once):
    first, second = (MessageEvent("m", "text", NUMBER, raw={"body": body}) for body in "ab")
    for batch in [[first, second, second]] if at_once else [[first], [second], [first, second]]:
        store.add(batch, 2.0)
    assert [message.content for message in store.inbox.messages(since=0.0)] == [{"body": "a"}]
    query = select(INBOX.c.content).where(INBOX.c.type == RAW_TYPE)
    raw = store._database.read(lambda connection: connection.execute(query).scalars().all())
    assert raw == ['{"body":"b"}']


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, "9" * 10_000, "cut o"])
def test_content_that_cannot_be_read_hides_neither_its_message_nor_others(store, text):
    store.add([MessageEvent("bad", "text", NUMBER), MessageEvent("good", "text", raw=[1])], 2.0)
    odd = update(INBOX).where(INBOX.c.message_id == "bad").values(content=text)
    store._database.write(lambda connection: connection.execute(odd))
    found = {
        message.message_id: (message.sender, message.content) for message in store.inbox.messages(since=0.0)
    }
    assert found == {"bad": (NUMBER, None), "good": (None, [1])}


def test_one_event_that_the_database_refuses_does_not_take_others_with_it(tmp_path, postgres, caplog):
    store = Store(postgres.new_database())
    bad: list[Event] = [
        status("bad", "failed", failure=Failure(10**12)),
        MessageEvent("bad", "text", at=1e999),
    ]
    store.add([*bad, status("good", "sent"), MessageEvent("good", "text")], 2.0)
    store.close()
    assert store.statuses.current(["good", "bad"]).keys() == {"good"}
    assert "NumericValueOutOfRange" in caplog.text


def test_many_messages_are_asked_for_at_once(store):
    store.add([status(f"m{number}", "sent") for number in range(2500)], 1.0)
    found = store.statuses.current(f"m{number}" for number in range(3000))
    assert found.keys() == {f"m{number}" for number in range(2500)}


def test_the_history_is_in_order_and_without_other_messages(store):
    store.add([status("a", "read", 30.0), status("b", "sent", 5.0), status("a", "sent", 10.0)], 40.0)
    store.add([status("a", "delivered", None)], 20.0)
    assert [kept.status for kept in store.statuses.history("a")] == ["sent", "delivered", "read"]
    assert store.statuses.history("nobody") == []


def test_who_sent_a_message_is_found_by_the_short_form_of_its_id(store):
    record(store, entry("a"))
    assert store.ledger.find(short_id("a")) == entry("a")
    assert store.ledger.find("a") == entry("a")
    assert store.ledger.find(short_id("b")) is None


def test_recent_messages_come_newest_first_with_the_status_that_counts(store):
    for number in range(5):
        record(store, entry(f"m{number}", at=float(number), dag_id="even" if number % 2 == 0 else "odd"))
    store.add([status("m4", "sent"), status("m4", "delivered"), status("m2", "sent"), FAILED], 9.0)

    def shown(**filters: object) -> list[tuple[str, str | None]]:
        return [
            (sent.entry.message_id, sent.status and sent.status.status)
            for sent in store.messages.recent(**{"since": 0.0, **filters})
        ]

    assert shown() == [("m4", "delivered"), ("m3", None), ("m2", "sent"), ("m1", None), ("m0", None)]
    assert shown(since=3.0) == [("m4", "delivered"), ("m3", None)]
    assert shown(before=3.0, limit=2) == [("m2", "sent"), ("m1", None)]
    assert shown(selection=Selection(dag_ids=["odd"])) == [("m3", None), ("m1", None)]
    assert shown(selection=Selection(dag_ids=[])) == []
    assert shown(status="delivered") == [("m4", "delivered")]
    assert shown(status="accepted", selection=Selection(dag_ids=["even"])) == [("m0", None)]
    assert store.messages.counts(since=0.0) == {"delivered": 1, "sent": 1, "accepted": 3}
    assert store.messages.counts(since=0.0, selection=Selection(dag_ids=["even"])) == {
        "delivered": 1,
        "sent": 1,
        "accepted": 1,
    }


def test_the_newest_messages_have_a_beginning(store):
    for number in range(5):
        record(store, entry(f"m{number}", at=float(number), dag_id="even" if number % 2 == 0 else "odd"))
    assert [store.messages.start_of_newest(most, since=0.5) for most in (1, 2, 3, 4, 9)] == [
        4.0,
        3.0,
        2.0,
        0.5,
        0.5,
    ]
    assert store.messages.start_of_newest(1, since=0.5, before=4.0) == 3.0
    assert store.messages.start_of_newest(1, since=0.0, selection=Selection(dag_ids=["odd"])) == 3.0
    assert store.messages.start_of_newest(2, since=0.0, selection=Selection(dag_ids=["odd"])) == 0.0
    assert store.messages.dag_ids(since=3.5) == {"even"}
    assert store.messages.dag_ids(since=3.0) == {"even", "odd"}


def test_a_purge_forgets_what_is_old_and_nothing_else(store):
    store.add(
        [status(f"old{number}", "sent") for number in range(4500)] + [MessageEvent("old", "text")], 10.0
    )
    store.add([status("new", "sent"), MessageEvent("new", "text")], 20.0)
    record(store, entry("old", at=10.0))
    record(store, entry("new", at=20.0))
    assert store.purge(20.0, 20.0) == counts(statuses=4500, inbox=1, ledger=1)
    assert store.count() == counts(statuses=1, inbox=1, ledger=1)
    assert store.statuses.current(["new"]).keys() == {"new"}


def test_a_purge_forgets_alerts_whose_silence_is_long_over(store):
    for name, now, cooldown in [("old", 10.0, 1.0), ("quiet", 10.0, 50.0), ("new", 30.0, 1.0)]:
        send(store, name, now, cooldown=name, cooldown_seconds=cooldown)
    send(store, "held", 11.0, cooldown="quiet", cooldown_seconds=50.0)
    assert store.count()["alerts"] == 4
    assert store.purge(20.0, 0.0)["alerts"] == 2
    assert send(store, "again", 21.0, cooldown="quiet", cooldown_seconds=50.0) is None


def test_a_purge_lets_others_write_between_its_pieces(url, store):
    store.add([status(f"old{number}", "sent") for number in range(20_000)], 10.0)
    written, over = list[float](), threading.Event()

    def write() -> None:
        mine = Store(url)
        while not over.is_set():
            mine.add([status(f"new{len(written)}", "sent")], 20.0)
            written.append(time.monotonic())
        mine.close()

    writer = threading.Thread(target=write)
    writer.start()
    began = time.monotonic()
    assert store.purge(20.0, 0.0)["statuses"] == 20_000
    ended = time.monotonic()
    over.set()
    writer.join()
    assert store.count()["statuses"] == len(written)
    assert len([at for at in written if began < at < ended]) >= 10


def test_writers_who_tell_the_same_in_different_orders_do_not_block_each_other(url):
    events = [status(f"m{number}", name) for number in range(40) for name in ("sent", "delivered", "read")]
    problems: list[BaseException] = []

    def write(turn: int) -> None:
        mine = Store(url, retry_seconds=20.0)
        try:
            for start in range(0, len(events), 12):
                batch = (events[turn * 15 :] + events[: turn * 15])[start : start + 12]
                mine.add(batch if turn % 2 else batch[::-1], 1.0)
        except BaseException as problem:  # noqa: BLE001 - the test tells
            problems.append(problem)
        finally:
            mine.close()

    threads = [threading.Thread(target=write, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with_all = Store(url)
    assert with_all.count()["statuses"] == len(events)
    with_all.close()


def test_no_number_of_a_recipient_is_in_the_file(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    store.add([FAILED, StatusEvent("b", "sent", 1.0, None, f"DE.{NUMBER}")], 11.0)
    record(store, entry("a"))
    written = b"".join(file.read_bytes() for file in Path(tmp_path).iterdir())
    store.close()
    assert b"intent" in written
    assert NUMBER.encode() not in written


def test_a_postgresql_that_was_away_is_found_again(postgres: Postgres):
    store = Store(postgres.new_database())
    store.add([status("a", "sent")], 1.0)
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'airflow%'"
    )
    store.add([status("a", "delivered")], 2.0)
    assert store.statuses.current(["a"])["a"].status == "delivered"
    store.close()

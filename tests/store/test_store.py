"""What goes in, in whatever order, and what comes out; on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import update

from airflow_provider_d360.api.events import Event, Failure, MessageEvent, StatusEvent, UnknownEvent
from airflow_provider_d360.store import OutboxEntry, Store
from airflow_provider_d360.store.tables import INBOX
from tests.store.postgres import Postgres

NUMBER = "4915112345678"
FAILED = StatusEvent("a", "failed", 13.0, NUMBER, None, "intent", Failure(131026, "No", "Not there"))


def status(message_id: str, name: str, at: float | None = 10.0, **more: object) -> StatusEvent:
    return StatusEvent(message_id, name, at, NUMBER, **more)


def entry(message_id: str, at: float = 5.0, dag_id: str = "dag", intent: str | None = None) -> OutboxEntry:
    return OutboxEntry(message_id, dag_id, "run", "task", -1, 1, f"+{NUMBER}", "d360_default", at, intent)


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read"])))
def test_the_status_that_counts_is_the_furthest_in_any_order(store, order):
    for name in order:
        store.add([status("a", name)], 11.0)
    assert store.status_of(["a"])["a"].status == "read"


@pytest.mark.parametrize("others", [["sent"], ["sent", "delivered", "read", "played"]])
def test_failed_is_final(store, others):
    store.add([FAILED], 11.0)
    for name in others:
        store.add([status("a", name)], 12.0)
    assert store.status_of(["a"])["a"].status == "failed"


def test_an_unknown_status_does_not_hide_a_known_one(store):
    store.add([status("a", "sent"), status("a", "teleported", at=99.0), status("b", "teleported")], 11.0)
    found = store.status_of(["a", "b"])
    assert [(key, found[key].status, found[key].rank) for key in "ab"] == [
        ("a", "sent", 1),
        ("b", "teleported", 0),
    ]


def test_a_status_is_kept_whole_with_the_number_masked(store):
    store.add(
        [StatusEvent("a", "failed", 13.5, NUMBER, "DE.1", "i", Failure(1, "t", "d"), "utility", True, True)],
        14.5,
    )
    kept = store.status_of(["a"])["a"]
    assert (kept.message_id, kept.status, kept.rank, kept.at, kept.received_at) == (
        "a",
        "failed",
        5,
        13.5,
        14.5,
    )
    assert (kept.recipient, kept.intent, kept.on_premise) == ("49…78", "i", True)
    assert (kept.error_code, kept.error_title, kept.error_details) == (1, "t", "d")
    assert (kept.category, kept.billable) == ("utility", True)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [True, False])
def test_a_duplicate_without_the_error_neither_hides_nor_erases_it(store, order, together):
    copies = [FAILED, status("a", "failed")]
    batches = [[copies[i] for i in order]] if together else [[copies[i]] for i in order]
    for batch in batches:
        store.add(batch, 11.0)
    kept = store.status_of(["a"])["a"]
    assert (kept.error_code, kept.error_title, kept.error_details) == (131026, "No", "Not there")
    assert kept.intent == "intent"
    assert store.count()["statuses"] == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_later_copy_tells_what_the_first_one_did_not_know(store, together):
    copies = [
        StatusEvent("a", "sent"),
        StatusEvent("a", "sent", 10.0, NUMBER, None, "i", None, "utility", True),
    ]
    for batch in [copies] if together else [[copy] for copy in copies]:
        store.add(batch, 11.0)
    kept = store.status_of(["a"])["a"]
    assert (kept.at, kept.recipient, kept.intent) == (10.0, "49…78", "i")
    assert (kept.category, kept.billable) == ("utility", True)


def test_of_duplicates_the_first_counts(store):
    store.add([FAILED], 11.0)
    store.add([StatusEvent("a", "failed", 99.0, "49111", None, "other", Failure(1, "x", "y"))], 99.0)
    assert store.history("a") == [store.status_of(["a"])["a"]]
    kept = store.history("a")[0]
    assert (kept.at, kept.received_at, kept.intent, kept.error_code) == (13.0, 11.0, "intent", 131026)


def test_a_message_that_comes_twice_is_there_once(store):
    message = MessageEvent(
        "m", "text", NUMBER, "DE.1", 9.0, "a", "4930901820", {"text": {"body": "Grüße 👋"}}
    )
    store.add([message, message], 11.0)
    store.add([message], 12.0)
    [kept] = store.inbox(since=0.0)
    assert (kept.message_id, kept.type, kept.sender, kept.sender_user_id) == ("m", "text", NUMBER, "DE.1")
    assert (kept.at, kept.received_at, kept.reply_to, kept.number) == (9.0, 11.0, "a", "4930901820")
    assert kept.content == {"text": {"body": "Grüße 👋"}}
    assert "Grüße" not in repr(kept)
    assert NUMBER not in repr(kept)


def test_the_inbox_is_read_from_a_time_on_oldest_first(store):
    for at, name in [(3.0, "c"), (1.0, "a"), (2.0, "b")]:
        store.add([MessageEvent(name, "text")], at)
    assert [message.message_id for message in store.inbox(since=2.0)] == ["b", "c"]
    assert [message.message_id for message in store.inbox(since=0.0, limit=1)] == ["a"]


def test_unknown_events_are_left_out(store):
    store.add([UnknownEvent({"x": 1})], 1.0)
    store.add([], 1.0)
    assert store.count() == {"statuses": 0, "inbox": 0, "outbox": 0, "alerts": 0}


@pytest.mark.parametrize(
    "text", ["\0", "a\0b", "\ud800", "\udfff!", "é" * 5000, "\U0001f600", "'; DROP TABLE x; --"]
)
def test_any_text_is_storable(store, text):
    odd = StatusEvent("odd" + text[:9], text[:9], 1.0, text, text, text, Failure(1, text, text), text)
    message = MessageEvent("odd" + text[:9], text[:9], text, text, 1.0, text, text, {text: text})
    store.add([odd, message, status("good", "sent")], 2.0)
    assert store.count() == {"statuses": 2, "inbox": 1, "outbox": 0, "alerts": 0}
    assert store.inbox(since=0.0)[0].content == {text: text}


def test_content_that_is_nested_too_deeply_is_left_out_and_nothing_else(store):
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    store.add([MessageEvent("m", "text", NUMBER, raw=deep), status("a", "sent")], 2.0)
    assert [(message.sender, message.content) for message in store.inbox(since=0.0)] == [(NUMBER, None)]
    assert store.status_of(["a"])


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, "9" * 10_000, "cut o"])
def test_content_that_cannot_be_read_hides_neither_its_message_nor_others(store, text):
    store.add([MessageEvent("bad", "text", NUMBER), MessageEvent("good", "text", raw=[1])], 2.0)
    odd = update(INBOX).where(INBOX.c.message_id == "bad").values(content=text)
    store._database.write(lambda connection: connection.execute(odd))
    found = {message.message_id: (message.sender, message.content) for message in store.inbox(since=0.0)}
    assert found == {"bad": (NUMBER, None), "good": (None, [1])}


def test_one_event_that_the_database_refuses_does_not_take_others_with_it(tmp_path, postgres, caplog):
    store = Store(postgres.new_database())
    bad: list[Event] = [
        status("bad", "failed", failure=Failure(10**12)),
        MessageEvent("bad", "text", at=1e999),
    ]
    store.add([*bad, status("good", "sent"), MessageEvent("good", "text")], 2.0)
    store.close()
    assert store.status_of(["good", "bad"]).keys() == {"good"}
    assert "NumericValueOutOfRange" in caplog.text


def test_many_messages_are_asked_for_at_once(store):
    store.add([status(f"m{number}", "sent") for number in range(2500)], 1.0)
    found = store.status_of(f"m{number}" for number in range(3000))
    assert found.keys() == {f"m{number}" for number in range(2500)}


def test_the_history_is_in_order_and_without_other_messages(store):
    store.add([status("a", "read", 30.0), status("b", "sent", 5.0), status("a", "sent", 10.0)], 40.0)
    store.add([status("a", "delivered", None)], 20.0)
    assert [kept.status for kept in store.history("a")] == ["sent", "delivered", "read"]
    assert store.history("nobody") == []


def test_an_intent_leads_to_its_message_by_a_status_that_came_before_its_send_was_recorded(store):
    store.add([status("a", "sent", biz_opaque_callback_data="intent-a"), status("c", "sent")], 1.0)
    store.record_sent(entry("b", intent="intent-b"))
    assert store.find_by_intent(["intent-a", "intent-b", "intent-c"]) == {"intent-a": "a", "intent-b": "b"}


def test_who_sent_a_message_is_kept_with_the_number_masked(store):
    store.record_sent(entry("a"))
    store.record_sent(entry("a", at=77.0))
    assert store.sent("a") == OutboxEntry("a", "dag", "run", "task", -1, 1, "49…78", "d360_default", 5.0)
    assert store.sent("b") is None


def test_recent_messages_come_newest_first_with_the_status_that_counts(store):
    for number in range(5):
        store.record_sent(entry(f"m{number}", at=float(number), dag_id="even" if number % 2 == 0 else "odd"))
    store.add([status("m4", "sent"), status("m4", "delivered"), status("m2", "sent"), FAILED], 9.0)

    def shown(**filters: object) -> list[tuple[str, str | None]]:
        return [
            (sent.entry.message_id, sent.status and sent.status.status)
            for sent in store.recent(**{"since": 0.0, **filters})
        ]

    assert shown() == [("m4", "delivered"), ("m3", None), ("m2", "sent"), ("m1", None), ("m0", None)]
    assert shown(since=3.0) == [("m4", "delivered"), ("m3", None)]
    assert shown(before=3.0, limit=2) == [("m2", "sent"), ("m1", None)]
    assert shown(dag_ids=["odd"]) == [("m3", None), ("m1", None)]
    assert shown(dag_ids=[]) == []
    assert shown(status="delivered") == [("m4", "delivered")]
    assert shown(status="accepted", dag_ids=["even"]) == [("m0", None)]
    assert store.counts(since=0.0) == {"delivered": 1, "sent": 1, "accepted": 3}
    assert store.counts(since=0.0, dag_ids=["even"]) == {"delivered": 1, "sent": 1, "accepted": 1}


def test_the_newest_messages_have_a_beginning(store):
    for number in range(5):
        store.record_sent(entry(f"m{number}", at=float(number), dag_id="even" if number % 2 == 0 else "odd"))
    assert [store.newest(most, since=0.5) for most in (1, 2, 3, 4, 9)] == [4.0, 3.0, 2.0, 0.5, 0.5]
    assert store.newest(1, since=0.5, before=4.0) == 3.0
    assert store.newest(1, since=0.0, dag_ids=["odd"]) == 3.0
    assert store.newest(2, since=0.0, dag_ids=["odd"]) == 0.0
    assert store.dag_ids(since=3.5) == {"even"}
    assert store.dag_ids(since=3.0) == {"even", "odd"}


def test_a_purge_forgets_what_is_old_and_nothing_else(store):
    store.add(
        [status(f"old{number}", "sent") for number in range(4500)] + [MessageEvent("old", "text")], 10.0
    )
    store.add([status("new", "sent"), MessageEvent("new", "text")], 20.0)
    store.record_sent(entry("old", at=10.0))
    store.record_sent(entry("new", at=20.0))
    assert store.purge(20.0) == {"statuses": 4500, "inbox": 1, "outbox": 1, "alerts": 0}
    assert store.count() == {"statuses": 1, "inbox": 1, "outbox": 1, "alerts": 0}
    assert store.status_of(["new"]).keys() == {"new"}


def test_a_purge_forgets_alerts_whose_silence_is_long_over(store):
    for fingerprint, now, cooldown in [("old", 10.0, 1.0), ("quiet", 10.0, 50.0), ("new", 30.0, 1.0)]:
        store.alerts.claim(fingerprint, "s", now, cooldown)
    store.alerts.restore(store.alerts.claim("unsent", "s", 30.0, 1.0))
    assert store.count()["alerts"] == 4
    assert store.purge(20.0)["alerts"] == 1
    assert {row.fingerprint for row in store.alerts.recover("s")} == {"quiet", "new"}
    assert store.count()["alerts"] == 1


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
    assert store.purge(20.0)["statuses"] == 20_000
    ended = time.monotonic()
    over.set()
    writer.join()
    assert store.count()["statuses"] == len(written)
    assert len([at for at in written if began < at < ended]) >= 10


def test_writers_who_tell_the_same_in_different_orders_do_not_block_each_other(url):
    events = [status(f"m{number}", name) for number in range(40) for name in ("sent", "delivered", "read")]
    problems: list[BaseException] = []

    def write(turn: int) -> None:
        mine = Store(url, patience_seconds=20.0)
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
    store.record_sent(entry("a"))
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
    assert store.status_of(["a"])["a"].status == "delivered"
    store.close()

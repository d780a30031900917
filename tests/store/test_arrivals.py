"""Messages of people are found by who sent them and what they quote, in one query, by an index."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from airflow_provider_d360.api.events import MessageEvent, StatusEvent
from airflow_provider_d360.store import Store, StoreFaultError, StoreUnavailableError
from airflow_provider_d360.store.arrivals import ANY, Arrival, ArrivalWatch, Key, Wait

ANN, BOB, USER = "4915112345678", "4915112345679", "DE.77001"


def put(store: Store, message_id: str, at: float, **fields: str) -> None:
    store.add([MessageEvent(message_id, "text", **{"sender": ANN, **fields})], at)


def found(store: Store, *waits: tuple[str, float]) -> dict[str, list[str]]:
    arrivals = store.arrivals.find([Key(*wait) for wait in waits])
    return {key: sorted(one.message_id for one in ones) for key, ones in arrivals.items()}


def test_each_key_finds_its_messages_since_its_time(store):
    put(store, "a", 10.0)
    put(store, "b", 20.0, reply_to="ours")
    put(store, "c", 30.0, sender=BOB)
    store.add([MessageEvent("d", "text", None, USER)], 40.0)
    assert found(store, (ANN, 0.0), (BOB, 0.0), (USER, 0.0), ("ours", 0.0), ("nobody", 0.0)) == {
        ANN: ["a", "b"],
        BOB: ["c"],
        USER: ["d"],
        "ours": ["b"],
    }
    assert found(store, (ANN, 15.0), (BOB, 31.0)) == {ANN: ["b"]}
    assert found(store) == {}


def test_one_key_may_be_waited_for_since_two_times(store):
    put(store, "a", 10.0)
    put(store, "b", 20.0)
    assert found(store, (ANN, 0.0), (ANN, 15.0)) == {ANN: ["a", "b"]}


@pytest.mark.parametrize("key", ["'; DROP TABLE d360_inbox; --", '"', "\\", "\u00e9\U0001f600", "$[0]", ""])
def test_any_text_may_be_a_key(store, key):
    put(store, "a", 10.0, sender=key)
    assert found(store, (key, 0.0)) == ({key: ["a"]} if key else {"": ["a"]})


def test_the_newest_message_and_the_moves_of_cursors_are_found(store):
    assert store.arrivals.signs() == {}
    put(store, "a", 20.0)
    put(store, "b", 10.0)
    assert store.arrivals.signs() == {ANY: [Arrival("a", 20.0)]}
    store.cursors.ensure("orders", 5.0)
    assert store.arrivals.signs() == {ANY: [Arrival("a", 20.0)], "orders": [Arrival("5.0", 5.0)]}
    store.cursors.acknowledge("orders", {"a": 20.0}, 6.0)
    assert store.arrivals.signs()["orders"] == [Arrival("6.0", 6.0)]


def test_the_failure_of_a_message_is_found_by_who_asks_for_it(store):
    failed = StatusEvent(message_id="ours", status="failed", recipient_id=ANN)
    store.add([failed, StatusEvent(message_id="other", status="delivered", recipient_id=ANN)], 20.0)
    keys = [Key("ours", 0.0, True), Key("other", 0.0, True), Key("ours", 30.0, True)]
    assert store.arrivals.find(keys) == {"ours": [Arrival("ours", 20.0, True)]}
    assert store.arrivals.find([Key("ours", 0.0)]) == {}


def test_a_wait_for_replies_does_not_see_a_failure_that_another_one_waits_for():
    assert Wait(("ours",)).take([Arrival("ours", 20.0, True)]) == []
    assert Wait(("ours",), with_failures=True).take([Arrival("ours", 20.0, True)]) != []


def test_a_thousand_keys_are_one_statement(store):
    statements: list[str] = []
    store.check_writable()
    engine = store._database._open()
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    put(store, "a", 10.0)
    statements.clear()
    store.arrivals.find([Key(f"{number}", 0.0, True) for number in range(1000)])
    assert len([one for one in statements if "SELECT" in one]) == 1


def test_sqlite_finds_them_by_the_indexes(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/store.sqlite")) as store:
        store.arrivals.find([Key(ANN, 0.0)])
        statements: list[str] = []
        event.listen(
            store._database._open(), "before_cursor_execute", lambda *args: statements.append(args[2])
        )
        store.arrivals.find([Key(ANN, 0.0)])
    query = next(one for one in statements if "WITH waits" in one)
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection:
        rows = connection.execute("EXPLAIN QUERY PLAN " + query, ("[]",) * query.count("?"))
        plan = " ".join(row[3] for row in rows)
    for name in ("d360_inbox_reply_to", "d360_inbox_sender", "d360_inbox_sender_user_id"):
        assert f"USING INDEX {name} " in plan or f"USING COVERING INDEX {name} " in plan
    assert "SEARCH s USING INDEX sqlite_autoindex_d360_message_statuses_1 (message_id=? AND status=?)" in plan
    assert "SCAN i" not in plan


# What a wait has seen


def arrival(message_id: str, at: float) -> Arrival:
    return Arrival(message_id, at)


def test_what_was_seen_is_not_new_and_what_is_committed_late_is():
    wait = Wait(("k",), 0.0)
    assert [one.message_id for one in wait.take([arrival("b", 2000.0), arrival("a", 1999.0)])] == ["a", "b"]
    assert wait.take([arrival("b", 2000.0)]) == []
    assert [one.message_id for one in wait.take([arrival("late", 1800.0)])] == ["late"]
    assert wait.since == 1700.0
    wait.take([arrival("c", 9000.0)])
    assert (wait.since, list(wait._seen)) == (8700.0, ["c"])


async def test_a_store_that_is_away_is_waited_for(caplog):
    results = iter([StoreUnavailableError("away"), {}, {"k": [arrival("a", 1.0)]}])

    def find(waits):
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    watch = ArrivalWatch(find, 0.01)
    assert await asyncio.wait_for(watch.next(Wait(("k",))), 10) == [arrival("a", 1.0)]
    assert "trying again" in caplog.text


async def test_a_query_that_cannot_work_is_an_error_for_all_who_wait():
    def find(waits):
        raise StoreFaultError("broken")

    watch = ArrivalWatch(find, 0.01)
    results = await asyncio.gather(*(watch.next(Wait((key,))) for key in "ab"), return_exceptions=True)
    assert [type(result) for result in results] == [StoreFaultError, StoreFaultError]


async def test_the_time_is_over_when_a_query_after_it_found_nothing():
    watch = ArrivalWatch(lambda waits: {}, 0.01)
    assert await asyncio.wait_for(watch.next(Wait(("k",)), time.time() + 0.05), 10) == []


async def test_who_is_cancelled_leaves_the_others_waiting():
    arrivals: dict[str, list[Arrival]] = {}
    watch = ArrivalWatch(lambda waits: arrivals, 0.01)
    one, other = (asyncio.ensure_future(watch.next(Wait((key,)))) for key in "ab")
    await asyncio.sleep(0)
    one.cancel()
    arrivals["b"] = [arrival("x", 1.0)]
    assert await asyncio.wait_for(other, 10) == [arrival("x", 1.0)]
    assert len(watch._waiters) == 0

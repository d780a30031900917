"""Group commit: who shares a transaction, who is turned away, and who is told what."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_d360.api.events import Event, StatusEvent
from airflow_provider_d360.receiver.app import create_app
from airflow_provider_d360.receiver.commits import GroupCommit
from airflow_provider_d360.store import Store, StoreUnavailableError
from tests.receiver.doors import LOGIN, post, served, statuses, wait_until


class _SlowStore(Store):
    """A store that writes when it is allowed to, tells when it wants to, and counts how often it does."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked, self.allowed, self.transactions = threading.Event(), threading.Event(), 0

    def add(self, events: list[Event], received_at: float, words: object = None) -> None:  # type: ignore[override]
        self.asked.set()
        assert self.allowed.wait(120)
        self.transactions += 1
        super().add(events, received_at)


def test_deliveries_that_arrive_together_share_a_transaction(tmp_path):
    store = _SlowStore(f"sqlite:///{tmp_path}/store.sqlite")
    bodies = [json.dumps(statuses((f"m{number}", "sent"))).encode() for number in range(30)]
    app = create_app(store, [LOGIN])
    commits = app.routes[0].endpoint._commits  # type: ignore[attr-defined]
    with served(app) as port, ThreadPoolExecutor(30) as senders:
        answers = [senders.submit(post, port, body) for body in bodies]
        wait_until(lambda: commits._held_bytes == sum(map(len, bodies)))
        store.allowed.set()
        assert [answer.result() for answer in answers] == [200] * 30
    assert store.count()["statuses"] == 30
    assert store.transactions < 15
    store.close()


def test_more_than_can_wait_is_refused_and_nothing_of_the_rest_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr("airflow_provider_d360.receiver.commits._MOST_HELD_BYTES", 1000)
    store = _SlowStore(f"sqlite:///{tmp_path}/store.sqlite")
    with served(create_app(store, [LOGIN])) as port, ThreadPoolExecutor(30) as senders:
        answers = [senders.submit(post, port, statuses((f"m{number}", "sent"))) for number in range(30)]
        wait_until(lambda: any(answer.done() for answer in answers))
        store.allowed.set()
        got = [answer.result() for answer in answers]
    assert set(got) == {200, 503}
    assert store.count()["statuses"] == got.count(200)
    store.close()


async def test_a_failure_of_any_kind_reaches_whoever_waits_without_its_text(caplog):
    class Broken:
        def add(self, events: object, received_at: float, words: object = None) -> None:
            raise RuntimeError("4915112345678")

    commits = GroupCommit(Broken())
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="RuntimeError"):
            await commits.add([StatusEvent("a", "sent")], 1)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["1 deliveries were not stored; 360dialog sends them again: RuntimeError"], (
        "once a minute"
    )
    assert "4915112345678" not in caplog.text


async def test_whoever_no_longer_waits_does_not_keep_others_from_their_answer(tmp_path):
    store = _SlowStore(f"sqlite:///{tmp_path}/store.sqlite")
    commits = GroupCommit(store)
    gone, stays = (asyncio.create_task(commits.add([StatusEvent(name, "sent")], 1)) for name in ("a", "b"))
    await asyncio.sleep(0)
    gone.cancel()
    store.allowed.set()
    await stays
    assert store.statuses.current("ab").keys() == {"a", "b"}
    store.close()


async def test_after_a_cancelled_flush_nobody_waits_for_ever_and_the_next_delivery_is_stored(tmp_path):
    store = _SlowStore(f"sqlite:///{tmp_path}/store.sqlite")
    commits = GroupCommit(store)
    writing = asyncio.create_task(commits.add([StatusEvent("a", "sent")], 1))
    assert await asyncio.to_thread(store.asked.wait, 20)
    waiting = asyncio.create_task(commits.add([StatusEvent("b", "sent")], 1))
    await asyncio.sleep(0)
    assert commits._flushing is not None
    commits._flushing.cancel()
    results = await asyncio.wait_for(asyncio.gather(writing, waiting, return_exceptions=True), 5)
    assert [type(result) for result in results] == [StoreUnavailableError] * 2
    store.allowed.set()
    await asyncio.wait_for(commits.add([StatusEvent("c", "sent")], 1), 5)
    assert commits._held_bytes == 0
    assert "c" in store.statuses.current("c")
    store.close()


async def test_a_flush_that_is_cancelled_before_it_begins_strands_nobody(tmp_path):
    store = _SlowStore(f"sqlite:///{tmp_path}/store.sqlite")
    store.allowed.set()
    commits = GroupCommit(store)
    first = asyncio.create_task(commits.add([StatusEvent("a", "sent")], 1))
    await asyncio.sleep(0)
    assert commits._flushing is not None
    commits._flushing.cancel()
    second = asyncio.create_task(commits.add([StatusEvent("b", "sent")], 1))
    results = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 5)
    assert {type(result) for result in results} <= {StoreUnavailableError, type(None)}
    await asyncio.wait_for(commits.add([StatusEvent("c", "sent")], 1), 5)
    store.close()


async def test_a_delivery_over_all_limits_is_taken_when_nothing_else_waits(tmp_path):
    store = _SlowStore(f"sqlite:///{tmp_path}/store.sqlite")
    commits = GroupCommit(store)
    alone = asyncio.create_task(commits.add([StatusEvent("alone", "sent")], 100_000_000))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailableError, match="keep up"):
        await commits.add([StatusEvent("second", "sent")], 1)
    store.allowed.set()
    await alone
    await commits.add([StatusEvent("second", "sent")], 100_000_000)
    assert store.statuses.current(["alone", "second"]).keys() == {"alone", "second"}
    store.close()


async def test_what_is_being_written_counts_as_much_as_what_waits(tmp_path):
    store = _SlowStore(f"sqlite:///{tmp_path}/store.sqlite")
    commits = GroupCommit(store)
    writing = asyncio.create_task(commits.add([StatusEvent("a", "sent")], 9_000_000))
    assert await asyncio.to_thread(store.asked.wait, 20)
    waiting = asyncio.create_task(commits.add([StatusEvent("b", "sent")], 6_000_000))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailableError, match="keep up"):
        await commits.add([StatusEvent("c", "sent")], 6_000_000)
    store.allowed.set()
    await asyncio.gather(writing, waiting)
    store.close()

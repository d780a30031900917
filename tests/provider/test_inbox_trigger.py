"""The doorbell for asset watchers: it rings for what a cursor has not read, and never breaks."""

import asyncio
import contextlib
import json
import time

import pytest
from airflow.sdk import Asset, AssetWatcher

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store import StoreFaultError
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.triggers import inbox
from airflow_provider_d360.triggers.inbox import D360InboxTrigger
from airflow_provider_d360.triggers.queues import D360MessageQueueProvider
from tests.provider.inboxes import ANN, EVE, arrive


@pytest.fixture
def store(store_path, monkeypatch):
    monkeypatch.setattr(inbox, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(inbox, "_FIRST_BACK_OFF_SECONDS", 0.01)
    store = configured_store()
    yield store
    store.close()


def trigger(**arguments):
    return D360InboxTrigger(**{"cursor": "orders", **arguments})


@contextlib.asynccontextmanager
async def ringing(*triggers):
    """Run triggers from their serialized form; yield the list that their events come into."""
    events = []

    async def collect(one):
        path, arguments = one.serialize()
        assert path == "airflow_provider_d360.triggers.inbox.D360InboxTrigger"
        async for event in D360InboxTrigger(**json.loads(json.dumps(arguments))).run():
            events.append(event.payload)

    tasks = [asyncio.ensure_future(collect(one)) for one in triggers]
    try:
        yield events
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition):
    async with asyncio.timeout(10) if hasattr(asyncio, "timeout") else contextlib.nullcontext():
        while not condition():  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.01)


def drain(store):
    """Read everything, as the DAG would."""
    received = {one.message_id: one.received_at for one in store.inbox.unread("orders")}
    store.cursors.acknowledge("orders", received, time.time())


async def test_what_was_there_before_rings_and_what_comes_later_rings_again(store):
    first = arrive(store, "one")
    async with ringing(trigger()) as events:
        await until(lambda: len(events) == 1)
        second = arrive(store, "two")
        await until(lambda: len(events) == 2)
    assert events == [{"cursor": "orders", "message": short_id(one)} for one in (first, second)]


async def test_what_was_read_does_not_ring(store):
    arrive(store, "one")
    store.cursors.ensure("orders", time.time())
    drain(store)
    async with ringing(trigger()) as events:
        await until(lambda: asyncio.get_running_loop() in inbox._bells)
        arrive(store, "two")
        await until(lambda: events)
    assert len(events) == 1


async def test_it_rings_again_while_nobody_reads(store):
    arrive(store, "one")
    async with ringing(trigger(repeat_seconds=0)) as events:
        await until(lambda: len(events) >= 3)
    assert len({json.dumps(event) for event in events}) == 1


async def test_it_rings_at_once_when_a_run_has_read_a_part(store):
    ids = [arrive(store, str(number)) for number in range(3)]
    async with ringing(trigger(repeat_seconds=600)) as events:
        await until(lambda: len(events) == 1)
        first, second, third = store.inbox.unread("orders")
        store.cursors.acknowledge("orders", {first.message_id: first.received_at}, time.time())
        await until(lambda: len(events) == 2)
        store.cursors.acknowledge("orders", {second.message_id: second.received_at}, time.time())
        await until(lambda: len(events) == 3)
        store.cursors.acknowledge("orders", {third.message_id: third.received_at}, time.time())
        await asyncio.sleep(0.1)
    assert events == 3 * [{"cursor": "orders", "message": short_id(ids[-1])}]


@pytest.mark.parametrize(
    "wanted",
    [
        {"keywords": ["deploy"]},
        {"pattern": "^deploy"},
        {"kinds": ["text"], "keywords": ["Deploy"]},
        {"numbers": ["4930123456700"], "keywords": ["deploy"]},
    ],
)
async def test_only_what_is_wanted_rings(store, wanted):
    arrive(store, "hello")
    async with ringing(trigger(**wanted)) as events:
        await until(lambda: asyncio.get_running_loop() in inbox._bells)
        arrive(store, "and another", sender=EVE)
        message_id = arrive(store, "deploy 2.0")
        await until(lambda: events)
    assert events == [{"cursor": "orders", "message": short_id(message_id)}]


async def test_what_is_not_wanted_rings_after_a_day_so_that_the_cursor_can_move(store):
    store.cursors.ensure("orders", time.time() - 3 * 86_400)
    arrive(store, "hello", received_at=time.time() - 2 * 86_400)
    async with ringing(trigger(keywords=["deploy"])) as events:
        await until(lambda: events)
    assert events == [{"cursor": "orders", "message": None}]


async def test_events_hold_neither_number_nor_text_nor_the_whole_id(store):
    message_id = arrive(store, "a secret")
    async with ringing(trigger()) as events:
        await until(lambda: events)
    assert [one for one in ("secret", ANN, message_id) if one in json.dumps(events)] == []


async def test_nothing_that_goes_wrong_ends_it(store, monkeypatch, caplog):
    failures = iter([StoreFaultError("broken"), RuntimeError("a bug"), OSError("the disk")])
    look = inbox._look

    def failing(*arguments):
        for failure in failures:
            raise failure
        return look(*arguments)

    monkeypatch.setattr(inbox, "_look", failing)
    arrive(store, "one")
    async with ringing(trigger()) as events:
        await until(lambda: events)
    assert caplog.text.count("The inbox cannot be read for the cursor 'orders'") == 3


async def test_many_watchers_cost_one_query(store, monkeypatch):
    asked = []
    signs = store.arrivals.__class__.signs

    def counting(self):
        asked.append(time.monotonic())
        return signs(self)

    monkeypatch.setattr(inbox, "_POLL_SECONDS", 0.5)
    monkeypatch.setattr(store.arrivals.__class__, "signs", counting)
    async with ringing(*(trigger(cursor=f"c{number}") for number in range(25))) as events:
        await until(lambda: asked)
        arrive(store, "one")
        await until(lambda: len({event["cursor"] for event in events}) == 25)
    assert len(asked) < 25


def test_an_asset_may_be_watched_with_it():
    asset = Asset("whatsapp", watchers=[AssetWatcher(name="whatsapp", trigger=trigger())])
    assert asset.watchers[0].trigger.serialize()[1]["cursor"] == "orders"


@pytest.mark.parametrize("arguments", [{"cursor": ""}, {"pattern": "("}])
def test_a_wrong_argument_breaks_the_dag_file(arguments):
    with pytest.raises(ValueError, match=r"cursor|pattern"):
        trigger(**arguments)


# common.messaging


@pytest.mark.parametrize(
    ("queue", "arguments"),
    [
        ("d360://orders", {"cursor": "orders"}),
        ("whatsapp://my%20orders?keywords=deploy,status&kinds=text", {
            "cursor": "my orders", "keywords": ["deploy", "status"], "kinds": ["text"]}),
        ("d360://orders?pattern=%5Ea&repeat_seconds=60", {
            "cursor": "orders", "pattern": "^a", "repeat_seconds": 60.0}),
    ],
)  # fmt: skip
def test_a_queue_is_an_inbox_by_its_address(queue, arguments):
    provider = D360MessageQueueProvider()
    assert provider.queue_matches(queue)
    assert provider.trigger_kwargs(queue) == arguments
    one = provider.trigger_class()(**provider.trigger_kwargs(queue))
    assert one.serialize()[1].items() >= arguments.items()


def test_other_queues_are_not_ours():
    provider = D360MessageQueueProvider()
    assert not provider.queue_matches("kafka://localhost/topic")
    assert (provider.scheme_matches("d360"), provider.scheme_matches("sqs")) == (True, False)
    assert provider.trigger_kwargs() == {}
    assert provider.trigger_kwargs("d360://orders", cursor="mine") == {}


@pytest.mark.parametrize("queue", ["d360://", "d360:orders", "d360://orders?sender=1"])
def test_an_address_that_names_no_cursor_is_an_error(queue):
    with pytest.raises(ValueError, match="d360://cursor"):
        D360MessageQueueProvider().trigger_kwargs(queue)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
def test_a_time_that_is_none_is_refused(seconds):
    with pytest.raises(ValueError, match="repeat_seconds"):
        D360InboxTrigger(cursor="orders", repeat_seconds=seconds)

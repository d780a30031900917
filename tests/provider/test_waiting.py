"""Accepted is not delivered: operator, sensor and trigger wait for statuses in a real store."""

import asyncio
import math
import threading
import time
import types
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import pytest
from airflow.exceptions import AirflowRescheduleException, TaskDeferred

from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.compat import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.sensors.messages import D360MessageStatusSensor
from airflow_provider_d360.store import StoreUnavailableError
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.store.watch import StatusWatch
from airflow_provider_d360.triggers import messages as triggers
from airflow_provider_d360.triggers.messages import D360MessageStatusTrigger

TO = "4915112345689"


@pytest.fixture
def store(store_path):
    store = configured_store()
    yield store
    store.close()


def tell(store, message_id, status, intent=None, **more):
    """Let a status arrive, as the receiver would store it."""
    body = {"id": message_id, "status": status, "timestamp": "1700000000", "recipient_id": TO, **more}
    value = {"statuses": [{**body, "biz_opaque_callback_data": intent}]}
    store.add(read_events({"entry": [{"changes": [{"field": "messages", "value": value}]}]}), time.time())


FAILURE = {
    "errors": [{"code": 131026, "title": "Message undeliverable", "error_data": {"details": "Not there"}}]
}


def context(**fields):
    place = {
        "dag_id": "dag",
        "run_id": "run",
        "task_id": "send",
        "map_index": -1,
        "max_tries": 0,
        "try_number": 1,
    }
    return {"ti": types.SimpleNamespace(**{**place, **fields})}


def event_of(trigger, within=5.0):
    """Run a trigger to its event, as the triggerer does, from its serialized form."""
    path, arguments = trigger.serialize()
    assert path == "airflow_provider_d360.triggers.messages.D360MessageStatusTrigger"

    async def first():
        return (await anext(D360MessageStatusTrigger(**arguments).run())).payload

    async def bounded():
        return await asyncio.wait_for(first(), within)

    return asyncio.run(bounded())


def defer(operator, ctx=None):
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(ctx or context())
    return caught.value


def send(**arguments):
    return D360SendMessageOperator(task_id="send", to=TO, message="Hello", **arguments)


def test_a_send_that_waits_sends_in_the_worker_and_resumes_when_the_message_has_arrived(d360_emulator, store):
    deferred = defer(send(wait_for="delivered"))
    (sent,) = d360_emulator.sent
    tell(store, sent.message_id, "sent")
    tell(store, sent.message_id, "delivered")
    event = event_of(deferred.trigger)
    resumed = getattr(send(wait_for="delivered"), deferred.method_name)(context(), event, **deferred.kwargs)
    assert resumed == sent.message_id


@pytest.mark.parametrize("later", ["delivered", "read", "played"])
def test_a_later_status_counts_and_so_does_one_that_came_before_the_waiting(store, later):
    tell(store, "wamid.1", later)
    trigger = D360MessageStatusTrigger(message_id="wamid.1", status="sent", until=time.time() + 60)
    assert event_of(trigger)["state"] == "reached"


def test_a_message_that_fails_later_fails_the_task_as_a_refusal_at_sending_would(d360_emulator, store):
    deferred = defer(send(wait_for="read"))
    message_id = d360_emulator.sent[0].message_id
    tell(store, message_id, "sent")
    tell(store, message_id, "failed", **FAILURE)
    event = event_of(deferred.trigger)
    with pytest.raises(AirflowFailException, match=r"D360RecipientError: .*131026 .*not on WhatsApp"):
        send(wait_for="read").resume_after_wait(context(), event, **deferred.kwargs)


@pytest.mark.parametrize(
    ("policy", "end"), [("fail", AirflowFailException), ("skip", AirflowSkipException), ("accept", None)]
)
@pytest.mark.parametrize("wait_timeout", [timedelta(0), 0])
def test_when_the_time_is_over_the_policy_decides(
    d360_emulator, store, monkeypatch, policy, end, wait_timeout
):
    monkeypatch.setattr(triggers, "_POLL_SECONDS", 0.05)
    operator = send(wait_for="read", wait_timeout=wait_timeout, on_timeout=policy)
    deferred = defer(operator)
    event = event_of(deferred.trigger)
    if end is None:
        assert (
            operator.resume_after_wait(context(), event, **deferred.kwargs)
            == d360_emulator.sent[0].message_id
        )
    else:
        with pytest.raises(end, match="accepted, but is not read in time"):
            operator.resume_after_wait(context(), event, **deferred.kwargs)


@pytest.mark.parametrize("wait_timeout", ["600", None, -1, [5], float("nan"), float("inf"), timedelta(-1)])
def test_a_time_to_wait_that_is_none_breaks_the_dag_file_and_sends_nothing(d360_emulator, wait_timeout):
    with pytest.raises(
        ValueError, match=r"wait_timeout is .*; it can be a timedelta, or a number of seconds"
    ):
        send(wait_for="read", wait_timeout=wait_timeout)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("STORE_CONN_ID", "d360_stroe", "d360_stroe"),
        ("STORE_PATH", "/no/such/place/s.sqlite", "not available"),
    ],
)
def test_nothing_is_sent_that_nobody_could_wait_for(d360_emulator, monkeypatch, option, value, said):
    monkeypatch.setenv(f"AIRFLOW__D360__{option}", value)
    with pytest.raises(Exception, match=said):
        send(wait_for="read").execute(context())
    assert d360_emulator.sent == []


def test_a_trigger_that_breaks_never_makes_the_task_send_again(d360_emulator):
    operator = send(wait_for="read", retries=2)
    failed = {"error": "Trigger failure", "traceback": ["AirflowNotFoundException: d360_stroe"]}
    with pytest.raises(
        AirflowFailException, match="The message was accepted, but waiting for its status failed"
    ):
        operator.resume_execution("__fail__", failed, context())


def test_a_thousand_who_wait_look_the_stores_connection_up_once(store, monkeypatch):
    lookups = []

    async def look_up(conn_id):
        lookups.append(conn_id)
        await asyncio.sleep(0.05)
        path = store.url.database
        return types.SimpleNamespace(conn_id=conn_id, conn_type="sqlite", host=path)

    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "d360_store")
    monkeypatch.setattr(triggers, "get_connection_async", look_up)
    tell(store, "wamid.1", "delivered")

    async def all_of_them():
        trigger = D360MessageStatusTrigger(message_id="wamid.1", status="delivered", until=time.time() + 60)
        return await asyncio.gather(*(anext(trigger.run()) for _ in range(1000)))

    assert {event.payload["state"] for event in asyncio.run(all_of_them())} == {"reached"}
    assert lookups == ["d360_store"]


class LookUps:
    """Look-ups of the store's connection, the first of which fail, as when the API server restarts."""

    def __init__(self, store, monkeypatch, fails=0.0):
        self.store, self.fails, self.times, self.go_on = store, fails, [], None
        monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "d360_store")
        monkeypatch.setattr(triggers, "get_connection_async", self)
        monkeypatch.setattr(triggers, "_FIRST_BACK_OFF_SECONDS", 0.02)
        monkeypatch.setattr(triggers, "_POLL_SECONDS", 0.02)

    async def __call__(self, conn_id):
        self.times.append(time.monotonic())
        if self.go_on:
            await self.go_on.wait()
        await asyncio.sleep(0)
        if len(self.times) <= self.fails:
            raise OSError("a canary of a secrets backend")
        return types.SimpleNamespace(conn_id=conn_id, conn_type="sqlite", host=self.store.url.database)


async def first_event(trigger):
    return await anext(trigger.run())


def test_a_failed_look_up_fails_no_waiting_task_and_is_repeated_for_all_with_back_off(
    store, monkeypatch, caplog
):
    look_ups = LookUps(store, monkeypatch, fails=3)
    tell(store, "wamid.1", "delivered")

    async def all_of_them():
        trigger = D360MessageStatusTrigger(message_id="wamid.1", status="delivered", until=time.time() + 60)
        return await asyncio.gather(*(anext(trigger.run()) for _ in range(100)))

    assert {event.payload["state"] for event in asyncio.run(all_of_them())} == {"reached"}
    assert len(look_ups.times) == 4
    waits = [later - earlier for earlier, later in zip(look_ups.times, look_ups.times[1:], strict=False)]
    assert waits[0] >= 0.02
    assert waits[2] >= 0.08
    assert caplog.text.count("The store's connection cannot be looked up (OSError), trying again") == 3
    assert "canary" not in caplog.text


def test_a_look_up_that_never_succeeds_ends_each_waiting_in_its_own_time(store, monkeypatch):
    LookUps(store, monkeypatch, fails=math.inf)
    monkeypatch.setattr(triggers, "_STORE_AWAY_SECONDS", 0.1)
    assert event_of(late())["state"] == "timeout"


def test_a_trigger_that_is_cancelled_does_not_cancel_the_look_up_of_the_others(store, monkeypatch):
    look_ups = LookUps(store, monkeypatch)
    tell(store, "wamid.1", "delivered")

    async def one_leaves():
        look_ups.go_on = asyncio.Event()
        trigger = D360MessageStatusTrigger(message_id="wamid.1", status="delivered", until=time.time() + 60)
        leaves, stays = (asyncio.create_task(first_event(trigger)) for _ in range(2))
        await asyncio.sleep(0.05)
        leaves.cancel()
        await asyncio.wait([leaves])
        look_ups.go_on.set()
        return await asyncio.wait_for(stays, 60)

    assert asyncio.run(one_leaves()).payload["state"] == "reached"
    assert len(look_ups.times) == 1


def test_a_look_up_that_was_cancelled_is_begun_again_by_the_next_trigger(store, monkeypatch):
    look_ups = LookUps(store, monkeypatch)
    tell(store, "wamid.1", "delivered")
    trigger = D360MessageStatusTrigger(message_id="wamid.1", status="delivered", until=time.time() + 60)

    async def twice():
        look_ups.go_on = asyncio.Event()
        first = asyncio.create_task(first_event(trigger))
        await asyncio.sleep(0.05)
        triggers._watches[asyncio.get_running_loop()].cancel()
        await asyncio.wait([first])
        look_ups.go_on.set()
        return await asyncio.wait_for(anext(trigger.run()), 60)

    assert asyncio.run(twice()).payload["state"] == "reached"


EVENT = {"state": "reached", "status": "read"}


def test_an_event_of_another_version_is_understood_in_both_directions(store):
    assert (
        send(wait_for="read").resume_after_wait(context(), {**EVENT, "added_later": 1}, "wamid.1")
        == "wamid.1"
    )
    assert sensor().execute_complete(context(), {**EVENT, "added_later": 1}) == "read"
    assert sensor().execute_complete(context(), {"state": "reached"}) == "accepted"


@pytest.mark.parametrize("event", [None, {}, "reached", {**EVENT, "state": "expired"}, {"status": "read"}])
def test_an_event_that_says_nothing_is_never_taken_for_success(store, event):
    with pytest.raises(AirflowFailException, match="need the same version"):
        sensor().execute_complete(context(), event)
    with pytest.raises(AirflowFailException, match="need the same version"):
        send(wait_for="read").resume_after_wait(context(), event, "wamid.1")


def test_an_event_loop_that_has_ended_keeps_no_connection(store, monkeypatch):
    closed = []
    monkeypatch.setattr(StatusWatch, "close", lambda watch: closed.append(watch))
    tell(store, "wamid.1", "delivered")
    for _ in range(3):
        event_of(D360MessageStatusTrigger(message_id="wamid.1", status="delivered", until=time.time() + 60))
    assert len(closed) >= 2
    assert len(triggers._watches) == 1


def test_a_thousand_who_wait_share_one_query_an_interval(store):
    queries = []

    class Counting:
        statuses = property(lambda self: self)

        def current(self, message_ids):
            queries.append(len(message_ids))
            return store.statuses.current(message_ids)

    async def all_of_them():
        watch = StatusWatch(Counting(), 0.05)
        waits = [asyncio.create_task(watch.wait(f"wamid.{n}", "delivered")) for n in range(1000)]
        await asyncio.sleep(0.12)
        for n in range(1000):
            tell(store, f"wamid.{n}", "delivered")
        return await asyncio.gather(*waits)

    assert {status.status for status in asyncio.run(all_of_them())} == {"delivered"}
    assert queries[0] == 1000
    assert len(queries) < 200


def test_a_status_that_does_not_exist_fails_the_one_who_waits_for_it_and_nobody_else(store):
    async def both():
        watch = StatusWatch(store, 0.01)
        other = asyncio.create_task(watch.wait("wamid.1", "delivered"))
        with pytest.raises(ValueError, match="status is 'answered'"):
            await watch.wait("wamid.1", "answered")
        tell(store, "wamid.1", "delivered")
        return await asyncio.wait_for(other, 60)

    assert asyncio.run(both()).status == "delivered"


class Troubled:
    """
    A store that is slow, or away when it is asked the first times; the trigger's own.

    :param fails: How often it is away.
    :param takes: How long an answer takes, in seconds.
    """

    def __init__(self, store, monkeypatch, fails=0.0, takes=0.0):
        self.store, self.fails, self.takes, self.asked = store, fails, takes, []
        monkeypatch.setattr(triggers, "configured_store", lambda _: self)
        monkeypatch.setattr(triggers, "_POLL_SECONDS", 0.01)

    def close(self):
        self.store.close()

    statuses = property(lambda self: self)

    def current(self, message_ids):
        self.asked.append(len(message_ids))
        time.sleep(self.takes)
        if len(self.asked) <= self.fails:
            raise StoreUnavailableError("away")
        return self.store.statuses.current(message_ids)


def late(message_id="wamid.1"):
    """Make a trigger that starts again long after its time."""
    return D360MessageStatusTrigger(message_id=message_id, status="delivered", until=time.time() - 3600)


def test_a_trigger_that_starts_after_its_time_asks_a_slow_store_before_it_gives_up(store, monkeypatch):
    Troubled(store, monkeypatch, takes=0.3)
    assert event_of(late())["state"] == "timeout"
    tell(store, "wamid.1", "read")
    assert event_of(late())["state"] == "reached"


def test_the_time_is_over_only_when_the_store_was_asked_after_it(store):
    until, answers = time.time() + 0.2, []

    class Slow:
        statuses = property(lambda self: self)

        def current(self, message_ids):
            answers.append(store.statuses.current(message_ids))
            if len(answers) == 1:  # the status comes while this answer, which does not know it, is on its way
                tell(store, "wamid.1", "read")
                time.sleep(max(0.0, until - time.time()) + 0.01)
            return answers[-1]

    found = asyncio.run(StatusWatch(Slow(), 0.01).wait("wamid.1", "delivered", until))
    assert found
    assert found.status == "read"


def test_a_store_that_is_away_when_the_time_is_over_is_asked_until_it_answers(store, monkeypatch):
    tell(store, "wamid.1", "failed", **FAILURE)
    troubled = Troubled(store, monkeypatch, fails=3)
    assert event_of(late())["error_code"] == 131026
    assert len(troubled.asked) == 4


def test_a_store_that_stays_away_ends_the_waiting_as_well(store, monkeypatch):
    troubled = Troubled(store, monkeypatch, fails=math.inf)
    monkeypatch.setattr(triggers, "_STORE_AWAY_SECONDS", 0.1)
    assert event_of(late())["state"] == "timeout"
    assert len(troubled.asked) > 1


def test_a_thousand_who_start_after_their_time_share_one_query_too(store, monkeypatch):
    troubled = Troubled(store, monkeypatch)
    tell(store, "wamid.7", "delivered")

    async def all_of_them():
        waits = [anext(late(f"wamid.{n}").run()) for n in range(1000)]
        return await asyncio.gather(*waits)

    states = [event.payload["state"] for event in asyncio.run(all_of_them())]
    assert (states[7], states.count("timeout")) == ("reached", 999)
    assert troubled.asked == [1000]


def test_who_is_cancelled_while_the_store_is_asked_leaves_the_others_alone(store, monkeypatch):
    asked, go_on = threading.Event(), threading.Event()

    class Slow:
        statuses = property(lambda self: self)

        def current(self, message_ids):
            asked.set()
            assert go_on.wait(5)
            return store.statuses.current(message_ids)

    async def one_of_three():
        watch = StatusWatch(Slow(), 0.01)
        names = ("wamid.1", "wamid.1", "wamid.2")
        leaves, *stay = (asyncio.create_task(watch.wait(name, "read")) for name in names)
        assert await asyncio.to_thread(asked.wait, 5)
        leaves.cancel()
        await asyncio.wait([leaves])
        go_on.set()
        found = await asyncio.wait_for(asyncio.gather(*stay), 60)
        return leaves.cancelled(), found, watch._waiting

    tell(store, "wamid.1", "read")
    tell(store, "wamid.2", "read")
    cancelled, found, left = asyncio.run(one_of_three())
    assert (cancelled, [status.status for status in found], left) == (True, ["read", "read"], {})


def test_a_store_that_is_away_for_a_while_is_waited_for(store):
    class Flaky:
        fails = 2

        statuses = property(lambda self: self)

        def current(self, message_ids):
            if self.fails:
                self.fails -= 1
                raise StoreUnavailableError("away")
            return store.statuses.current(message_ids)

    tell(store, "wamid.1", "read")
    watch = StatusWatch(Flaky(), 0.01)
    found = asyncio.run(watch.wait("wamid.1", "read"))
    assert found
    assert found.status == "read"


def test_who_gives_up_waiting_is_forgotten(store):
    async def give_up():
        watch = StatusWatch(store, 0.01)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(watch.wait("wamid.1", "read"), 0.05)
        return watch._waiting

    assert asyncio.run(give_up()) == {}


def test_two_waits_for_one_message_both_end(store):
    async def both():
        watch = StatusWatch(store, 0.01)
        waits = asyncio.gather(watch.wait("wamid.1", "sent"), watch.wait("wamid.1", "read"))
        tell(store, "wamid.1", "read")
        return await waits

    assert [status.status for status in asyncio.run(both())] == ["read", "read"]


def sensor(**arguments):
    return D360MessageStatusSensor(task_id="wait", message_id="wamid.1", **arguments)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_the_sensor_pokes_until_the_message_has_arrived(store, mode):
    waiting = sensor(mode=mode)
    assert waiting.poke(context()) is False
    tell(store, "wamid.1", "sent")
    assert waiting.poke(context()) is False
    tell(store, "wamid.1", "delivered")
    found = waiting.poke(context())
    assert (found.is_done, found.xcom_value) == (True, "delivered")


def test_the_sensor_fails_at_once_when_the_message_failed(store):
    tell(store, "wamid.1", "failed", **FAILURE)
    with pytest.raises(AirflowFailException, match="131026"):
        sensor().poke(context())


def test_the_sensor_can_wait_in_the_triggerer(store, monkeypatch):
    tell(store, "wamid.1", "read")
    deferred = defer(sensor(deferrable=True))
    assert sensor().execute_complete(context(), event_of(deferred.trigger)) == "read"
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert defer(sensor()).method_name == "execute_complete"


def wait_deferred(waiting, ctx):
    """Let a sensor wait in the triggerer, and go on as Airflow lets it."""
    deferred = defer(waiting, ctx)
    return waiting.resume_execution(deferred.method_name, {"event": event_of(deferred.trigger)}, ctx)


def wait_poking(waiting, ctx):
    return waiting.execute(ctx)


def wait_rescheduled(waiting, ctx):
    while True:
        try:
            return waiting.execute(ctx)
        except AirflowRescheduleException:
            continue


MODES = {
    "deferred": ({"deferrable": True}, wait_deferred),
    "poke": ({"mode": "poke", "poke_interval": 0.01}, wait_poking),
    "reschedule": ({"mode": "reschedule", "poke_interval": 0.01}, wait_rescheduled),
}


def run_sensor(mode, **arguments):
    began = datetime.now(timezone.utc)
    more, run = MODES[mode]
    return run(sensor(**more, **arguments), context(get_first_reschedule_date=lambda _: began))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_returns_the_status(store, mode):
    tell(store, "wamid.1", "read")
    assert run_sensor(mode) == "read"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("policy", "on_timeout", "on_failure"),
    [
        ({}, AirflowSensorTimeout, AirflowFailException),
        ({"soft_fail": True}, AirflowSkipException, AirflowSkipException),
        ({"never_fail": True}, AirflowSensorTimeout, AirflowSkipException),
    ],
)
def test_every_mode_ends_as_airflows_sensors_do(store, monkeypatch, mode, policy, on_timeout, on_failure):
    monkeypatch.setattr(triggers, "_POLL_SECONDS", 0.05)
    if mode == "deferred" and "never_fail" in policy:
        on_timeout = AirflowSkipException  # Airflow itself differs here
    with pytest.raises(on_timeout):
        run_sensor(mode, timeout=0.1, **policy)
    tell(store, "wamid.1", "failed", **FAILURE)
    with pytest.raises(on_failure) as caught:
        run_sensor(mode, **policy)
    assert "131026" in str(caught.value.__cause__ if policy else caught.value)


def test_a_deferred_sensor_says_what_it_waited_for(store, monkeypatch):
    monkeypatch.setattr(triggers, "_POLL_SECONDS", 0.05)
    with pytest.raises(AirflowSensorTimeout, match=f"{short_id('wamid.1')} is not delivered after 1 s"):
        wait_deferred(sensor(deferrable=True, timeout=0.6), context())


@pytest.mark.parametrize("nothing", [None, "", " ", "None", "nan", float("nan")])
@pytest.mark.parametrize("mode", MODES)
def test_a_sensor_without_an_id_does_not_wait_for_days(store, mode, nothing):
    more, _ = MODES[mode]
    with pytest.raises(AirflowFailException, match=r"message_id is (None|empty|nan)\."):
        D360MessageStatusSensor(task_id="wait", message_id=nothing, **more).execute(context())


class Lazy(Sequence):
    """What an XComArg of a mapped task resolves to."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return ["wamid.1", "wamid.2"][index]


@pytest.mark.parametrize(
    "several", [["wamid.1"], ("wamid.1", "wamid.2"), Lazy(), [], "['wamid.1', 'wamid.2']", "()"]
)
def test_a_sensor_of_several_ids_says_how_to_map_it(store, several):
    with pytest.raises(
        AirflowFailException,
        match=r"is a list.*D360MessageStatusSensor\.partial\(…\)\.expand\(message_id=…\)",
    ):
        D360MessageStatusSensor(task_id="wait", message_id=several).execute(context())


@pytest.mark.parametrize("no_id", [{"message_id": "wamid.1"}, 1.5, True, "two words", "line\nbreak"])
def test_a_sensor_of_something_else_than_an_id_fails_at_once(store, no_id):
    with pytest.raises(AirflowFailException, match=r"message_id is .*and no id"):
        D360MessageStatusSensor(task_id="wait", message_id=no_id).execute(context())


@pytest.mark.parametrize("value", ["maybe", "", "{{ params.deferrable }}"])
def test_whether_a_sensor_is_deferrable_is_true_or_false(value):
    with pytest.raises(ValueError, match=r"deferrable is .*; it can be true or false"):
        sensor(deferrable=value)


def test_a_sensor_whose_store_is_away_pokes_again(store, monkeypatch):
    def fail(message_ids):
        raise StoreUnavailableError("away")

    waiting = sensor()
    monkeypatch.setattr(waiting.store.statuses, "current", fail)
    assert waiting.poke(context()) is False


def test_a_status_that_does_not_exist_breaks_the_dag_file_at_once():
    with pytest.raises(ValueError, match="status is 'seen'"):
        sensor(status="seen")
    with pytest.raises(ValueError, match="wait_for is 'seen'"):
        send(wait_for="seen")


def test_what_a_task_sends_stands_in_the_ledger(d360_emulator, store):
    message_id = send().execute(context(map_index=3, try_number=2))
    entry = store.ledger.find(short_id(message_id))
    assert (entry.dag_id, entry.run_id, entry.task_id, entry.map_index, entry.try_number) == (
        "dag",
        "run",
        "send",
        3,
        2,
    )
    assert (entry.recipient, entry.conn_id) == ("49…89", "d360_default")
    assert entry.intent == d360_emulator.sent[0].body["biz_opaque_callback_data"]


def arrive(emulator, store):
    """Let the statuses of a message arrive even though nobody got its id."""
    (sent,) = emulator.sent
    tell(store, sent.message_id, "sent", sent.body["biz_opaque_callback_data"])
    return sent.message_id


def test_a_lost_answer_is_settled_by_a_status_with_its_intent(d360_emulator, store, monkeypatch):
    d360_emulator.on_change = lambda sent: tell(
        store, sent.message_id, "sent", sent.body["biz_opaque_callback_data"]
    )
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    assert send().execute(context()) == d360_emulator.sent[0].message_id
    assert len(d360_emulator.sent) == 1


def test_a_lost_answer_without_a_status_stays_ambiguous_after_its_time(d360_emulator, store):
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    began = time.monotonic()
    with pytest.raises(AirflowFailException, match="D360AmbiguousError"):
        send(ambiguity_wait_seconds=0.2).execute(context())
    assert time.monotonic() - began >= 0.2


def test_a_killed_try_is_settled_by_a_status_with_its_intent(d360_emulator, store):
    class StateStore(dict):
        set = dict.__setitem__

    state = StateStore()
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    with pytest.raises(AirflowFailException, match="D360AmbiguousError"):
        send(ambiguity_wait_seconds=0).execute({**context(), "task_state_store": state})
    message_id = arrive(d360_emulator, store)
    for _ in range(2):
        assert send().execute({**context(), "task_state_store": state}) == message_id
    assert len(d360_emulator.sent) == 1


def test_on_premise_does_not_wait_for_a_proof_that_cannot_come(d360_emulator, store, monkeypatch):
    def forbidden(seconds):
        raise AssertionError("nobody knows there")

    monkeypatch.setattr("airflow_provider_d360.sending.recorded.Pause", forbidden)
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection("on_premise"))
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    with pytest.raises(AirflowFailException, match="D360AmbiguousError"):
        send().execute(context())


@pytest.mark.parametrize("poison", ["\ud800", "nul\0", 123])
def test_an_id_that_no_database_takes_does_not_starve_the_others(store, poison):
    async def both():
        watch = StatusWatch(store, 0.01)
        lost = asyncio.create_task(watch.wait(poison, "read"))
        good = asyncio.create_task(watch.wait("wamid.1", "read"))
        await asyncio.sleep(0.05)
        tell(store, "wamid.1", "read")
        found = await asyncio.wait_for(good, 60)
        lost.cancel()
        return found

    assert asyncio.run(both()).status == "read"

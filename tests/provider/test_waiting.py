"""Accepted is not delivered: operator, sensor and trigger wait for statuses in a real store."""

import asyncio
import math
import threading
import time
import types
from datetime import datetime, timedelta, timezone

import pytest
from airflow.exceptions import AirflowRescheduleException, TaskDeferred

from airflow_provider_d360.api.events import read_events
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
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "d360.sqlite"))
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
    resumed = getattr(send(wait_for="delivered"), deferred.method_name)(context(), event)
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
        send(wait_for="read").resume_after_wait(context(), event)


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
        assert operator.resume_after_wait(context(), event) == d360_emulator.sent[0].message_id
    else:
        with pytest.raises(end, match="accepted, but is not read in time"):
            operator.resume_after_wait(context(), event)


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
    with pytest.raises(AirflowFailException, match="The message was accepted, but nobody could wait for it"):
        operator.resume_execution("__fail__", failed, context())


def test_a_thousand_who_wait_look_the_stores_connection_up_once(store, monkeypatch):
    lookups = []

    async def look_up(conn_id):
        lookups.append(conn_id)
        await asyncio.sleep(0.05)
        path = store._database._url.database
        return types.SimpleNamespace(conn_id=conn_id, conn_type="sqlite", host=path)

    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "d360_store")
    monkeypatch.setattr(triggers, "get_connection_async", look_up)
    tell(store, "wamid.1", "delivered")

    async def all_of_them():
        trigger = D360MessageStatusTrigger(message_id="wamid.1", status="delivered", until=time.time() + 5)
        return await asyncio.gather(*(anext(trigger.run()) for _ in range(1000)))

    assert {event.payload["state"] for event in asyncio.run(all_of_them())} == {"reached"}
    assert lookups == ["d360_store"]


def test_a_lookup_that_fails_is_tried_again_by_who_comes_next(store, monkeypatch):
    async def fail(conn_id):
        raise ValueError("no such connection")

    trigger = D360MessageStatusTrigger(message_id="wamid.1", status="delivered", until=time.time())

    async def twice():
        with monkeypatch.context() as patch:
            patch.setenv("AIRFLOW__D360__STORE_CONN_ID", "d360_store")
            patch.setattr(triggers, "get_connection_async", fail)
            with pytest.raises(ValueError, match="no such connection"):
                await anext(trigger.run())
        return await anext(trigger.run())

    assert asyncio.run(twice()).payload["state"] == "timeout"


def test_an_event_loop_that_has_ended_keeps_no_connection(store, monkeypatch):
    closed = []
    monkeypatch.setattr(StatusWatch, "close", lambda watch: closed.append(watch))
    tell(store, "wamid.1", "delivered")
    for _ in range(3):
        event_of(D360MessageStatusTrigger(message_id="wamid.1", status="delivered", until=time.time() + 5))
    assert len(closed) >= 2
    assert len(triggers._watches) == 1


def test_a_thousand_who_wait_share_one_query_an_interval(store):
    queries = []

    class Counting:
        def status_of(self, message_ids):
            queries.append(len(message_ids))
            return store.status_of(message_ids)

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

    def status_of(self, message_ids):
        self.asked.append(len(message_ids))
        time.sleep(self.takes)
        if len(self.asked) <= self.fails:
            raise StoreUnavailableError("away")
        return self.store.status_of(message_ids)


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
        def status_of(self, message_ids):
            answers.append(store.status_of(message_ids))
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
        def status_of(self, message_ids):
            asked.set()
            assert go_on.wait(5)
            return store.status_of(message_ids)

    async def one_of_three():
        watch = StatusWatch(Slow(), 0.01)
        names = ("wamid.1", "wamid.1", "wamid.2")
        leaves, *stay = (asyncio.create_task(watch.wait(name, "read")) for name in names)
        assert await asyncio.to_thread(asked.wait, 5)
        leaves.cancel()
        await asyncio.wait([leaves])
        go_on.set()
        found = await asyncio.wait_for(asyncio.gather(*stay), 5)
        return leaves.cancelled(), found, watch._waiting

    tell(store, "wamid.1", "read")
    tell(store, "wamid.2", "read")
    cancelled, found, left = asyncio.run(one_of_three())
    assert (cancelled, [status.status for status in found], left) == (True, ["read", "read"], {})


def test_a_store_that_is_away_for_a_while_is_waited_for(store):
    class Flaky:
        fails = 2

        def status_of(self, message_ids):
            if self.fails:
                self.fails -= 1
                raise StoreUnavailableError("away")
            return store.status_of(message_ids)

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
    with pytest.raises(AirflowSensorTimeout, match=r"wamid\.1 is not delivered after 1 s"):
        wait_deferred(sensor(deferrable=True, timeout=0.6), context())


@pytest.mark.parametrize("nothing", [None, "", "None"])
def test_a_sensor_without_an_id_does_not_wait_for_days(store, nothing):
    with pytest.raises(AirflowFailException, match="no message id"):
        D360MessageStatusSensor(task_id="wait", message_id=nothing).execute(context())


def test_a_sensor_whose_store_is_away_pokes_again(store, monkeypatch):
    def fail(message_ids):
        raise StoreUnavailableError("away")

    waiting = sensor()
    monkeypatch.setattr(waiting.store, "status_of", fail)
    assert waiting.poke(context()) is False


def test_a_status_that_does_not_exist_breaks_the_dag_file_at_once():
    with pytest.raises(ValueError, match="status is 'seen'"):
        sensor(status="seen")
    with pytest.raises(ValueError, match="wait_for is 'seen'"):
        send(wait_for="seen")


def test_what_a_task_sends_stands_in_the_outbox(d360_emulator, store):
    message_id = send().execute(context(map_index=3, try_number=2))
    entry = store.sent(message_id)
    assert (entry.dag_id, entry.run_id, entry.task_id, entry.map_index, entry.try_number) == (
        "dag",
        "run",
        "send",
        3,
        2,
    )
    assert (entry.recipient, entry.conn_id) == ("49…89", "d360_default")
    assert entry.intent == d360_emulator.sent[0].body["biz_opaque_callback_data"]


def test_without_a_configured_store_nothing_is_written(d360_emulator, monkeypatch):
    def fail():
        raise AssertionError("nobody asked for a store")

    monkeypatch.setattr("airflow_provider_d360.store.configured.configured_store", fail)
    assert send().execute(context())


def test_a_broken_store_never_fails_a_message_that_is_out(d360_emulator, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "no" / "such" / "folder" / "d360.sqlite"))
    assert send().execute(context()) == d360_emulator.sent[0].message_id
    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "no_such_connection")
    assert send().execute(context()) == d360_emulator.sent[1].message_id
    assert "The message store cannot be used" in caplog.text


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
    def ask(intent, wait_seconds):
        raise AssertionError("nobody knows there")

    monkeypatch.setattr("airflow_provider_d360.operators.messages.find_by_intent", ask)
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection("on_premise"))
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    with pytest.raises(AirflowFailException, match="D360AmbiguousError"):
        send().execute(context())


def test_the_link_leads_to_the_messages_page_where_there_is_one(d360_emulator, store, monkeypatch):
    operator = send()
    (link,) = operator.operator_extra_links
    assert link.get_link(operator, ti_key=None) == ""
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_ENABLED", "True")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/")
    assert link.get_link(operator, ti_key=None) == ""
    operator.execute(context())
    message_id = d360_emulator.sent[0].message_id.replace("=", "%3D")
    assert link.get_link(operator, ti_key=None) == f"https://airflow.example/d360/messages/{message_id}"


@pytest.mark.parametrize("poison", ["\ud800", "nul\0", 123])
def test_an_id_that_no_database_takes_does_not_starve_the_others(store, poison):
    async def both():
        watch = StatusWatch(store, 0.01)
        lost = asyncio.create_task(watch.wait(poison, "read"))
        good = asyncio.create_task(watch.wait("wamid.1", "read"))
        await asyncio.sleep(0.05)
        tell(store, "wamid.1", "read")
        found = await asyncio.wait_for(good, 5)
        lost.cancel()
        return found

    assert asyncio.run(both()).status == "read"

"""What people wrote is read under a name, at least once, and by nobody else than who asks for it."""

import asyncio
import time

import pytest
from airflow.exceptions import TaskDeferred

from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.api.inbound import Content, Filter
from airflow_provider_d360.compat import AirflowFailException, AirflowSensorTimeout
from airflow_provider_d360.emulator import Webhook
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.messages import buttons
from airflow_provider_d360.operators.inbox import (
    D360MarkAsReadOperator,
    D360ReceiveMessagesOperator,
    acknowledge,
)
from airflow_provider_d360.sensors.replies import D360ReplySensor
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.triggers import replies
from airflow_provider_d360.triggers.replies import D360ReplyTrigger
from tests.provider.inboxes import ANN, BOB, EVE, arrive, context, deliver

TAP = {
    "type": "interactive",
    "interactive": {"type": "button_reply", "button_reply": {"id": "yes:1", "title": "Yes"}},
}
PDF = {
    "type": "document",
    "document": {
        "id": "17",
        "filename": "../../etc/passwd",
        "mime_type": "application/pdf",
        "caption": "Here",
    },
}


@pytest.fixture
def store(store_path):
    store = configured_store()
    yield store
    store.close()


def operator(**arguments):
    return D360ReceiveMessagesOperator(task_id="receive", cursor="orders", **arguments)


def run(task, *, succeeds=True):
    """Run a task as Airflow does: a success callback runs after a success, and not otherwise."""
    messages = task.execute({})
    if succeeds:
        ctx = context()
        ctx["ti"].task = task
        for callback in task.on_success_callback:
            callback(ctx)
    return messages


def texts(messages):
    return [message["text"] for message in messages]


def test_a_message_comes_again_until_a_task_has_succeeded(store):
    arrive(store, "one")
    assert texts(run(operator(), succeeds=False)) == ["one"]
    assert texts(run(operator())) == ["one"]
    assert run(operator()) == []


def test_the_callbacks_of_the_author_stay(store):
    calls = []
    task = operator(on_success_callback=lambda context: calls.append("mine"))
    arrive(store, "one")
    run(task)
    assert calls == ["mine"]
    assert task.on_success_callback[-1] is acknowledge


def test_the_hook_acknowledges_when_its_block_has_ended_well(store):
    arrive(store, "one")
    hook = D360Hook()
    with pytest.raises(KeyError), hook.receive("orders") as messages:
        raise KeyError(len(messages))
    with hook.receive("orders") as messages:
        assert [message.content["text"]["body"] for message in messages] == ["one"]
    with hook.receive("orders") as messages:
        assert messages == []


def test_messages_of_a_sender_are_in_the_order_of_sending_though_webhooks_overtake(store):
    now = time.time()
    arrive(store, "Ann 2", at=now - 10, received_at=now - 5)
    arrive(store, "Bob 1", sender=BOB, at=now, received_at=now - 4)
    arrive(store, "Ann 1", at=now - 20, received_at=now - 3)
    assert texts(run(operator())) == ["Ann 1", "Bob 1", "Ann 2"]


def test_a_limit_leaves_the_rest_for_the_next_run(store):
    for number in range(7):
        arrive(store, str(number), received_at=time.time() - 10 + number)
    assert [texts(run(operator(limit=3))) for _ in range(4)] == [list("012"), list("345"), ["6"], []]


def test_five_hundred_messages_that_came_while_nobody_read_are_read_once_each(store):
    for number in range(500):
        arrive(store, str(number), sender=(ANN, BOB)[number % 2])
    batches = [texts(run(operator(limit=60))) for _ in range(10)]
    assert [len(batch) for batch in batches] == [60] * 8 + [20, 0]
    assert [text for batch in batches for text in batch] == [str(number) for number in range(500)]


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        ({"keywords": ["deploy"]}, ["Deploy! now"]),
        ({"pattern": "^de.*now$"}, ["Deploy! now"]),
        ({"kinds": ["document"]}, ["Here"]),
        ({"button_prefix": "yes:"}, ["Yes"]),
        ({"senders": [f"+{BOB}"]}, ["undeployed"]),
        ({"senders": f"{BOB}, {EVE}"}, ["undeployed"]),
        ({"numbers": ["+49 30 123456700"], "kinds": ["text"]}, ["Deploy! now", "undeployed"]),
        ({"numbers": ["4930000000000"]}, []),
    ],
)
def test_what_is_not_wanted_is_passed_over_for_good(store, wanted, seen):
    arrive(store, "Deploy! now")
    arrive(store, "undeployed", sender=BOB)
    arrive(store, TAP)
    arrive(store, PDF)
    assert texts(run(operator(**wanted))) == seen
    assert run(operator()) == []


def test_a_message_is_described_without_its_number_and_without_directories_in_a_name(store):
    message_id = arrive(store, PDF, reply_to="wamid.ours", at=1_700_000_000)
    (message,) = run(operator())
    assert message == {
        "message_id": message_id, "type": "document", "at": "2023-11-14T22:13:20+00:00",
        "reply_to": "wamid.ours", "number": "4930123456700", "sender": "49…89", "text": "Here",
        "payload": None, "media_id": "17", "mime_type": "application/pdf", "filename": "passwd",
    }  # fmt: skip


def test_a_whole_number_is_given_to_who_asks_for_it(store):
    arrive(store, "one")
    (message,) = run(operator(with_numbers=True))
    assert message["sender"] == ANN


def test_neither_text_nor_number_nor_id_is_logged(store, caplog, capsys):
    message_id = arrive(store, "a secret text")
    run(operator(senders=[ANN]))
    logged = caplog.text + capsys.readouterr().out  # as this Airflow does
    assert "Cursor orders: 1 messages" in logged
    assert [one for one in ("secret", ANN, message_id) if one in logged] == []


def test_senders_that_another_task_did_not_return_are_not_everybody(store):
    arrive(store, "one")
    task = operator(senders=[ANN])
    task.senders = None  # as Airflow renders an XCom that is not there
    with pytest.raises(AirflowFailException, match="senders is empty"):
        task.execute({})


@pytest.mark.parametrize("cursor", [None, "None", "", "nan", ["orders"]])
def test_a_cursor_that_another_task_did_not_return_is_no_new_cursor(store, cursor):
    task = operator()
    task.cursor = cursor
    with pytest.raises(AirflowFailException, match="cursor is"):
        task.execute({})
    assert store.cursors.backlogs(1e12) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": "text"},
        {"keywords": "stop"},
        {"numbers": "4930"},
        {"numbers": ["abc"]},
        {"kinds": [None]},
        {"keywords": [" "]},
        {"kinds": None},
    ],
)
def test_a_filter_that_no_message_can_meet_does_not_read_them_away(store, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        operator(**wrong)


@pytest.mark.parametrize("senders", [[], "", ",", [""], {}])
def test_a_list_of_senders_that_lost_its_people_lets_nobody_in(store, senders):
    arrive(store, "one")
    with pytest.raises(AirflowFailException, match="senders is empty"):
        operator(senders=senders).execute({})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cursor": ""}, "name of a cursor"),
        ({"cursor": "a\nb"}, "name of a cursor"),
        ({"limit": 0}, "limit is 0"),
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": "a" * 201}, "201 characters"),
        ({"with_numbers": "maybe"}, "with_numbers"),
    ],
)
def test_a_wrong_argument_breaks_the_dag_file(arguments, said):
    with pytest.raises(ValueError, match=said):
        D360ReceiveMessagesOperator(task_id="receive", **{"cursor": "orders", **arguments})


def test_a_reader_of_strangers_gets_through_ten_thousand_messages_of_one(store):
    events = [
        {"from": EVE, "id": f"w{n}", "timestamp": "1", "type": "text", "text": {"body": "spam"}}
        for n in range(10_000)
    ]
    store.add(read_events({"messages": events}), time.time() - 1)
    arrive(store, "deploy")
    assert texts(run(operator(senders=[ANN]))) == ["deploy"]
    assert run(operator()) == []


def test_a_message_is_marked_as_read_with_typing_on_request(d360_emulator):
    for typing in (False, True):
        D360MarkAsReadOperator(task_id="read", message_id="wamid.1", typing=typing).execute({})
    bodies = [request.body for request in d360_emulator.requests]
    assert [b"typing_indicator" in body for body in bodies] == [False, True]


def test_a_filter_without_conditions_wants_everything():
    assert Filter().wants("hologram", Content())


# The sensor


def sensor(**arguments):
    return D360ReplySensor(task_id="wait", message_id="wamid.ours", timeout=60, **arguments)


def event_of(trigger):
    path, arguments = trigger.serialize()
    assert path == "airflow_provider_d360.triggers.replies.D360ReplyTrigger"

    async def first():
        return (await anext(D360ReplyTrigger(**arguments).run())).payload

    return asyncio.run(asyncio.wait_for(first(), 10))


def test_a_reply_to_another_message_or_to_none_is_none(store):
    arrive(store, "plain")
    arrive(store, "quoting", reply_to="wamid.other")
    assert sensor().poke({}) is False
    arrive(store, "yes", reply_to="wamid.ours")
    arrive(store, "no", reply_to="wamid.ours")
    assert sensor().poke({}).xcom_value["text"] == "yes"


def test_a_sensor_wakes_in_the_triggerer_when_somebody_taps(store, d360_emulator, monkeypatch):
    monkeypatch.setattr(replies, "_POLL_SECONDS", 0.02)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(deferrable=True).execute({})
    arrive(store, TAP, reply_to="wamid.ours")
    event = event_of(deferred.value.trigger)
    assert event == {"state": "reached"}
    reply = sensor(deferrable=True).execute_complete({}, event)
    assert (reply["text"], reply["payload"], reply["sender"]) == ("Yes", "yes:1", "49…89")


def test_a_sensor_ends_when_its_time_is_over(store, monkeypatch):
    monkeypatch.setattr(replies, "_POLL_SECONDS", 0.02)
    trigger = D360ReplyTrigger(message_id="wamid.ours", until=time.time() - 1)
    event = event_of(trigger)
    assert event == {"state": "timeout"}
    with pytest.raises(AirflowSensorTimeout, match=r"Nobody has replied to m[0-9a-f]{16} after 60 s"):
        sensor().execute_complete({}, event)


def test_a_thousand_sensors_cost_one_query_per_interval(store, monkeypatch):
    monkeypatch.setattr(replies, "_POLL_SECONDS", 0.2)
    asked = []
    find = store.arrivals.__class__.find

    def counting(self, waits):
        asked.append(len(waits))
        return find(self, waits)

    monkeypatch.setattr(store.arrivals.__class__, "find", counting)

    async def wait_for_all():
        triggers = [D360ReplyTrigger(message_id=f"wamid.{n}", until=time.time() + 60) for n in range(1000)]
        runs = [asyncio.ensure_future(anext(trigger.run())) for trigger in triggers]
        while len(asked) < 2:  # noqa: ASYNC110 - it counts what another thread does
            await asyncio.sleep(0.01)
        for n in range(1000):
            store.add(
                read_events(
                    {
                        "messages": [
                            {"from": ANN, "id": f"in{n}", "type": "text", "context": {"id": f"wamid.{n}"}}
                        ]
                    }
                ),
                time.time(),
            )
        return await asyncio.wait_for(asyncio.gather(*runs), 60)

    events = asyncio.run(wait_for_all())
    assert [event.payload for event in events] == [{"state": "reached"}] * 1000
    assert asked[0] == 1000


def test_the_log_of_a_trigger_does_not_hold_the_id():
    trigger = D360ReplyTrigger(message_id="wamid.HBgNNDkxNTExMjM0NTY4OQ==", until=1.0)
    assert "wamid" not in repr(trigger)


def test_a_served_webhook_and_a_tap_end_in_the_inbox(store, d360_emulator):
    """The emulator's tap has the shape that the reading of events expects."""
    key = next(iter(d360_emulator.numbers))
    d360_emulator.numbers[key].webhook = Webhook("http://127.0.0.1:9/nobody")
    d360_emulator.retry_delays_seconds = ()
    d360_emulator.set_statuses([])
    sent = D360Hook().send(ANN, buttons("Deploy?", {"y": "Yes", "n": "No"}))
    d360_emulator.tap(sent.message_id, "No")
    deliver(store, d360_emulator)
    (message,) = run(operator())
    assert (message["payload"], message["reply_to"]) == ("n", sent.message_id)

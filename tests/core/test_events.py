"""Bodies in, events out."""

from __future__ import annotations

import json
import math
import random

import pytest

from airflow_provider_d360.api.events import (
    RANKS,
    Event,
    Failure,
    MessageEvent,
    OmittedEvent,
    StatusEvent,
    UnknownEvent,
    read_events,
)
from tests.core.deliveries import DELIVERIES

STATUS = {
    "id": "wamid.A",
    "status": "delivered",
    "timestamp": "1700000001",
    "recipient_id": "4915112345678",
    "recipient_user_id": "DE.1234567890",
    "biz_opaque_callback_data": "intent-1",
    "conversation": {"id": "c", "origin": {"type": "utility"}},
    "pricing": {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"},
}
MESSAGE = {
    "from": "4915112345678",
    "id": "wamid.B",
    "timestamp": "1700000002",
    "type": "text",
    "text": {"body": "Hi"},
    "context": {"from": "4930901820", "id": "wamid.A"},
}
METADATA = {"display_phone_number": "4930901820", "phone_number_id": "1065"}
CONTACTS = [
    {"profile": {"name": "Bo"}, "wa_id": "33612345678", "user_id": "FR.2"},
    {"profile": {"name": "Ann"}, "wa_id": "4915112345678", "user_id": "DE.1"},
]


def cloud(*values: object) -> dict[str, object]:
    changes = [{"field": "messages", "value": value} for value in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": "108", "changes": changes}]}


def status_of(**fields: object) -> StatusEvent:
    [event] = read_events(cloud({"statuses": [{"id": "wamid.A", "status": "sent", **fields}]}))
    assert isinstance(event, StatusEvent)
    return event


def test_a_cloud_status_is_read_whole():
    [event] = read_events(cloud({"metadata": METADATA, "statuses": [STATUS]}))
    assert event == StatusEvent(
        "wamid.A",
        "delivered",
        1700000001.0,
        "4915112345678",
        "DE.1234567890",
        "intent-1",
        None,
        "utility",
        True,
        on_premise=False,
    )


def test_a_cloud_message_is_read_whole():
    [event] = read_events(cloud({"metadata": METADATA, "contacts": CONTACTS, "messages": [MESSAGE]}))
    assert event == MessageEvent(
        "wamid.B", "text", "4915112345678", "DE.1", 1700000002.0, "wamid.A", "4930901820"
    )
    assert isinstance(event, MessageEvent)
    assert event.raw is MESSAGE


def test_a_sender_who_hides_the_number_is_known_by_the_user_id():
    [event] = read_events(cloud({"messages": [{"from_user_id": "DE.1", "id": "wamid.B", "type": "text"}]}))
    assert event == MessageEvent("wamid.B", "text", None, "DE.1")


def test_a_flat_body_is_the_on_premise_api():
    fields = {"id": "gBGG", "status": "failed", "timestamp": "1700000001", "type": "message"}
    error = {"code": 470, "title": "Too late", "href": "https://…", "details": "24 hours"}
    [event] = read_events(
        {"statuses": [{**fields, "message": {"recipient_id": "4915112345678"}, "errors": [error]}]}
    )
    assert event == StatusEvent(
        "gBGG",
        "failed",
        1700000001.0,
        "4915112345678",
        failure=Failure(470, "Too late", "24 hours"),
        on_premise=True,
    )


def test_a_flat_body_in_the_words_of_cloud_is_cloud():
    [event] = read_events({"messaging_product": "whatsapp", "statuses": [STATUS]})
    assert isinstance(event, StatusEvent)
    assert event.on_premise is False


def test_all_entries_changes_and_items_are_read_in_order():
    one = cloud(
        {"statuses": [{**STATUS, "id": "a"}, {**STATUS, "id": "b"}]}, {"messages": [{**MESSAGE, "id": "c"}]}
    )
    other = cloud({"statuses": [{**STATUS, "id": "d"}], "messages": [{**MESSAGE, "id": "e"}]})
    assert isinstance(one["entry"], list)
    assert isinstance(other["entry"], list)
    events = read_events({**one, "entry": [*one["entry"], *other["entry"]]})
    assert [getattr(event, "message_id", None) for event in events] == ["a", "b", "c", "d", "e"]


def test_the_first_error_is_the_failure():
    first = {"code": 131026, "title": "Undeliverable", "error_data": {"details": "Not on WhatsApp"}}
    assert status_of(errors=[first, {"code": 1}]).failure == Failure(
        131026, "Undeliverable", "Not on WhatsApp"
    )


@pytest.mark.parametrize(
    ("errors", "failure"),
    [
        ([{"code": "131026", "message": "No"}], Failure(131026, "No")),
        ([{"code": True}], Failure(None)),
        ([{"code": "\N{ARABIC-INDIC DIGIT ONE}"}], Failure(None)),
        ([{"code": -1, "title": 7}], Failure(None)),
        ([{"code": 10**30}], Failure(None)),
        (["what", {"code": 5}], Failure(5)),
        ([], None),
        ({"code": 5}, Failure(5)),
        ("what", None),
    ],
)
def test_an_odd_error_says_what_it_can(errors, failure):
    assert status_of(errors=errors).failure == failure


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        ("1700000001", 1700000001.0),
        (1700000001, 1700000001.0),
        ("1700000001500", 1700000001.5),
        (1700000001500, 1700000001.5),
        (1700000001500000, 1700000001.5),
        ("1700000001.25", 1700000001.25),
        ("yesterday", None),
        ("", None),
        (0, None),
        (-5, None),
        (10**400, None),
        ("1e999", None),
        ("1e30", None),
        ("2023-11-14T22:13:21Z", None),
        ("1", None),
        ("1230767999", None),
        ("1230768000", 1230768000.0),
        ("4102444799", 4102444799.0),
        ("4102444800", None),
        ("9999999999999", None),
        (math.nan, None),
        (True, None),
        (None, None),
        (["1700000001"], None),
    ],
)
def test_a_time_is_read_in_seconds_or_milliseconds(timestamp, at):
    assert status_of(timestamp=timestamp).at == at


@pytest.mark.parametrize(
    "item",
    [
        None,
        7,
        "status",
        [],
        {},
        {"id": "a"},
        {"status": "sent"},
        {"id": "", "status": "sent"},
        {"id": 7, "status": "sent"},
        {"id": "a", "status": ["sent"]},
        {"id": "a" * 257, "status": "sent"},
    ],
)
def test_a_bad_status_among_good_ones_loses_only_itself(item):
    events = read_events(cloud({"statuses": [STATUS, item, {**STATUS, "status": "read"}]}))
    assert [type(event) for event in events] == [StatusEvent, UnknownEvent, StatusEvent]


@pytest.mark.parametrize("item", [None, "message", {}, {"id": 5}, {"id": None, "type": "text"}])
def test_a_bad_message_among_good_ones_loses_only_itself(item):
    events = read_events(cloud({"messages": [MESSAGE, item, MESSAGE]}))
    assert [type(event) for event in events] == [MessageEvent, UnknownEvent, MessageEvent]


def test_a_message_without_a_type_is_of_an_unknown_one():
    [event] = read_events(cloud({"messages": [{"id": "a", "type": 7, "context": "x"}]}))
    assert event == MessageEvent("a", "unknown")


def test_a_new_status_stays_as_it_is():
    assert status_of(status="teleported").status == "teleported"
    assert "teleported" not in RANKS


def test_bad_pricing_is_no_reason_to_lose_the_status():
    assert status_of(pricing={"billable": "yes", "category": 3}) == StatusEvent("wamid.A", "sent")


@pytest.mark.parametrize(
    "body",
    [
        "hello",
        5,
        {"entry": None},
        {"entry": []},
        {"entry": [None]},
        {"changes": [None]},
        {"value": 3},
        [[]],
        ["hello"],
        {"entry": [{"id": "1"}]},
        {"entry": [{"changes": "none"}]},
        {"entry": [{"changes": [None]}]},
        {"entry": [{"changes": [{"field": "messages", "value": 3}]}]},
        {"entry": [{"changes": [{"field": "messages", "value": {}}]}]},
        {
            "entry": [
                {"changes": [{"field": "message_template_status_update", "value": {"event": "APPROVED"}}]}
            ]
        },
        {"errors": [{"code": 1014}]},
        {"id": "1", "event": "number_created", "data": {}},
    ],
)
def test_anything_else_is_one_unknown_event(body):
    [event] = read_events(body)
    assert isinstance(event, UnknownEvent)


@pytest.mark.parametrize("body", [None, "", [], {}])
def test_a_body_without_content_is_omitted(body):
    assert read_events(body) == [OmittedEvent("empty")]


@pytest.mark.parametrize("topic", ["history", "message_echoes", "smb_message_echoes"])
def test_messages_that_are_no_replies_are_omitted_by_name(topic):
    value = {"statuses": [STATUS], "messages": [MESSAGE], topic: [MESSAGE]}
    events = read_events({"entry": [{"changes": [{"field": topic, "value": value}]}]})
    assert [type(event) for event in events] == [StatusEvent, OmittedEvent]
    assert events[-1] == OmittedEvent(topic)


@pytest.mark.parametrize(
    "body",
    [
        {"messaging_product": "whatsapp", "statuses": [STATUS], "user_preferences": [{"value": "stop"}]},
        {"messaging_product": "whatsapp", "statuses": [STATUS], "messages": "all lost"},
        {"messaging_product": "whatsapp", "statuses": [STATUS], "errors": [{"code": 1}]},
        {"entry": ["lost", {"changes": [{"value": {"statuses": [STATUS]}}]}]},
        {"entry": [{"changes": [{"value": [{"statuses": [STATUS]}, "lost"]}]}]},
        {"entry": [{"changes": [{"field": "history", "value": [{"statuses": [STATUS]}, "lost"]}]}]},
        {"entry": [{"changes": [{"value": 3}, {"value": {"statuses": [STATUS]}}]}]},
        {"messaging_product": "whatsapp", "statuses": [STATUS], "errors": {"code": 1}},
        {"messaging_product": "whatsapp", "statuses": [STATUS], "calls": {"id": "c"}},
        {"statuses": [STATUS], "meta": {"version": "2.53"}, "messages": 5},
        {**cloud({"statuses": [STATUS]}), "calls": [{"id": "c"}]},
        {**cloud({"statuses": [STATUS]}), "messages": "lost"},
        {"entry": "lost", "statuses": [STATUS]},
        {"entry": [{"changes": [{"value": {"statuses": [STATUS]}}], "messaging": [{"message": {}}]}]},
        {"entry": [{"changes": [{"value": {"statuses": [STATUS]}, "values": [{"statuses": []}]}]}]},
        {"entry": [{"changes": [{"value": {"statuses": [STATUS], "entry": [{"id": "1"}]}}]}]},
        {"changes": [{"value": {"statuses": [STATUS]}}], "calls": [{"id": "c"}]},
        {"value": {"statuses": [STATUS]}, "field": "messages", "calls": [{"id": "c"}]},
        [{"statuses": [STATUS]}, 7],
        [{"statuses": [STATUS]}, {"entry": []}],
    ],
)
def test_whatever_stands_beside_an_event_is_an_event_too(body):
    kinds = sorted(type(event).__name__ for event in read_events(body) if not isinstance(event, OmittedEvent))
    assert kinds == ["StatusEvent", "UnknownEvent"]


def test_of_what_is_not_understood_nothing_is_left_out():
    value = {"event": "REJECTED", "message_template_id": 1, "rejections": [{"reason": "x"}]}
    change = {"field": "message_template_status_update", "value": value}
    for body in ({"entry": [{"id": "1", "changes": [change]}]}, {"changes": [change]}, change):
        [event] = read_events(body)
        assert isinstance(event, UnknownEvent)
        assert event.raw == change


@pytest.mark.parametrize("errors", [[{"code": 2593109}], {"code": 2593109}])
def test_errors_beside_what_we_wrote_ourselves_are_events(errors):
    value = {"errors": errors, "history": [{"threads": []}]}
    events = read_events({"entry": [{"changes": [{"field": "history", "value": value}]}]})
    assert events == [UnknownEvent({"code": 2593109}), OmittedEvent("history")]


@pytest.mark.parametrize(
    "beside",
    [
        {"changes": [{"value": {"messages": [MESSAGE]}}]},
        {"value": {"messages": [MESSAGE]}},
        {"messages": [MESSAGE]},
        {"messages": MESSAGE, "contacts": CONTACTS, "errors": None},
    ],
)
def test_an_envelope_of_two_shapes_is_read_as_both(beside):
    events = read_events({**cloud({"statuses": [STATUS]}), **beside})
    assert [type(event) for event in events] == [StatusEvent, MessageEvent]


@pytest.mark.parametrize("name", ["message_echoes", "smb_message_echoes", "history"])
def test_what_we_wrote_ourselves_is_no_reply_beside_statuses_either(name):
    value = {"statuses": [STATUS], name: [MESSAGE]}
    events = read_events({"entry": [{"changes": [{"field": "messages", "value": value}]}]})
    assert [type(event) for event in events if not isinstance(event, UnknownEvent)] == [StatusEvent]


def test_a_change_without_a_field_counts_as_messages():
    [event] = read_events({"entry": [{"changes": [{"value": {"statuses": [STATUS]}}]}]})
    assert isinstance(event, StatusEvent)


@pytest.mark.parametrize(("body", "expected"), DELIVERIES.values(), ids=list(DELIVERIES))
def test_a_delivery_of_any_shape_is_read(body, expected):
    assert [seen for event in read_events(body) if (seen := _seen(event))] == expected


def _seen(event: Event) -> tuple[object, ...] | None:
    if isinstance(event, StatusEvent):
        return event.message_id, event.status, event.at, event.failure and event.failure.code
    if isinstance(event, MessageEvent):
        return event.message_id, event.type, event.at, event.sender, event.reply_to
    return None


def test_a_repr_shows_neither_number_nor_content():
    body = cloud({"metadata": METADATA, "contacts": CONTACTS, "messages": [MESSAGE], "statuses": [STATUS]})
    shown = repr(read_events(body)) + repr(read_events({"private": "4915112345678"}))
    assert [secret for secret in ("4915112345678", "Hi", "DE.1", "intent-1") if secret in shown] == []


def test_no_mutilated_body_raises_or_takes_its_neighbours_along():
    chance = random.Random(360)  # noqa: S311 - the same in every run
    leaves: list[object] = [
        None,
        True,
        0,
        -1,
        10**300,
        1e308,
        math.inf,
        math.nan,
        "",
        "x",
        "\0",
        "\ud800",
        [],
        {},
        [[]],
    ]
    for _ in range(2000):
        body = json.loads(
            json.dumps(cloud({"metadata": METADATA, "contacts": CONTACTS, "statuses": [STATUS]}))
        )
        good = {**STATUS, "id": "good"}
        body["entry"][0]["changes"].append({"field": "messages", "value": {"statuses": [good]}})
        victim = body["entry"][0]["changes"][0]
        for _ in range(chance.randint(1, 4)):
            _mutilate(victim, chance, leaves)
        assert "good" in [getattr(event, "message_id", None) for event in read_events(body)]


def _mutilate(tree: object, chance: random.Random, leaves: list[object]) -> None:
    """Put something else in the place of one thing somewhere in the tree."""
    while True:
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(tree[key], dict | list) and chance.random() < 0.8:  # type: ignore[index]
            tree = tree[key]  # type: ignore[index]
        else:
            tree[key] = chance.choice(leaves)  # type: ignore[index]
            return

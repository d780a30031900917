"""Bodies in, events out."""

from __future__ import annotations

import json
import math
import random

import pytest

from airflow_provider_d360.api.events import (
    RANKS,
    Failure,
    MessageEvent,
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


def status_of(**told: object) -> StatusEvent:
    [event] = read_events(cloud({"statuses": [{"id": "wamid.A", "status": "sent", **told}]}))
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
    told = {"id": "gBGG", "status": "failed", "timestamp": "1700000001", "type": "message"}
    error = {"code": 470, "title": "Too late", "href": "https://…", "details": "24 hours"}
    [event] = read_events(
        {"statuses": [{**told, "message": {"recipient_id": "4915112345678"}, "errors": [error]}]}
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
        None,
        [],
        "hello",
        5,
        {},
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


def test_a_change_without_a_field_counts_as_messages():
    [event] = read_events({"entry": [{"changes": [{"value": {"statuses": [STATUS]}}]}]})
    assert isinstance(event, StatusEvent)


@pytest.mark.parametrize(("body", "wanted"), DELIVERIES.values(), ids=list(DELIVERIES))
def test_a_delivery_of_any_shape_is_read(body, wanted):
    assert [seen for event in read_events(body) if (seen := _seen(event))] == wanted


def _seen(event: StatusEvent | MessageEvent | UnknownEvent) -> tuple[object, ...] | None:
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

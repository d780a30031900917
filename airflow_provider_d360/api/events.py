"""
What a delivery tells: one webhook body in, events out, whatever the body holds.

Nothing here raises. An item that cannot be read becomes an unknown event and takes nothing else with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

# How far a message has come; ``failed`` is final. A status that is not here says nothing about that.
RANKS: Mapping[str, int] = {"sent": 1, "delivered": 2, "read": 3, "played": 4, "failed": 5}

_LONGEST_ID = 256  # WhatsApp's are a quarter of that, and database indexes have limits
_MILLISECONDS_FROM = 1e11  # in seconds, that is the year 5138


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Why a message failed, in the words of WhatsApp.

    :param code: Meta's code, or the on-premise API's.
    :param title: What happened.
    :param details: More, if it was told.
    """

    code: int | None
    title: str | None = None
    details: str | None = None


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """
    What became of a message that was sent.

    :param message_id: The message's id, as the answer to sending gave it.
    :param status: ``sent``, ``delivered``, ``read``, ``played``, ``failed``, or something newer.
    :param at: When, in Unix seconds; ``None`` when it was not told readably.
    :param recipient_id: The recipient's number, or a group's id.
    :param recipient_user_id: The recipient's business-scoped user id.
    :param biz_opaque_callback_data: What was sent along with the message to come back here: the intent.
    :param failure: The first of the errors.
    :param category: What the message is charged as: ``utility``, ``marketing``, …
    :param billable: Whether it is charged.
    :param on_premise: Whether the on-premise API says so; its error codes are its own.
    :param raw: The status as it came.
    """

    message_id: str
    status: str
    at: float | None = None
    recipient_id: str | None = field(default=None, repr=False)
    recipient_user_id: str | None = field(default=None, repr=False)
    biz_opaque_callback_data: str | None = field(default=None, repr=False)
    failure: Failure | None = None
    category: str | None = None
    billable: bool | None = None
    on_premise: bool = False
    raw: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """
    A message that somebody sent to one of our numbers.

    :param message_id: The message's id.
    :param type: ``text``, ``button``, ``interactive``, … ; ``unknown`` when it was not told.
    :param sender: Who sent it: a number. ``None`` when the sender hides it.
    :param sender_user_id: The sender's business-scoped user id.
    :param at: When, in Unix seconds.
    :param reply_to: The id of the message that it answers.
    :param number: Which of our numbers received it.
    :param raw: The message as it came, with its content.
    """

    message_id: str
    type: str
    sender: str | None = field(default=None, repr=False)
    sender_user_id: str | None = field(default=None, repr=False)
    at: float | None = None
    reply_to: str | None = None
    number: str | None = None
    raw: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """
    Something else: another kind of event, or nothing readable.

    :param raw: What came.
    """

    raw: object = field(repr=False)


Event = StatusEvent | MessageEvent | UnknownEvent


def read_events(body: object) -> list[Event]:
    """
    Read all events of one delivery, in its order: cloud's envelope or the flat one of the on-premise API.

    :param body: Any value that JSON can express.
    """
    if not isinstance(body, dict):
        return [UnknownEvent(body)]
    if "entry" not in body:
        return _read_value(body, on_premise="messaging_product" not in body)
    events: list[Event] = []
    for entry in _list(body["entry"]):
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if isinstance(changes, list):
            for change in changes:
                events += _read_change(change)
        else:
            events.append(UnknownEvent(entry))
    return events or [UnknownEvent(body)]


def _read_change(change: object) -> list[Event]:
    if isinstance(change, dict) and change.get("field", "messages") == "messages":
        value = change.get("value")
        if isinstance(value, dict):
            return _read_value(value, on_premise=False)
    return [UnknownEvent(change)]


def _read_value(value: Mapping[str, object], *, on_premise: bool) -> list[Event]:
    events: list[Event] = [_read_status(item, on_premise) for item in _list(value.get("statuses"))]
    events += [_read_message(item, value) for item in _list(value.get("messages"))]
    events += [UnknownEvent(item) for item in _list(value.get("errors"))]
    return events or [UnknownEvent(value)]


def _read_status(item: object, on_premise: bool) -> Event:
    told = _dict(item)
    message_id, status = _id(told.get("id")), _id(told.get("status"))
    if message_id is None or status is None:
        return UnknownEvent(item)
    pricing = _dict(told.get("pricing"))
    billable = pricing.get("billable")
    return StatusEvent(
        message_id,
        status,
        _time(told.get("timestamp")),
        _text(told.get("recipient_id")) or _text(_dict(told.get("message")).get("recipient_id")),
        _text(told.get("recipient_user_id")),
        _text(told.get("biz_opaque_callback_data")),
        _failure(told.get("errors")),
        _text(pricing.get("category")),
        billable if isinstance(billable, bool) else None,
        on_premise,
        item,
    )


def _failure(errors: object) -> Failure | None:
    first = next((error for error in _list(errors) if isinstance(error, dict)), None)
    if first is None:
        return None
    details = _text(_dict(first.get("error_data")).get("details")) or _text(first.get("details"))
    return Failure(
        _code(first.get("code")), _text(first.get("title")) or _text(first.get("message")), details
    )


def _read_message(item: object, value: Mapping[str, object]) -> Event:
    told = _dict(item)
    message_id = _id(told.get("id"))
    if message_id is None:
        return UnknownEvent(item)
    sender, metadata = _text(told.get("from")), _dict(value.get("metadata"))
    return MessageEvent(
        message_id,
        _id(told.get("type")) or "unknown",
        sender,
        _text(told.get("from_user_id")) or _user_id(sender, value.get("contacts")),
        _time(told.get("timestamp")),
        _id(_dict(told.get("context")).get("id")),
        _text(metadata.get("display_phone_number")) or _text(metadata.get("phone_number_id")),
        item,
    )


def _user_id(sender: str | None, contacts: object) -> str | None:
    """Find the sender's user id among the contacts of the delivery."""
    found = (_dict(contact) for contact in _list(contacts))
    return next((_text(contact.get("user_id")) for contact in found if contact.get("wa_id") == sender), None)


def _time(value: object) -> float | None:
    """Read a time in seconds, or in the milliseconds that have been seen in the wild."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(seconds) or seconds <= 0:
        return None
    while seconds >= _MILLISECONDS_FROM:
        seconds /= 1000
    return seconds


def _code(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else None


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _dict(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []

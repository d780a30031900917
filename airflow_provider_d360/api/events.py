"""
What a delivery tells: one webhook body in, events out, whatever the body holds.

Nothing here raises. An item that cannot be read becomes an unknown event and takes nothing else with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# How far a message has come; ``failed`` is final. A status that is not here says nothing about that.
RANKS: Mapping[str, int] = {"sent": 1, "delivered": 2, "read": 3, "played": 4, "failed": 5}

_LONGEST_ID = 256  # WhatsApp's are a quarter of that, and database indexes have limits
_MILLISECONDS_FROM = 1e11  # in seconds, that is the year 5138
_LATEST = 1e20  # the same in nanoseconds

# Where messages are told that nobody sends us now: what we wrote ourselves with the business's phone app, and
# what was said before the number came to the API.
_NOT_INCOMING = ("smb_message_echoes", "message_echoes", "history")

# What may become of other things than messages. A payment that failed is no message that failed.
_NOT_MESSAGES = ("payment", "call")


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

    Of a message to a group this comes once for each participant, with the same id; the store keeps one row
    for each message and status.

    :param message_id: The message's id, as the answer to sending gave it.
    :param status: ``sent``, ``delivered``, ``read``, ``played``, ``failed``, or something newer; of a payment
        or a call never one of those five: ``payment failed``.
    :param at: When, in Unix seconds; ``None`` when it was not told readably.
    :param recipient_id: The recipient's number, or a group's id.
    :param recipient_user_id: The recipient's business-scoped user id.
    :param biz_opaque_callback_data: What was sent along with the message to come back here: the intent.
    :param failure: The first of the errors.
    :param category: What the message is charged as: ``utility``, ``marketing``, …
    :param billable: Whether it is charged.
    :param on_premise: Whether the on-premise API says so; its error codes are its own.
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

    Parts of an envelope are read as well, as gateways and tests hand them on: one entry, one change, several
    envelopes in a list, one item where a list should be.

    :param body: Any value that JSON can express.
    """
    return [event for envelope in _list(body) for event in _read_envelope(envelope)] or [UnknownEvent(body)]


def _read_envelope(envelope: object) -> list[Event]:
    if not isinstance(envelope, dict):
        return [UnknownEvent(envelope)]
    if "entry" in envelope:
        return [event for entry in _list(envelope["entry"]) for event in _read_entry(entry)]
    if "changes" in envelope:
        return _read_entry(envelope)
    if "value" in envelope:
        return _read_change(envelope)
    return _read_value(envelope, on_premise="messaging_product" not in envelope)


def _read_entry(entry: object) -> list[Event]:
    changes = _list(_dict(entry).get("changes"))
    return [event for change in changes for event in _read_change(change)] or [UnknownEvent(entry)]


def _read_change(change: object) -> list[Event]:
    told = _dict(change)
    value = told.get("value")
    if not isinstance(value, dict):
        return [UnknownEvent(change)]
    return _read_value(value, on_premise=False, incoming=told.get("field") not in _NOT_INCOMING)


def _read_value(value: Mapping[str, object], *, on_premise: bool, incoming: bool = True) -> list[Event]:
    events: list[Event] = [_read_status(item, on_premise) for item in _list(value.get("statuses"))]
    if incoming:
        events += [_read_message(item, value) for item in _list(value.get("messages"))]
    events += [UnknownEvent(item) for item in _list(value.get("errors"))]
    return events or [UnknownEvent(value)]


def _read_status(item: object, on_premise: bool) -> Event:
    told = _dict(item)
    message_id, status = _id(told.get("id")), _id(told.get("status"))
    if message_id is None or status is None:
        return UnknownEvent(item)
    if status in RANKS and told.get("type") in _NOT_MESSAGES:
        status = f"{told['type']} {status}"
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
    if not 0 < seconds < _LATEST:  # nor is NaN
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
    """Take a list, or the one thing that stands in its place."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []

"""
The events of a delivery: one webhook body in, events out, whatever the body holds.

Nothing here raises, and nothing is left out: an item that cannot be read becomes an unknown event that holds
it, and the other items are read all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from airflow_provider_d360.api import preferences
from airflow_provider_d360.api.notices import NoticeEvent, read_notice
from airflow_provider_d360.api.preferences import PreferenceEvent, read_preferences
from airflow_provider_d360.api.reading import elements, event_time, integer, mapping, text

# How far a message has come; ``failed`` is final. A status that is not here says nothing about that.
RANKS: Mapping[str, int] = {"sent": 1, "delivered": 2, "read": 3, "played": 4, "failed": 5}

_LONGEST_ID = 256  # WhatsApp's are a quarter of that, and database indexes have limits
_CODE_DIGITS = 9

# Fields of a change whose messages are not replies: what the business wrote with its phone app, and what was
# written before the number came to the API.
_NOT_INCOMING = ("smb_message_echoes", "message_echoes", "history")

_ITEMS = ("statuses", "messages", "errors", preferences.NAME)
_ENVELOPE = ("entry", "changes", "value")
_CONTEXT = ("contacts", "metadata", "meta")  # belongs to the items beside it

# What may become of other things than messages. A payment that failed is no message that failed.
_NOT_MESSAGES = ("payment", "call")


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Why a message failed, as WhatsApp states it.

    :param code: Meta's code, or the on-premise API's; ``None`` without one.
    :param title: What happened; ``None`` when not stated.
    :param details: More about it; ``None`` when not stated.
    """

    code: int | None
    title: str | None = None
    details: str | None = None


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """
    The status of a message that was sent.

    Of a message to a group this comes once for each participant, with the same id; the store keeps one row
    for each message and status.

    :param message_id: The message's id, as the response to sending gave it.
    :param status: ``sent``, ``delivered``, ``read``, ``played``, ``failed``, or something newer; of a payment
        or a call never one of those five: ``payment failed``.
    :param at: When, in Unix seconds, from 2009 to 2099; ``None`` without a readable time. A clock that was
        wrong may still put it years ahead.
    :param recipient_id: The recipient's number, or a group's id.
    :param recipient_user_id: The recipient's business-scoped user id.
    :param biz_opaque_callback_data: What was sent along with the message, to come back here.
    :param failure: The first of the errors.
    :param category: What the message is charged as: ``utility``, ``marketing``, …; ``None`` when not stated.
    :param billable: Whether it is charged; ``None`` when not stated.
    :param on_premise: Whether it came from the on-premise API, which has error codes of its own.
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
    :param type: ``text``, ``button``, ``interactive``, … ; ``unknown`` when not stated.
    :param sender: The sender's number; ``None`` when the sender hides it.
    :param sender_user_id: The sender's business-scoped user id.
    :param at: When, in Unix seconds, as for :class:`StatusEvent`.
    :param reply_to: The id of the message that it replies to; ``None`` when it is no reply.
    :param number: The business number that received it.
    :param raw: The message as received, with its content and its time as sent.
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
    Something else: another kind of event, or an item that cannot be read.

    :param raw: The item as it was delivered.
    """

    raw: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class OmittedEvent:
    """
    Something that is deliberately not stored.

    :param kind: ``empty`` (a body without content), or the field of the change: ``history``,
        ``message_echoes`` or ``smb_message_echoes``.
    """

    kind: str


Event = StatusEvent | MessageEvent | NoticeEvent | PreferenceEvent | UnknownEvent | OmittedEvent


def read_events(body: object) -> list[Event]:
    """
    Read all events of one delivery, in its order: cloud's envelope or the flat one of the on-premise API.

    Parts of an envelope are read as well, as gateways and tests pass them on: one entry, one change, several
    envelopes in a list, one item in place of a list.

    :param body: Any value that JSON can express.
    """
    if body in (None, "", [], {}):
        return [OmittedEvent("empty")]
    envelopes = body if isinstance(body, list) else [body]
    return [event for envelope in envelopes for event in _read_envelope(envelope)]


def _read_envelope(envelope: object) -> list[Event]:
    if not isinstance(envelope, dict):
        return [UnknownEvent(envelope)]
    events: list[Event] = [event for entry in elements(envelope.get("entry")) for event in _read_entry(entry)]
    if elements(envelope.get("changes")):
        events += _read_entry({"changes": envelope["changes"]})
    if elements(envelope.get("value")):
        events += _read_change({"field": envelope.get("field"), "value": envelope["value"]})
    on_premise = envelope.keys().isdisjoint(("messaging_product", *_ENVELOPE))
    events += _read_items(envelope, on_premise=on_premise)
    return events + _read_others(envelope, _ENVELOPE + _ITEMS) if events else [UnknownEvent(envelope)]


def _read_entry(entry: object) -> list[Event]:
    changes = elements(mapping(entry).get("changes"))
    events = [event for change in changes for event in _read_change(change, mapping(entry))]
    return events + _read_others(entry, ("changes",)) if events else [UnknownEvent(entry)]


def _read_change(change: object, entry: Mapping[str, object] = MappingProxyType({})) -> list[Event]:
    data = mapping(change)
    events: list[Event] = []
    for value in elements(data.get("value")):
        one = {**data, "value": value}
        notice = read_notice(one, entry.get("id"), entry.get("time"))
        events += [notice] if notice else _read_value(value, data.get("field")) or [UnknownEvent(one)]
    return events + _read_others(change, ("value",)) if events else [UnknownEvent(change)]


def _read_value(value: object, topic: object) -> list[Event]:
    data = mapping(value)
    if data and isinstance(topic, str) and topic in _NOT_INCOMING:
        others = {name: items for name, items in data.items() if name != "messages"}
        return [*_read_items(others, on_premise=False), OmittedEvent(topic)]
    events = _read_items(data, on_premise=False)
    return events + _read_others(value, _ITEMS) if events else []


def _read_items(value: Mapping[str, object], *, on_premise: bool) -> list[Event]:
    events = [_read_status(item, on_premise) for item in elements(value.get("statuses"))]
    events += [_read_message(item, value) for item in elements(value.get("messages"))]
    events += [UnknownEvent(item) for item in elements(value.get("errors"))]
    wishes, others = read_preferences(value)
    return [*events, *wishes, *map(UnknownEvent, others)]


def _read_others(whole: object, names: Sequence[str]) -> list[Event]:
    """Return everything that is not an event: unknown items, and values where items are expected."""
    return [
        UnknownEvent({name: value})
        for name, value in mapping(whole).items()
        if _is_unread(name, value, names)
    ]


def _is_unread(name: str, value: object, names: Sequence[str]) -> bool:
    """Return True for items under another name, and for something else than items under one of the names."""
    is_items = isinstance(value, list | dict)
    if name in names:
        return not is_items and value is not None
    return is_items and bool(value) and name not in _CONTEXT


def _read_status(item: object, on_premise: bool) -> Event:
    data = mapping(item)
    message_id, status = _id(data.get("id")), _id(data.get("status"))
    if message_id is None or status is None:
        return UnknownEvent(item)
    if status in RANKS and data.get("type") in _NOT_MESSAGES:
        status = f"{data['type']} {status}"
    pricing = mapping(data.get("pricing"))
    billable = pricing.get("billable")
    return StatusEvent(
        message_id,
        status,
        event_time(data.get("timestamp")),
        text(data.get("recipient_id")) or text(mapping(data.get("message")).get("recipient_id")),
        text(data.get("recipient_user_id")),
        text(data.get("biz_opaque_callback_data")),
        _failure(data.get("errors")),
        text(pricing.get("category")),
        billable if isinstance(billable, bool) else None,
        on_premise,
    )


def _failure(errors: object) -> Failure | None:
    first = next((error for error in elements(errors) if isinstance(error, dict)), None)
    if first is None:
        return None
    details = text(mapping(first.get("error_data")).get("details")) or text(first.get("details"))
    return Failure(
        integer(first.get("code"), digits=_CODE_DIGITS),
        text(first.get("title")) or text(first.get("message")),
        details,
    )


def _read_message(item: object, value: Mapping[str, object]) -> Event:
    data = mapping(item)
    message_id = _id(data.get("id"))
    if message_id is None:
        return UnknownEvent(item)
    sender, metadata = text(data.get("from")), mapping(value.get("metadata"))
    return MessageEvent(
        message_id,
        _id(data.get("type")) or "unknown",
        sender,
        text(data.get("from_user_id")) or _user_id(sender, value.get("contacts")),
        event_time(data.get("timestamp")),
        _id(mapping(data.get("context")).get("id")),
        text(metadata.get("display_phone_number")) or text(metadata.get("phone_number_id")),
        item,
    )


def _user_id(sender: str | None, contacts: object) -> str | None:
    """Find the sender's user id among the contacts of the delivery."""
    entries = (mapping(contact) for contact in elements(contacts))
    return next((text(contact.get("user_id")) for contact in entries if contact.get("wa_id") == sender), None)


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID else None

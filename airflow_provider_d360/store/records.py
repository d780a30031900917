"""What is kept, as values: events into rows, rows into what readers get."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_d360.api.events import RANKS, Event, MessageEvent, StatusEvent
from airflow_provider_d360.api.privacy import mask_number, scrub

Row = dict[str, Any]

_LONGEST_TEXT = 512  # as WhatsApp's own limit for what is sent along; also keeps indexes within theirs
_LONGEST_EXPLANATION = 2000


@dataclass(frozen=True, slots=True)
class Status:
    """
    One thing that became of a message.

    :param message_id: The message.
    :param status: ``sent``, ``delivered``, ``read``, ``played``, ``failed``, or something newer.
    :param rank: How far that is: see :data:`airflow_provider_d360.api.events.RANKS`; 0 when unknown.
    :param at: When it happened, in Unix seconds; ``None`` when WhatsApp did not say.
    :param received_at: When we were told.
    :param recipient: Who was to get the message, masked.
    :param intent: What was sent along with the message as ``biz_opaque_callback_data``.
    :param error_code: Why it failed: Meta's code, or the on-premise API's.
    :param error_title: What happened.
    :param error_details: More about it.
    :param on_premise: Which of the two the code is.
    :param category: What the message is charged as.
    :param billable: Whether it is charged.
    """

    message_id: str
    status: str
    rank: int
    at: float | None
    received_at: float
    recipient: str | None
    intent: str | None
    error_code: int | None
    error_title: str | None
    error_details: str | None
    on_premise: bool
    category: str | None
    billable: bool | None


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """
    A message that a task sent.

    :param message_id: Its id.
    :param dag_id: The DAG that sent it; and so on down to the try.
    :param recipient: Who is to get it; the store keeps it masked.
    :param conn_id: The connection it went through.
    :param at: When, in Unix seconds.
    :param intent: What was sent along as ``biz_opaque_callback_data``.
    """

    message_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    recipient: str
    conn_id: str
    at: float
    intent: str | None = None


@dataclass(frozen=True, slots=True)
class SentMessage:
    """
    A message of the outbox with what became of it.

    :param entry: What was sent, and by whom.
    :param status: The status that counts; ``None`` while nothing is known.
    """

    entry: OutboxEntry
    status: Status | None


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """
    A message that somebody sent to us. The parameters are those of ``MessageEvent``.

    :param received_at: When we were told.
    :param content: The message as it came; ``None`` when it is nested too deeply to be kept or read.
    """

    message_id: str
    type: str
    sender: str | None = field(repr=False)
    sender_user_id: str | None = field(repr=False)
    at: float | None
    received_at: float
    reply_to: str | None
    number: str | None
    content: Any = field(repr=False)


def status_rows(events: Iterable[Event], received_at: float) -> list[Row]:
    """Make one row for each message and status; what a duplicate knows more is kept."""
    rows: dict[tuple[str, str], Row] = {}
    for event in events:
        if isinstance(event, StatusEvent):
            row = _status_row(event, received_at)
            key = row["message_id"], row["status"]
            known = rows.setdefault(key, row)
            if known is not row:
                rows[key] = {name: row[name] if value is None else value for name, value in known.items()}
    # In the same order everywhere, or two receivers would wait for each other's rows.
    return [rows[key] for key in sorted(rows)]


def inbox_rows(events: Iterable[Event], received_at: float) -> list[Row]:
    """Make one row for each message."""
    rows: dict[str, Row] = {}
    for event in events:
        if isinstance(event, MessageEvent):
            row = _inbox_row(event, received_at)
            rows.setdefault(row["message_id"], row)
    return [rows[key] for key in sorted(rows)]


def outbox_row(entry: OutboxEntry) -> Row:
    """Make the row of a message that was sent."""
    return {
        "message_id": entry.message_id,
        "intent": _clean(entry.intent),
        "dag_id": entry.dag_id,
        "run_id": entry.run_id,
        "task_id": entry.task_id,
        "map_index": entry.map_index,
        "try_number": entry.try_number,
        "recipient": mask_number(entry.recipient),
        "conn_id": entry.conn_id,
        "at": entry.at,
    }


def inbox_message(row: Row) -> InboxMessage:
    """Read a row of the inbox."""
    return InboxMessage(**{**row, "content": _content(row["content"])})


def _status_row(event: StatusEvent, received_at: float) -> Row:
    recipient, failure = event.recipient_id or event.recipient_user_id, event.failure
    return {
        "message_id": _clean(event.message_id),
        "status": _clean(event.status),
        "rank": RANKS.get(event.status, 0),
        "at": event.at,
        "received_at": received_at,
        "recipient": None if recipient is None else mask_number(_clean(recipient)),
        "intent": _clean(event.biz_opaque_callback_data),
        "error_code": failure and failure.code,
        "error_title": failure and _explanation(failure.title),
        "error_details": failure and _explanation(failure.details),
        "on_premise": event.on_premise,
        "category": _clean(event.category),
        "billable": event.billable,
    }


def _inbox_row(event: MessageEvent, received_at: float) -> Row:
    return {
        "message_id": _clean(event.message_id),
        "type": _clean(event.type),
        "sender": _clean(event.sender),
        "sender_user_id": _clean(event.sender_user_id),
        "at": event.at,
        "received_at": received_at,
        "reply_to": _clean(event.reply_to),
        "number": _clean(event.number),
        "content": _json(event.raw),
    }


def _explanation(text: str | None) -> str | None:
    """Keep what WhatsApp says of a failure, without the number that it sometimes names."""
    return None if text is None else _clean(scrub(text[: 2 * _LONGEST_EXPLANATION]), _LONGEST_EXPLANATION)


def _clean(text: str | None, longest: int = _LONGEST_TEXT) -> str | None:
    """Make a text storable: PostgreSQL takes no NUL, and no database takes half a surrogate pair."""
    if text is None:
        return None
    text = text[:longest]
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _json(value: object) -> str | None:
    """Write the content of a message, all in ASCII, so that nothing in it can be refused."""
    try:
        return json.dumps(value, separators=(",", ":"))
    except (RecursionError, TypeError, ValueError):
        return None


def _content(text: str | None) -> Any:
    """Read the content of a message; what one process could write may be too deep for another."""
    try:
        return None if text is None else json.loads(text)
    except (RecursionError, ValueError):
        return None

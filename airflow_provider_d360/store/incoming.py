"""Rows of the inbox: what they hold, and how they are made of events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Double, Index, RowMapping, String, Table, Text

from airflow_provider_d360.api.events import Event, MessageEvent
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Row, storable_json, storable_text

INBOX = Table(
    "d360_inbox",
    METADATA,
    Column("message_id", String, primary_key=True),
    Column("type", String, nullable=False),
    Column("sender", String),
    Column("sender_user_id", String),
    Column("at", Double),
    Column("received_at", Double, nullable=False),
    Column("reply_to", String),
    Column("number", String),
    Column("content", Text),  # the message as it came, in JSON
)
Index("d360_inbox_received_at", INBOX.c.received_at)

Index("d360_inbox_sender", INBOX.c.sender, INBOX.c.received_at)
Index("d360_inbox_sender_user_id", INBOX.c.sender_user_id, INBOX.c.received_at)
Index("d360_inbox_reply_to", INBOX.c.reply_to, INBOX.c.received_at)

_ARRIVAL_STEP_SECONDS = 1e-6  # between two messages of one transaction, which have an order, too


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """
    A message that somebody sent to us.

    :param message_id: Its id.
    :param type: ``text``, ``image``, ``interactive``…: see WhatsApp's webhook reference.
    :param sender: The sender's number.
    :param sender_user_id: The sender's user id (BSUID), which replaces the number of people who hide it.
    :param at: When it was sent, in Unix seconds; None if WhatsApp did not say.
    :param received_at: When the receiver got it, in Unix seconds.
    :param reply_to: Id of the message that it replies to.
    :param number: Our number, to which it was sent.
    :param content: The message as it came, parsed from JSON; None if it is nested too deeply for
        Python to read; the table holds it all the same.
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


def inbox_rows(events: Iterable[Event], received_at: float) -> list[Row]:
    """
    Make one row for each message; several if their contents differ. Each is a microsecond later.

    :param events: Any events; others than messages are ignored.
    :param received_at: When the first was received, in Unix seconds.
    """
    rows: dict[tuple[str, str], Row] = {}
    messages = (event for event in events if isinstance(event, MessageEvent))
    for position, event in enumerate(messages):
        row = _inbox_row(event, received_at + position * _ARRIVAL_STEP_SECONDS)
        rows.setdefault((row["message_id"], row["content"]), row)
    return sorted(rows.values(), key=lambda row: repr(row["message_id"]))  # an id may be missing


def inbox_message(row: RowMapping) -> InboxMessage:
    """
    Read a row of the table.

    :param row: A row with all its columns.
    """
    return InboxMessage(**{**row, "content": _content(row["content"])})


def _inbox_row(event: MessageEvent, received_at: float) -> Row:
    return {
        "message_id": storable_text(event.message_id),
        "type": storable_text(event.type),
        "sender": storable_text(event.sender),
        "sender_user_id": storable_text(event.sender_user_id),
        "at": event.at,
        "received_at": received_at,
        "reply_to": storable_text(event.reply_to),
        "number": storable_text(event.number),
        "content": storable_json(event.raw),
    }


def _content(text: str | None) -> Any:
    """Read the content of a message; what one process could read may be nested too deeply for another."""
    try:
        return None if text is None else json.loads(text)
    except (RecursionError, ValueError):
        return None

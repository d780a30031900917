"""The inbox: messages that people sent to us."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Double, Index, Select, String, Table, Text, select

from airflow_provider_d360.api.events import Event, MessageEvent
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.raw import RAW_TYPE, raw_row
from airflow_provider_d360.store.rows import (
    CLOCK_SKEW_SECONDS,
    Insert,
    Row,
    chunks,
    correct_future,
    count_rows,
    delete_rows,
    storable_json,
    storable_text,
)

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

_INSERT = Insert(INBOX)


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


class Inbox:
    """
    The table of received messages. It holds whole numbers and texts.

    Its methods raise ``StoreUnavailableError`` while the database stays locked or away.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """
        Write rows; messages that are already there stay as they are.

        Of a message with the id of another one, the content is stored as it is, with type ``d360:raw``.

        :param connection: A connection in a transaction that writes.
        :param rows: Rows of :func:`inbox_rows`.
        """
        _INSERT.execute(connection, rows)
        stored: dict[str, str | None] = {}
        for chunk in chunks([row["message_id"] for row in rows]):
            query = select(INBOX.c.message_id, INBOX.c.content).where(INBOX.c.message_id.in_(chunk))
            stored.update((row.message_id, row.content) for row in connection.execute(query))
        others = [row for row in rows if stored.get(row["message_id"]) != row["content"]]
        raw = {
            row["message_id"]: row
            for row in (raw_row(each["content"], each["received_at"]) for each in others)
        }
        _INSERT.execute(connection, [raw[key] for key in sorted(raw)])

    def messages(self, *, since: float, limit: int = 1000) -> list[InboxMessage]:
        """
        Return messages, oldest first. Rows from the future (a clock was wrong) wait for the next purge.

        :param since: Only messages received at this time or later, in Unix seconds.
        :param limit: How many at most.
        """
        received_at = INBOX.c.received_at
        times = (received_at >= since) & (received_at <= time.time() + CLOCK_SKEW_SECONDS)
        query = select(INBOX).where(times, INBOX.c.type != RAW_TYPE).order_by(received_at).limit(limit)
        return self._read(query)

    def recent(self, *, since: float, before: float | None = None, limit: int = 100) -> list[InboxMessage]:
        """
        Return messages, newest first, for pages. Rows from the future wait for the next purge.

        :param since: Only messages received at this time or later, in Unix seconds.
        :param before: Only messages received before this time, in Unix seconds; for the next page.
        :param limit: How many at most.
        """
        received_at, end = INBOX.c.received_at, time.time() + CLOCK_SKEW_SECONDS
        times = (received_at >= since) & (received_at < min(before or end, end))
        query = select(INBOX).where(times, INBOX.c.type != RAW_TYPE)
        return self._read(query.order_by(received_at.desc(), INBOX.c.message_id).limit(limit))

    def count(self) -> int:
        """Count the rows."""
        return count_rows(self._database, INBOX)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete messages that were received before a time, and return how many.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later ones were written while a clock was wrong.
        """
        correct_future(self._database, INBOX, ["received_at"], now)
        return delete_rows(self._database, INBOX, INBOX.c.received_at < older_than)

    def _read(self, query: Select[Any]) -> list[InboxMessage]:
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [InboxMessage(**{**row, "content": _content(row["content"])}) for row in rows]


def inbox_rows(events: Iterable[Event], received_at: float) -> list[Row]:
    """
    Make one row for each message; several if their contents differ.

    :param events: Any events; others than messages are ignored.
    :param received_at: When they were received, in Unix seconds.
    """
    rows: dict[tuple[str, str], Row] = {}
    for event in events:
        if isinstance(event, MessageEvent):
            row = _inbox_row(event, received_at)
            rows.setdefault((row["message_id"], row["content"]), row)
    return sorted(rows.values(), key=lambda row: repr(row["message_id"]))  # an id may be missing


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

"""Statuses: what happened to messages, as WhatsApp reported it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    select,
)

from airflow_provider_d360.api.events import RANKS, Event, StatusEvent
from airflow_provider_d360.api.privacy import mask_number, readable
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import (
    Insert,
    Row,
    chunks,
    correct_future,
    count_rows,
    delete_rows,
    storable_text,
)

STATUSES = Table(
    "d360_message_statuses",
    METADATA,
    Column("message_id", String, primary_key=True),
    Column("status", String, primary_key=True),
    Column("rank", SmallInteger, nullable=False),
    Column("at", Double),
    Column("received_at", Double, nullable=False),
    Column("recipient", String),  # masked
    Column("intent", String),
    Column("error_code", Integer),
    Column("error_title", Text),
    Column("error_details", Text),
    Column("on_premise", Boolean, nullable=False),
    Column("category", String),
    Column("billable", Boolean),
)
Index("d360_statuses_received_at", STATUSES.c.received_at)
Index(  # campaigns read the new ones each second
    "d360_statuses_failed",
    STATUSES.c.received_at,
    sqlite_where=STATUSES.c.status == "failed",
    postgresql_where=STATUSES.c.status == "failed",
)
Index(
    "d360_statuses_intent",
    STATUSES.c.intent,
    sqlite_where=STATUSES.c.intent.is_not(None),
    postgresql_where=STATUSES.c.intent.is_not(None),
)

# What a later copy of a status may add to the first one.
_INSERT = Insert(
    STATUSES,
    fill=(
        "at",
        "recipient",
        "intent",
        "error_code",
        "error_title",
        "error_details",
        "category",
        "billable",
    ),
)
_LONGEST_EXPLANATION = 2000


@dataclass(frozen=True, slots=True)
class Status:
    """
    One status of a message.

    :param message_id: The message.
    :param status: ``sent``, ``delivered``, ``read``, ``played``, ``failed``, or a newer one.
    :param rank: How far the message has come: see :data:`airflow_provider_d360.api.events.RANKS`; 0 if
        unknown.
    :param at: When it happened, in Unix seconds; None if WhatsApp did not say.
    :param received_at: When the receiver got it, in Unix seconds.
    :param recipient: The recipient, masked.
    :param intent: The message's ``biz_opaque_callback_data``.
    :param error_code: Why it failed: a code of Meta or of the on-premise API.
    :param error_title: The error in a few words.
    :param error_details: More about the error.
    :param on_premise: True: ``error_code`` is a code of the on-premise API. False: a code of Meta.
    :param category: The category that the message is charged as.
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


class Statuses:
    """
    The table of statuses. Its methods raise ``StoreUnavailableError`` while the database is locked or away.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """
        Write rows. To a status that is already there, add what was not known before; nothing is replaced.

        :param connection: A connection in a transaction that writes.
        :param rows: Rows of :func:`status_rows`.
        """
        _INSERT.execute(connection, rows)

    def current(self, message_ids: Iterable[str]) -> dict[str, Status]:
        """
        Return the status with the highest rank of each message; messages without a status are left out.

        :param message_ids: Any number; one query reads 500.
        """
        current: dict[str, Status] = {}
        for status in self._read(list(message_ids)):
            known = current.get(status.message_id, status)
            status, other = (status, known) if status.rank > known.rank else (known, status)
            if status.category is None:  # WhatsApp reports the category with one of the statuses only
                status = replace(status, category=other.category, billable=other.billable)
            current[status.message_id] = status
        return current

    def history(self, message_id: str) -> list[Status]:
        """
        Return all statuses of a message in the sequence in which they happened.

        :param message_id: The message.
        """
        statuses = self._read([message_id])
        return sorted(statuses, key=lambda status: (status.at or status.received_at, status.rank))

    def count(self) -> int:
        """Count the rows."""
        return count_rows(self._database, STATUSES)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete statuses that were received before a time, and return how many.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later ones were written while a clock was wrong.
        """
        correct_future(self._database, STATUSES, ["received_at"], now)
        return delete_rows(self._database, STATUSES, STATUSES.c.received_at < older_than)

    def _read(self, message_ids: Sequence[str]) -> list[Status]:
        def work(connection: Connection) -> list[Status]:
            return [
                Status(**row)
                for chunk in chunks(message_ids)
                for row in connection.execute(
                    select(STATUSES).where(STATUSES.c.message_id.in_(chunk))
                ).mappings()
            ]

        return self._database.read(work)


def status_rows(events: Iterable[Event], received_at: float) -> list[Row]:
    """
    Make one row of all events about the same message and status; the first value that is known counts.

    :param events: Any events; others than statuses are ignored.
    :param received_at: When they were received, in Unix seconds.
    """
    rows: dict[tuple[str, str], Row] = {}
    for event in events:
        if isinstance(event, StatusEvent):
            row = _status_row(event, received_at)
            key = row["message_id"], row["status"]
            known = rows.setdefault(key, row)
            if known is not row:
                rows[key] = {name: row[name] if value is None else value for name, value in known.items()}
    return [rows[key] for key in sorted(rows, key=repr)]  # an id may be missing


def _status_row(event: StatusEvent, received_at: float) -> Row:
    recipient, failure = event.recipient_id or event.recipient_user_id, event.failure
    return {
        "message_id": storable_text(event.message_id),
        "status": storable_text(event.status),
        "rank": RANKS.get(event.status, 0),
        "at": event.at,
        "received_at": received_at,
        "recipient": None if recipient is None else mask_number(storable_text(recipient)),
        "intent": storable_text(event.biz_opaque_callback_data),
        "error_code": failure and failure.code,
        "error_title": failure and _explanation(failure.title),
        "error_details": failure and _explanation(failure.details),
        "on_premise": event.on_premise,
        "category": storable_text(event.category),
        "billable": event.billable,
    }


def _explanation(text: str | None) -> str | None:
    """Keep what WhatsApp says about a failure, without a number that it may name."""
    if text is None:
        return None
    return storable_text(readable(text[: 2 * _LONGEST_EXPLANATION]), _LONGEST_EXPLANATION)

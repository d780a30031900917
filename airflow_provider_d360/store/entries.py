"""Entries: what the ledger keeps of each message, without its text and without whole numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

from sqlalchemy import Boolean, Column, Double, Index, Integer, RowMapping, String, Table

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Row

LEDGER = Table(
    "d360_ledger",
    METADATA,
    Column("id", String, primary_key=True),
    Column("scope", String),  # NULL in rows of a store before the ledger
    Column("content", String),
    Column("state", String, nullable=False),
    Column("source", String, nullable=False),
    Column("conn_id", String, nullable=False),
    Column("dag_id", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("task_id", String, nullable=False),
    Column("map_index", Integer, nullable=False),
    Column("try_number", Integer, nullable=False),
    Column("recipient", String, nullable=False),  # masked
    Column("recipient_hash", String),
    Column("intent", String),
    Column("message_id", String),
    Column("short_id", String),  # in logs
    Column("at", Double, nullable=False),
    Column("reason", String),
    Column("claim_round", String),
    Column("claim_index", Integer),
    Column("claim_try", Integer),
    Column("claim_place", String),
    Column("claim_exact", Boolean, nullable=False),
    Column("sent_round", String),
    Column("kept", Boolean, nullable=False),
)
Index("d360_ledger_scope", LEDGER.c.scope)
Index("d360_ledger_at", LEDGER.c.at, LEDGER.c.dag_id)
Index("d360_ledger_intent", LEDGER.c.intent)
Index("d360_ledger_message_id", LEDGER.c.message_id)
Index("d360_ledger_short_id", LEDGER.c.short_id)
Index("d360_ledger_recipient", LEDGER.c.recipient_hash)
Index(  # of all rows, it would be chosen for the pages, and scanned whole
    "d360_ledger_task",
    LEDGER.c.dag_id,
    LEDGER.c.run_id,
    LEDGER.c.task_id,
    sqlite_where=LEDGER.c.scope.is_(None),
    postgresql_where=LEDGER.c.scope.is_(None),
)


class State(str, Enum):
    """What the ledger knows of a message."""

    INTENDED = "intended"  # about to be sent: a process writes the outcome, or was killed
    ACCEPTED = "accepted"
    HELD = "held"  # WhatsApp holds it back to assess the template's quality, and may drop it
    REFUSED = "refused"  # nothing went out, so it may be sent again
    UNKNOWN = "unknown"  # the response was lost: it may be on its way
    WITHHELD = "withheld"  # not sent, because another message to this person counts as the same
    SUPPRESSED = "suppressed"  # not sent, because this person asked for no more messages


UNSETTLED = (State.UNKNOWN, State.WITHHELD)  # a person must judge; so must one of an intent that is old
OLD_INTENT_SECONDS = 600.0  # an intent without an outcome is then no message that is being sent


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A row of the ledger.

    :param id: Its id, which says nothing.
    :param scope: A hash of what must happen once: see ``sending/identity.py``; None in rows of a store from
        before the ledger.
    :param content: A hash of the message; None in rows of a store from before the ledger.
    :param state: What is known.
    :param source: ``task``, ``hook`` or ``alert``.
    :param conn_id: The Airflow connection that it was sent through.
    :param dag_id: The DAG that sent it; empty outside a task.
    :param run_id: The run of the DAG.
    :param task_id: The task.
    :param map_index: The index of a mapped task; -1 without mapping.
    :param try_number: The try of the task, from 1.
    :param recipient: The recipient, masked.
    :param recipient_hash: A hash of the recipient.
    :param intent: The ``biz_opaque_callback_data`` that was sent with it: a status that carries it is proof.
    :param message_id: The message's id, once it is known.
    :param at: When it was last about to be sent, in Unix seconds.
    :param reason: Why it was refused or is held, in WhatsApp's words.
    :param claim_round: The round in which a send last counted as this message; None if none did.
    :param claim_index: The mapped index of that send.
    :param claim_try: Its try number.
    :param claim_place: Its place among the sends of its task to this person.
    :param claim_exact: Whether that send had this very content.
    :param sent_round: The round in which it was last about to be sent.
    :param kept: It is never purged: its key was given by a user.
    :param failed: A status says that it failed.
    """

    id: str
    scope: str | None
    content: str | None
    state: State
    source: str
    conn_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    recipient: str
    recipient_hash: str | None
    intent: str | None
    message_id: str | None
    at: float
    reason: str | None = None
    claim_round: str | None = None
    claim_index: int | None = None
    claim_try: int | None = None
    claim_place: str | None = None
    claim_exact: bool = True
    sent_round: str | None = None
    kept: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class OldSender:
    """
    How a store from before the ledger knew a message: by its task and the masked recipient.

    :param dag_id: The DAG.
    :param run_id: The run of the DAG.
    :param task_id: The task.
    :param map_index: The index of a mapped task; -1 without mapping.
    :param recipient: The recipient, masked.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    recipient: str


ENTRY_COLUMNS = [LEDGER.c[field.name] for field in fields(Entry) if field.name != "failed"]


def is_unsettled(entry: Entry, now: float) -> bool:
    """
    Return whether a person must judge if a message was sent.

    :param entry: The message.
    :param now: The time, in Unix seconds.
    """
    if entry.state is State.INTENDED:
        return entry.at < now - OLD_INTENT_SECONDS
    return entry.state in UNSETTLED


def read_entry(row: RowMapping) -> Entry:
    """
    Make an entry of a row.

    :param row: The values of :data:`ENTRY_COLUMNS`.
    """
    return Entry(**{**row, "state": State(row["state"])})


def entry_row(entry: Entry) -> Row:
    """
    Make a row of an entry.

    :param entry: The entry.
    """
    row = {column.name: getattr(entry, column.name) for column in ENTRY_COLUMNS}
    message_id = entry.message_id
    return {
        **row,
        "state": entry.state.value,
        "short_id": None if message_id is None else short_id(message_id),
    }

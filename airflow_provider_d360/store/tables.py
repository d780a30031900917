"""The tables, and how an older version of them becomes this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
    update,
)

METADATA = MetaData()

STATUSES = Table(
    "d360_statuses",
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
Index(
    "d360_statuses_intent",
    STATUSES.c.intent,
    sqlite_where=STATUSES.c.intent.is_not(None),
    postgresql_where=STATUSES.c.intent.is_not(None),
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

OUTBOX = Table(
    "d360_outbox",
    METADATA,
    Column("message_id", String, primary_key=True),
    Column("intent", String),
    Column("dag_id", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("task_id", String, nullable=False),
    Column("map_index", Integer, nullable=False),
    Column("try_number", Integer, nullable=False),
    Column("recipient", String, nullable=False),  # masked
    Column("conn_id", String, nullable=False),
    Column("at", Double, nullable=False),
)
Index("d360_outbox_at", OUTBOX.c.at, OUTBOX.c.dag_id)
Index("d360_outbox_intent", OUTBOX.c.intent)

ALERTS = Table(
    "d360_alerts",
    METADATA,
    Column("fingerprint", String, primary_key=True),
    Column("subject", String),
    Column("since", Double, nullable=False),
    Column("quiet_until", Double, nullable=False),
    Column("held", Integer, nullable=False),
)
Index("d360_alerts_subject", ALERTS.c.subject)

_VERSION = Table("d360_schema", METADATA, Column("version", Integer, nullable=False))

# One entry per version after the first: what turns the version before into it.
STEPS: Sequence[Callable[[Connection], None]] = ()

_LOCK = 360_0001  # any number that nobody else uses on this PostgreSQL


class NewerSchemaError(Exception):
    """The database was written by a newer version of this package."""


def is_current(connection: Connection, steps: Sequence[Callable[[Connection], None]] = STEPS) -> bool:
    """Say whether the tables are there and of this version."""
    return _version(connection) == 1 + len(steps)


def migrate(connection: Connection, steps: Sequence[Callable[[Connection], None]] = STEPS) -> None:
    """
    Create the tables, or bring them up to date, while nobody else does.

    On SQLite the caller's transaction must hold the write lock already.

    :raises NewerSchemaError: when they are newer than this code.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text("SET LOCAL statement_timeout = 0"))  # a step may take its time
    found, newest = _version(connection), 1 + len(steps)
    if found is None:
        METADATA.create_all(connection)
        connection.execute(insert(_VERSION), {"version": newest})
    elif found > newest:
        raise NewerSchemaError(f"The store has version {found}, and this package knows up to {newest}")
    else:
        for step in steps[found - 1 :]:
            step(connection)
        connection.execute(update(_VERSION).values(version=newest))


def _version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version)).scalar()

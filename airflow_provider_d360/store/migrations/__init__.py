"""
The steps that bring a store up to date, one numbered module each.

A step is a function ``apply(connection)``. It is frozen once released: it writes its own SQL, for SQLite and
PostgreSQL, and uses no table of the code, which goes on changing. To add one, write the next numbered module
and append its function to :data:`STEPS`. A new store runs all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Column, Connection, Integer, MetaData, Table, delete, insert, inspect, select, text

from airflow_provider_d360.store.migrations import (
    m0001_first_tables,
    m0002_health,
    m0003_short_ids,
    m0004_ledger,
    m0005_notices,
    m0006_alerts,
    m0007_suppression,
    m0008_rate_leases,
    m0009_campaigns,
    m0010_conversations,
    m0011_alert_history,
)

METADATA = MetaData()  # all tables of the store; each is defined in the module of its subject

SCHEMA = Table("d360_schema", METADATA, Column("version", Integer, nullable=False))

Step = Callable[[Connection], None]
# The version of a store is the number of steps that were applied to it.
STEPS: Sequence[Step] = (
    m0001_first_tables.apply,
    m0002_health.apply,
    m0003_short_ids.apply,
    m0004_ledger.apply,
    m0005_notices.apply,
    m0006_alerts.apply,
    m0007_suppression.apply,
    m0008_rate_leases.apply,
    m0009_campaigns.apply,
    m0010_conversations.apply,
    m0011_alert_history.apply,
)

# Each process that opens a store asks for them: SQLAlchemy's inspector takes many times as long.
_TABLE_NAMES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()",
}
_LOCK = 360_0001  # any number that nobody else uses on this PostgreSQL


class NewerSchemaError(Exception):
    """The database was written by a newer version of this package."""


def is_current(connection: Connection, steps: Sequence[Step] = STEPS) -> bool:
    """
    Return True if all tables exist and no step is missing.

    :param connection: A connection to the store, in a transaction.
    :param steps: All steps; tests pass others.
    """
    return not missing_tables(connection) and _read_version(connection) == len(steps)


def missing_tables(connection: Connection) -> list[str]:
    """
    Return the names of the tables that do not exist, sorted.

    :param connection: A connection to the store, in a transaction.
    """
    names = connection.exec_driver_sql(_TABLE_NAMES[connection.dialect.name]).scalars()
    return sorted(METADATA.tables.keys() - set(names))


def migrate(connection: Connection, steps: Sequence[Step] = STEPS) -> list[str]:
    """
    Apply the missing steps while no other process does, and return which tables had been dropped.

    Tables that somebody dropped are created again, empty.

    :param connection: A connection in a transaction, which on SQLite must hold the write lock already.
    :param steps: All steps; tests pass others.
    :raises NewerSchemaError: The store has more steps than this code knows.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text("SET LOCAL statement_timeout = 0"))  # a step may take long
    version = _version(connection)
    if version > len(steps):
        raise NewerSchemaError(f"The store has version {version}, and this package knows up to {len(steps)}")
    for step in steps[version:]:
        step(connection)
    dropped = missing_tables(connection)
    METADATA.create_all(connection)
    if version != len(steps):
        connection.execute(delete(SCHEMA))
        connection.execute(insert(SCHEMA), {"version": len(steps)})
    return dropped


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(SCHEMA.name):
        return 0
    return _read_version(connection)


def _read_version(connection: Connection) -> int:
    return connection.execute(select(SCHEMA.c.version)).scalar() or 0

"""The statements that write, in the words of each database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Connection, Table, Text, bindparam, cast, column, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_d360.store.records import Row
from airflow_provider_d360.store.tables import INBOX, OUTBOX, STATUSES

# What a later copy of a status may add to the first one. It never takes anything away.
_ADDED_LATER = (
    "at",
    "recipient",
    "intent",
    "error_code",
    "error_title",
    "error_details",
    "category",
    "billable",
)


def write_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """
    Insert what is not there yet; to a status that is, add what was not known before.

    No two of the rows may have the same key.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(_POSTGRESQL[table], {"rows": json.dumps(rows)})
    else:
        connection.execute(_SQLITE[table], rows)


def _settle(insert: Any, table: Table) -> Any:
    """Say what happens to rows that are there already; a plain duplicate does not touch them."""
    if table is not STATUSES:
        return insert.on_conflict_do_nothing()
    new, old = insert.excluded, table.c
    return insert.on_conflict_do_update(
        index_elements=[old.message_id, old.status],
        set_={name: func.coalesce(old[name], new[name]) for name in _ADDED_LATER},
        where=or_(*(old[name].is_(None) & new[name].is_not(None) for name in _ADDED_LATER)),
    )


def _from_json(table: Table) -> Any:
    """Take all rows as one parameter: four to eight times faster there than a list of VALUES."""
    rows = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
    given = rows.table_valued(*(column(c.name, c.type) for c in table.c), name="given").render_derived(
        with_types=True
    )
    return postgresql.insert(table).from_select([c.name for c in table.c], select(given))


_TABLES = (STATUSES, INBOX, OUTBOX)
_SQLITE = {table: _settle(sqlite.insert(table), table) for table in _TABLES}
_POSTGRESQL = {table: _settle(_from_json(table), table) for table in _TABLES}

"""What the tables share: inserting rows, deleting old ones, and making texts storable."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Table,
    Text,
    bindparam,
    case,
    cast,
    column,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_d360.store.database import Database

Row = dict[str, Any]
T = TypeVar("T")

LONGEST_TEXT = 512  # WhatsApp's own limit for biz_opaque_callback_data; it keeps indexes within their limits
CLOCK_SKEW_SECONDS = 86_400.0  # a time later than that from now was written while a clock was wrong

_PARAMETERS = 500  # SQLite allows some thousand parameters in a statement, old versions fewer than 1,000
_PURGED_ROWS = 500  # in one transaction; on SQLite no other process writes meanwhile
FIRST_TIME = 1_735_689_600.0  # 2025: a clock that shows an earlier time is wrong


class Insert:
    """
    An insert statement for several rows that leaves existing rows as they are.

    :param table: The table.
    :param fill: Columns that are filled in an existing row where it has NULL; a value is never replaced.
    """

    def __init__(self, table: Table, fill: Sequence[str] = ()) -> None:
        self._sqlite = _on_conflict(sqlite.insert(table), table, fill)
        self._postgresql = _on_conflict(_insert_from_json(table), table, fill)

    def execute(self, connection: Connection, rows: Sequence[Row]) -> None:
        """
        Insert rows.

        :param connection: A connection in a transaction that writes.
        :param rows: Values by column, the same columns in each; the others become NULL. No two rows may have
            the same key; sort them by key, or two processes may wait for each other's rows.
        """
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            connection.execute(self._postgresql, {"rows": json.dumps(rows)})
        else:
            connection.execute(self._sqlite, rows)


def _on_conflict(insert: Any, table: Table, fill: Sequence[str]) -> Any:
    if not fill:
        return insert.on_conflict_do_nothing()
    new, old = insert.excluded, table.c
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: func.coalesce(old[name], new[name]) for name in fill},
        where=or_(*(old[name].is_(None) & new[name].is_not(None) for name in fill)),
    )


def _insert_from_json(table: Table) -> Any:
    """Pass all rows as one parameter: on PostgreSQL four to eight times faster than a list of VALUES."""
    rows = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
    columns = rows.table_valued(*(column(c.name, c.type) for c in table.c), name="new_rows")
    values = columns.render_derived(with_types=True)
    return postgresql.insert(table).from_select([c.name for c in table.c], select(values))


def is_among(column: ColumnElement[Any], connection: Connection) -> ColumnElement[bool]:
    """
    Return the condition that a column has one of the values in the parameter ``keys``, a list in JSON.

    :param column: A column of texts.
    :param connection: A connection to the database.
    """
    keys = bindparam("keys", type_=Text)
    if connection.dialect.name == "postgresql":
        return column.in_(select(func.json_array_elements_text(cast(keys, JSON)).column_valued("key")))
    return column.in_(select(func.json_each(keys).table_valued("value").c.value))


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """
    Split values into pieces that fit into one statement.

    :param values: The values.
    """
    return (values[start : start + _PARAMETERS] for start in range(0, len(values), _PARAMETERS))


def count_rows(database: Database, table: Table) -> int:
    """
    Count the rows of a table.

    :param database: The database.
    :param table: The table.
    """
    query = select(func.count()).select_from(table)
    return database.read(lambda connection: int(connection.execute(query).scalar_one()))


def delete_rows(database: Database, table: Table, condition: ColumnElement[bool]) -> int:
    """
    Delete rows in pieces, with a pause as long as each took, and return how many.

    SQLite lets one process write at a time, and not in turn: without pauses nobody else would write.

    :param database: The database.
    :param table: The table.
    :param condition: Which rows. Those that another transaction has locked stay.
    """
    keys = select(*table.primary_key.columns).where(condition).limit(_PURGED_ROWS)
    piece = delete(table).where(
        tuple_(*table.primary_key.columns).in_(keys.with_for_update(skip_locked=True))
    )
    total = 0
    while True:
        began = time.monotonic()
        deleted = database.write(lambda connection: connection.execute(piece).rowcount)
        total += deleted
        if deleted < _PURGED_ROWS:
            return total
        time.sleep(time.monotonic() - began)


def correct_future(database: Database, table: Table, columns: Sequence[str], now: float) -> None:
    """
    Set times that are more than a day in the future to now, so that the rows grow old from now on.

    Nothing is changed while the clock itself shows a time before 2025.

    :param database: The database.
    :param table: The table.
    :param columns: Columns with times, in Unix seconds.
    :param now: The time, in Unix seconds.
    """
    if now < FIRST_TIME:
        return
    wrong = {name: table.c[name] > now + CLOCK_SKEW_SECONDS for name in columns}
    values = {name: case((is_wrong, now), else_=table.c[name]) for name, is_wrong in wrong.items()}
    statement = update(table).where(or_(*wrong.values())).values(values)
    database.write(lambda connection: connection.execute(statement).rowcount)


def storable_text(text: str | None, max_length: int = LONGEST_TEXT) -> str | None:
    """
    Cut a text, and replace NUL, which PostgreSQL rejects, and halves of surrogate pairs, which all reject.

    :param text: The text; None stays None.
    :param max_length: In characters.
    """
    if text is None:
        return None
    text = text[:max_length]
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def storable_json(value: object) -> str:
    """
    Write a value in JSON, in ASCII, which every database accepts.

    What one process could read may be nested too deeply for ``json`` to write: the limit depends on how many
    calls are in progress. Such a value is written without recursion.

    :param value: A value that was read from JSON.
    """
    try:
        return json.dumps(value, separators=(",", ":"))
    except RecursionError:
        return "".join(_write_flat(value))


def _write_flat(value: object) -> Iterator[str]:
    pending: list[tuple[bool, Any]] = [(False, value)]  # whether it is written already, and it
    while pending:
        is_written, item = pending.pop()
        if is_written:
            yield item
        elif not isinstance(item, dict | list):
            yield json.dumps(item)
        else:
            opening, closing = "{}" if isinstance(item, dict) else "[]"
            pending.append((True, closing))
            for number, (name, child) in reversed(list(enumerate(_named(item)))):
                pending += [(False, child), (True, f"{',' if number else ''}{name}")]
            pending.append((True, opening))


def _named(items: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(items, dict):
        return ((f"{json.dumps(name)}:", value) for name, value in items.items())
    return (("", value) for value in items)

"""Step 3: short forms of message ids in the outbox, which the addresses of pages hold."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from airflow_provider_d360.api.privacy import short_id

_ROWS_AT_ONCE = 5_000


def apply(connection: Connection) -> None:
    """
    Add the column and fill it.

    :param connection: A connection to the store, in a transaction that writes.
    """
    columns = {column["name"] for column in inspect(connection).get_columns("d360_outbox")}
    if "short_id" not in columns:  # it is there where only the version was lost
        connection.exec_driver_sql("ALTER TABLE d360_outbox ADD COLUMN short_id VARCHAR")
    unfilled = text("SELECT message_id FROM d360_outbox WHERE short_id IS NULL LIMIT :rows")
    fill = text("UPDATE d360_outbox SET short_id = :short_id WHERE message_id = :message_id")
    while message_ids := connection.execute(unfilled, {"rows": _ROWS_AT_ONCE}).scalars().all():
        connection.execute(fill, [{"short_id": short_id(each), "message_id": each} for each in message_ids])
    connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS d360_outbox_short_id ON d360_outbox (short_id)")

"""Step 8: when each number may send, for all processes together."""

from __future__ import annotations

from sqlalchemy import Connection

_TABLE = """
    CREATE TABLE IF NOT EXISTS d360_rates (
        number VARCHAR NOT NULL PRIMARY KEY,
        timeline TEXT NOT NULL,
        slowed_to {double} NOT NULL,
        slowed_at {double} NOT NULL
    )
"""


def apply(connection: Connection) -> None:
    """
    Create the table.

    :param connection: A connection to the store, in a transaction that writes.
    """
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    connection.exec_driver_sql(_TABLE.format(double=double))

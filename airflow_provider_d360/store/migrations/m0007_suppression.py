"""Step 7: who asked for no more messages."""

from __future__ import annotations

from sqlalchemy import Connection

_TABLE = """
    CREATE TABLE IF NOT EXISTS d360_suppressions (
        person VARCHAR NOT NULL,
        origin VARCHAR NOT NULL,
        recipient VARCHAR,
        scope VARCHAR NOT NULL,
        source VARCHAR NOT NULL,
        reason VARCHAR,
        at {double} NOT NULL,
        active BOOLEAN NOT NULL,
        PRIMARY KEY (person, origin)
    )
"""


def apply(connection: Connection) -> None:
    """
    Create the table.

    :param connection: A connection to the store, in a transaction that writes.
    """
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    connection.exec_driver_sql(_TABLE.format(double=double))

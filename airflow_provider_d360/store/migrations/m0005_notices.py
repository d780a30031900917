"""Step 5: what WhatsApp reports about templates, numbers and accounts."""

from __future__ import annotations

from sqlalchemy import Connection

_TABLE = """
    CREATE TABLE IF NOT EXISTS d360_notices (
        id VARCHAR NOT NULL PRIMARY KEY,
        about VARCHAR NOT NULL,
        subject VARCHAR NOT NULL,
        kind VARCHAR NOT NULL,
        state VARCHAR NOT NULL,
        level SMALLINT NOT NULL,
        text TEXT NOT NULL,
        at {double} NOT NULL,
        ends_at {double},
        received_at {double} NOT NULL,
        announce_at {double},
        content TEXT NOT NULL
    )
"""


def apply(connection: Connection) -> None:
    """
    Create the table.

    :param connection: A connection to the store, in a transaction that writes.
    """
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    connection.exec_driver_sql(_TABLE.format(double=double))

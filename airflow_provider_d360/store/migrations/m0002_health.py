"""Step 2: the table that the health check writes."""

from __future__ import annotations

from sqlalchemy import Connection


def apply(connection: Connection) -> None:
    """
    Create the table.

    :param connection: A connection to the store, in a transaction that writes.
    """
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    connection.exec_driver_sql(
        f"""
        CREATE TABLE IF NOT EXISTS d360_health (
            id VARCHAR NOT NULL PRIMARY KEY,
            at {double} NOT NULL,
            payload TEXT NOT NULL
        )
        """
    )

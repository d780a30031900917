"""Step 11: the outcome of each alert."""

from __future__ import annotations

from sqlalchemy import Connection

_STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS d360_alert_history (
        id VARCHAR NOT NULL PRIMARY KEY,
        at {double} NOT NULL,
        state VARCHAR NOT NULL,
        told_by VARCHAR,
        group_name VARCHAR,
        subject VARCHAR,
        event VARCHAR NOT NULL,
        conn_id VARCHAR NOT NULL,
        dag_id VARCHAR NOT NULL,
        run_id VARCHAR NOT NULL,
        task_id VARCHAR NOT NULL,
        map_index INTEGER NOT NULL,
        recipients VARCHAR NOT NULL,
        messages VARCHAR NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_alert_history_at ON d360_alert_history (at, dag_id)",
    "CREATE INDEX IF NOT EXISTS d360_alert_history_told_by ON d360_alert_history (told_by)",
    "CREATE INDEX IF NOT EXISTS d360_alert_history_group ON d360_alert_history (group_name)",
    "CREATE INDEX IF NOT EXISTS d360_alert_history_subject ON d360_alert_history (subject)",
)


def apply(connection: Connection) -> None:
    """
    Create the table.

    :param connection: A connection to the store, in a transaction that writes.
    """
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement.format(double=double))

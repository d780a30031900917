"""Step 6: alerts that are still to be sent, the groups that they belong to, and those that were held back."""

from __future__ import annotations

from sqlalchemy import Connection

_STATEMENTS = (
    # Cooldowns of before are forgotten: an alert or two may come early.
    "DROP TABLE IF EXISTS d360_alerts",
    """
    CREATE TABLE IF NOT EXISTS d360_alert_groups (
        name VARCHAR NOT NULL PRIMARY KEY,
        subject VARCHAR,
        leader VARCHAR NOT NULL,
        is_whole SMALLINT NOT NULL,
        since {double} NOT NULL,
        quiet_until {double} NOT NULL,
        summary_at {double}
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_alert_groups_subject ON d360_alert_groups (subject)",
    """
    CREATE TABLE IF NOT EXISTS d360_held_alerts (
        group_name VARCHAR NOT NULL,
        id VARCHAR NOT NULL,
        subject VARCHAR,
        label VARCHAR NOT NULL,
        at {double} NOT NULL,
        PRIMARY KEY (group_name, id)
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_held_alerts_subject ON d360_held_alerts (subject)",
    """
    CREATE TABLE IF NOT EXISTS d360_due_alerts (
        id VARCHAR NOT NULL PRIMARY KEY,
        group_name VARCHAR,
        subject VARCHAR,
        conn_id VARCHAR NOT NULL,
        at {double} NOT NULL,
        due_at {double} NOT NULL,
        expires_at {double} NOT NULL,
        attempts INTEGER NOT NULL,
        claim VARCHAR,
        claimed_until {double} NOT NULL,
        waiter VARCHAR,
        waits_until {double} NOT NULL,
        content TEXT NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_due_alerts_due_at ON d360_due_alerts (due_at)",
)


def apply(connection: Connection) -> None:
    """
    Create the tables.

    :param connection: A connection to the store, in a transaction that writes.
    """
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement.format(double=double))

"""Step 1: statuses, inbox, outbox, and the cooldowns of alerts."""

from __future__ import annotations

from sqlalchemy import Connection

_STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS d360_schema (version INTEGER NOT NULL)",
    """
    CREATE TABLE IF NOT EXISTS d360_statuses (
        message_id VARCHAR NOT NULL,
        status VARCHAR NOT NULL,
        rank SMALLINT NOT NULL,
        at {double},
        received_at {double} NOT NULL,
        recipient VARCHAR,
        intent VARCHAR,
        error_code INTEGER,
        error_title TEXT,
        error_details TEXT,
        on_premise BOOLEAN NOT NULL,
        category VARCHAR,
        billable BOOLEAN,
        PRIMARY KEY (message_id, status)
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_statuses_received_at ON d360_statuses (received_at)",
    "CREATE INDEX IF NOT EXISTS d360_statuses_intent ON d360_statuses (intent) WHERE intent IS NOT NULL",
    """
    CREATE TABLE IF NOT EXISTS d360_inbox (
        message_id VARCHAR NOT NULL PRIMARY KEY,
        type VARCHAR NOT NULL,
        sender VARCHAR,
        sender_user_id VARCHAR,
        at {double},
        received_at {double} NOT NULL,
        reply_to VARCHAR,
        number VARCHAR,
        content TEXT
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_inbox_received_at ON d360_inbox (received_at)",
    """
    CREATE TABLE IF NOT EXISTS d360_outbox (
        message_id VARCHAR NOT NULL PRIMARY KEY,
        intent VARCHAR,
        dag_id VARCHAR NOT NULL,
        run_id VARCHAR NOT NULL,
        task_id VARCHAR NOT NULL,
        map_index INTEGER NOT NULL,
        try_number INTEGER NOT NULL,
        recipient VARCHAR NOT NULL,
        conn_id VARCHAR NOT NULL,
        at {double} NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_outbox_at ON d360_outbox (at, dag_id)",
    "CREATE INDEX IF NOT EXISTS d360_outbox_intent ON d360_outbox (intent)",
    """
    CREATE TABLE IF NOT EXISTS d360_alerts (
        fingerprint VARCHAR NOT NULL PRIMARY KEY,
        subject VARCHAR,
        since {double} NOT NULL,
        quiet_until {double} NOT NULL,
        held INTEGER NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_alerts_subject ON d360_alerts (subject)",
)


def apply(connection: Connection) -> None:
    """
    Create the tables.

    :param connection: A connection to the store, in a transaction that writes.
    """
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement.format(double=double))

"""Step 9: campaigns, their rows, and who sends them."""

from __future__ import annotations

from sqlalchemy import Connection

_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS d360_campaigns (
        key BIGINT NOT NULL PRIMARY KEY,
        id VARCHAR NOT NULL,
        conn_id VARCHAR NOT NULL,
        dag_id VARCHAR NOT NULL,
        run_id VARCHAR NOT NULL,
        task_id VARCHAR NOT NULL,
        is_planned BOOLEAN NOT NULL,
        message TEXT NOT NULL,
        content VARCHAR NOT NULL,
        audience VARCHAR NOT NULL,
        category VARCHAR,
        settings TEXT NOT NULL,
        plan TEXT NOT NULL,
        signal VARCHAR NOT NULL,
        signal_at {double} NOT NULL,
        rate {double},
        reason TEXT,
        epoch INTEGER NOT NULL,
        at {double} NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS d360_campaign_rows (
        campaign BIGINT NOT NULL,
        number INTEGER NOT NULL,
        person VARCHAR NOT NULL,
        recipient VARCHAR NOT NULL,
        label VARCHAR,
        payload TEXT,
        zone INTEGER,
        state VARCHAR NOT NULL,
        epoch INTEGER,
        attempts INTEGER NOT NULL,
        due_at {double},
        at {double},
        message_id VARCHAR,
        code INTEGER,
        reason VARCHAR,
        PRIMARY KEY (campaign, number)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS d360_campaign_senders (
        campaign BIGINT NOT NULL,
        shard VARCHAR NOT NULL,
        owner VARCHAR,
        epoch INTEGER NOT NULL,
        beat_at {double} NOT NULL,
        PRIMARY KEY (campaign, shard)
    )
    """,
    "CREATE UNIQUE INDEX IF NOT EXISTS d360_campaigns_id ON d360_campaigns (id)",
    "CREATE UNIQUE INDEX IF NOT EXISTS d360_campaign_rows_person ON d360_campaign_rows (campaign, person)",
    "CREATE INDEX IF NOT EXISTS d360_statuses_failed ON d360_message_statuses (received_at) "
    "WHERE status = 'failed'",
)


def apply(connection: Connection) -> None:
    """
    Create the tables, and an index of messages that failed: a campaign reads the new ones each second.

    :param connection: A connection to the store, in a transaction that writes.
    """
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    for statement in _TABLES:
        connection.exec_driver_sql(statement.format(double=double))

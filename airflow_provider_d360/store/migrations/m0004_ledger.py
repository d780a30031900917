"""Step 4: the ledger, which takes the place of the outbox, and the secret of its hashes."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, inspect, text

_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS d360_ledger (
        id VARCHAR NOT NULL PRIMARY KEY,
        scope VARCHAR,
        content VARCHAR,
        state VARCHAR NOT NULL,
        source VARCHAR NOT NULL,
        conn_id VARCHAR NOT NULL,
        dag_id VARCHAR NOT NULL,
        run_id VARCHAR NOT NULL,
        task_id VARCHAR NOT NULL,
        map_index INTEGER NOT NULL,
        try_number INTEGER NOT NULL,
        recipient VARCHAR NOT NULL,
        recipient_hash VARCHAR,
        intent VARCHAR,
        message_id VARCHAR,
        short_id VARCHAR,
        at {double} NOT NULL,
        reason VARCHAR,
        claim_round VARCHAR,
        claim_index INTEGER,
        claim_try INTEGER,
        claim_place VARCHAR,
        claim_exact BOOLEAN NOT NULL,
        sent_round VARCHAR,
        kept BOOLEAN NOT NULL
    )
    """,
    "CREATE TABLE IF NOT EXISTS d360_secret (id INTEGER NOT NULL PRIMARY KEY, value VARCHAR NOT NULL)",
)
_COPY = """
    INSERT INTO d360_ledger (id, state, source, conn_id, dag_id, run_id, task_id, map_index, try_number,
        recipient, intent, message_id, short_id, at, claim_exact, kept)
    SELECT {random_id}, 'accepted', 'task', conn_id, dag_id, run_id, task_id, map_index, try_number,
        recipient, intent, message_id, short_id, at, {true}, {false}
    FROM d360_outbox
"""
_REUNITE = """
    INSERT INTO d360_message_statuses SELECT * FROM d360_statuses WHERE true ON CONFLICT DO NOTHING
"""
_LOCK_TIMEOUT = "10s"
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS d360_ledger_scope ON d360_ledger (scope)",
    "CREATE INDEX IF NOT EXISTS d360_ledger_at ON d360_ledger (at, dag_id)",
    "CREATE INDEX IF NOT EXISTS d360_ledger_intent ON d360_ledger (intent)",
    "CREATE INDEX IF NOT EXISTS d360_ledger_message_id ON d360_ledger (message_id)",
    "CREATE INDEX IF NOT EXISTS d360_ledger_short_id ON d360_ledger (short_id)",
    "CREATE INDEX IF NOT EXISTS d360_ledger_recipient ON d360_ledger (recipient_hash)",
    "CREATE INDEX IF NOT EXISTS d360_ledger_task ON d360_ledger (dag_id, run_id, task_id) "
    "WHERE scope IS NULL",
)


def apply(connection: Connection) -> None:
    """
    Create the tables, copy the rows of the outbox and drop it, and rename the table of statuses.

    Processes of an older version then miss a table, open the store again, and stop because its schema is
    newer. What they send would be missing in the ledger, and what they receive would settle nothing in it;
    360dialog delivers again what a receiver does not take.

    :param connection: A connection to the store, in a transaction that writes.
    """
    is_postgresql = connection.dialect.name == "postgresql"
    double = "DOUBLE PRECISION" if is_postgresql else "DOUBLE"
    for statement in _TABLES:
        connection.exec_driver_sql(statement.format(double=double))
    connection.execute(
        text("INSERT INTO d360_secret (id, value) VALUES (1, :value) ON CONFLICT DO NOTHING"),
        {"value": secrets.token_hex(32)},
    )
    if is_postgresql:  # do not wait for ever for somebody who dumps the tables: others queue behind
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    tables = inspect(connection).get_table_names()
    if "d360_outbox" in tables:
        _move_outbox(connection, is_postgresql)
    for statement in _INDEXES:
        connection.exec_driver_sql(statement)
    if "d360_message_statuses" in tables:  # only the version was lost, and step 1 has made the old one again
        connection.exec_driver_sql(_REUNITE)
        connection.exec_driver_sql("DROP TABLE d360_statuses")
    elif "d360_statuses" in tables:
        connection.exec_driver_sql("ALTER TABLE d360_statuses RENAME TO d360_message_statuses")


def _move_outbox(connection: Connection, is_postgresql: bool) -> None:
    if is_postgresql:  # a row that is committed after the copy has begun would be lost
        connection.exec_driver_sql("LOCK TABLE d360_outbox IN ACCESS EXCLUSIVE MODE")
    random_id = "replace(gen_random_uuid()::text, '-', '')" if is_postgresql else "lower(hex(randomblob(16)))"
    true, false = ("TRUE", "FALSE") if is_postgresql else ("1", "0")
    connection.exec_driver_sql(_COPY.format(random_id=random_id, true=true, false=false))
    connection.exec_driver_sql("DROP TABLE d360_outbox")

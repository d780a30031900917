"""Step 10: cursors of the inbox, questions, and the indexes by which answers are found."""

from __future__ import annotations

from sqlalchemy import Connection

_STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS d360_cursors (
        name VARCHAR NOT NULL PRIMARY KEY,
        floor {double} NOT NULL,
        read_at {double} NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS d360_cursor_reads (
        cursor VARCHAR NOT NULL,
        message_id VARCHAR NOT NULL,
        received_at {double} NOT NULL,
        PRIMARY KEY (cursor, message_id)
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_inbox_sender ON d360_inbox (sender, received_at)",
    "CREATE INDEX IF NOT EXISTS d360_inbox_sender_user_id ON d360_inbox (sender_user_id, received_at)",
    "CREATE INDEX IF NOT EXISTS d360_inbox_reply_to ON d360_inbox (reply_to, received_at)",
    """
    CREATE TABLE IF NOT EXISTS d360_questions (
        id VARCHAR NOT NULL PRIMARY KEY,
        kind VARCHAR NOT NULL,
        state VARCHAR NOT NULL,
        conn_id VARCHAR NOT NULL,
        dag_id VARCHAR NOT NULL,
        run_id VARCHAR NOT NULL,
        task_id VARCHAR NOT NULL,
        map_index INTEGER NOT NULL,
        spec TEXT NOT NULL,
        asked_at {double} NOT NULL,
        expires_at {double} NOT NULL,
        closed_at {double},
        outcome TEXT
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_questions_task ON d360_questions (dag_id, run_id, task_id)",
    "CREATE INDEX IF NOT EXISTS d360_questions_asked_at ON d360_questions (asked_at)",
    """
    CREATE TABLE IF NOT EXISTS d360_question_people (
        question_id VARCHAR NOT NULL,
        position INTEGER NOT NULL,
        number VARCHAR,
        masked VARCHAR NOT NULL,
        hash VARCHAR NOT NULL,
        wa_id VARCHAR,
        sent TEXT NOT NULL,
        PRIMARY KEY (question_id, position)
    )
    """,
    "CREATE INDEX IF NOT EXISTS d360_question_people_hash ON d360_question_people (hash)",
)


def apply(connection: Connection) -> None:
    """
    Create the tables and indexes.

    :param connection: A connection to the store, in a transaction that writes.
    """
    double = "DOUBLE PRECISION" if connection.dialect.name == "postgresql" else "DOUBLE"
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement.format(double=double))

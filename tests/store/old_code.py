"""Stores as they were written before the ledger existed, and processes that go on writing to one."""

from __future__ import annotations

import io
import itertools
import threading
import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store.engines import with_driver
from airflow_provider_d360.store.migrations import STEPS

_STEPS = STEPS[:3]

OUTBOX = (
    *("message_id", "intent", "dag_id", "run_id", "task_id", "map_index", "try_number", "recipient"),
    *("conn_id", "at", "short_id"),
)
_STATUS = """
    INSERT INTO d360_statuses (message_id, status, rank, received_at, on_premise)
    VALUES (:message_id, 'delivered', 2, :at, :no)
"""


class _OldWriter(threading.Thread):
    """
    Writes rows as the code of before the ledger did, until its table is not there any more.

    :ivar committed: The message ids of all rows that were committed.
    """

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.committed = set[str]()
        self._engine = create_engine(with_driver(make_url(url)))
        self._over = threading.Event()

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        self._engine.dispose()

    def statement(self, number: int) -> tuple[str, dict[str, object]]:
        raise NotImplementedError

    def run(self) -> None:
        for number in itertools.count():
            statement, row = self.statement(number)
            while not self._commit(statement, row):
                if self._over.is_set():
                    return
                time.sleep(0.01)  # while the database is locked, it is tried again
            self.committed.add(str(row["message_id"]))
            time.sleep(0.005)

    def _commit(self, statement: str, row: dict[str, object]) -> bool:
        try:
            with self._engine.begin() as connection:
                connection.execute(text(statement), row)
        except (OperationalError, ProgrammingError) as error:
            if "no such table" in str(error) or "does not exist" in str(error):
                self._over.set()
            return False
        except DBAPIError:  # a time limit for a lock
            return False
        return True


class OldSender(_OldWriter):
    """Notes messages in the outbox."""

    def statement(self, number: int) -> tuple[str, dict[str, object]]:
        """Return what notes one message."""
        values = ", ".join(f":{name}" for name in OUTBOX)
        row = {**outbox_row(number), "message_id": f"wamid.old-sender-{number}"}
        return f"INSERT INTO d360_outbox ({', '.join(OUTBOX)}) VALUES ({values})", row  # noqa: S608


class OldReceiver(_OldWriter):
    """Stores statuses of messages."""

    def statement(self, number: int) -> tuple[str, dict[str, object]]:
        """Return what stores one status."""
        return _STATUS, {"message_id": f"wamid.delivered-{number}", "at": time.time(), "no": False}


def outbox_row(number: int, **more: object) -> dict[str, object]:
    """Make a row of the outbox; every fifth one has no intent."""
    message_id = f"wamid.{number}"
    row = {
        "message_id": message_id,
        "intent": f"intent-{number}" if number % 5 else None,
        "dag_id": f"dag{number % 7}",
        "run_id": f"run{number % 1000}",
        "task_id": "send",
        "map_index": number % 50 - 1,
        "try_number": number % 3 + 1,
        "recipient": f"49…{number % 100:02}",
        "conn_id": "d360_default",
        "at": 1_790_000_000.0 + number,
        "short_id": short_id(message_id),
    }
    return {**row, **more}


def fill(url: str, rows: Iterable[dict[str, object]], statuses: Iterable[str] = ()) -> None:
    """Make a store as the old code did, with messages, and with these statuses of each."""
    rows = list(rows)
    engine = create_engine(with_driver(make_url(url)))
    columns, values = ", ".join(OUTBOX), ", ".join(f":{name}" for name in OUTBOX)
    with engine.begin() as connection:
        for step in _STEPS:
            step(connection)
        connection.execute(text("INSERT INTO d360_schema (version) VALUES (3)"))
        if engine.dialect.name == "postgresql":
            _copy(connection, "d360_outbox", OUTBOX, rows)
        else:
            connection.execute(text(f"INSERT INTO d360_outbox ({columns}) VALUES ({values})"), rows)  # noqa: S608
        for rank, status in enumerate(statuses, start=1):
            connection.execute(
                text(
                    "INSERT INTO d360_statuses (message_id, status, rank, at, received_at, recipient, intent, "
                    "on_premise) SELECT message_id, :status, :rank, at, at, recipient, intent, :no FROM d360_outbox"
                ),
                {"status": status, "rank": rank, "no": False},
            )
    engine.dispose()


def execute(url: str, statement: str) -> None:
    """Run a statement beside the store."""
    engine = create_engine(with_driver(make_url(url)))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _copy(connection: Any, table: str, columns: Iterable[str], rows: Iterable[dict[str, object]]) -> None:
    lines = ("\t".join("\\N" if v is None else str(v) for v in row.values()) for row in rows)
    with connection.connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", io.StringIO("\n".join(lines)))

"""The code of before the ledger, out of the history, and stores as it wrote them."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store.engines import with_driver
from airflow_provider_d360.store.migrations import STEPS

_LAST_COMMIT = "b97ed67a9cc8d419bfe4e7c7df4c58da1a5fbd90"
_ROOT = Path(__file__).parents[2]
_STEPS = STEPS[:3]

OUTBOX = (
    *("message_id", "intent", "dag_id", "run_id", "task_id", "map_index", "try_number", "recipient"),
    *("conn_id", "at", "short_id"),
)
_SENDER = """
import itertools, sys, time
from airflow_provider_d360.store import OutboxEntry, Store, StoreError
store = Store(sys.argv[1])
numbers, error = itertools.count(), ""
number = next(numbers)
while "knows up to" not in error:  # while the file is locked, it is tried again
    entry = OutboxEntry(
        f"wamid.old-sender-{number}", "dag", "run", "task", number, 1, "4915112345678", "d360_default", time.time()
    )
    try:
        store.outbox.record(entry)
    except StoreError as problem:
        error = str(problem)
        print(error, file=sys.stderr)
    else:
        print(entry.message_id, flush=True)
        number = next(numbers)
    time.sleep(0.005)
"""


def extract(where: Path) -> Path:
    """Write the old code into a folder; without the history, skip the test."""
    archive = subprocess.run(
        ["git", "archive", _LAST_COMMIT, "airflow_provider_d360", "tests"],  # noqa: S607
        cwd=_ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if archive.returncode:
        pytest.skip(f"The history is not here (a shallow clone?): {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(where, filter="data")
    return where


def start(code: Path, *arguments: str, stdout: Any, stderr: Any) -> subprocess.Popen[bytes]:
    """Run Python with the old code."""
    return subprocess.Popen([sys.executable, *arguments], cwd=code, stdout=stdout, stderr=stderr)


def start_sender(code: Path, url: str, stdout: Any, stderr: Any) -> subprocess.Popen[bytes]:
    """Record messages until that fails: each id is printed once it is committed, and the error at last."""
    return start(code, "-c", _SENDER, url, stdout=stdout, stderr=stderr)


def start_receiver(code: Path, url: str, port: int, stderr: Any) -> subprocess.Popen[bytes]:
    """Serve the old receiver."""
    options = ("-m", "tests.receiver.serving", "--port", str(port), "--store", url)
    return start(code, *options, stdout=subprocess.DEVNULL, stderr=stderr)


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

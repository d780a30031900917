"""Health: whether a delivery can be committed now. The receiver and the tasks share one check."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import uuid
from concurrent.futures import Future, wait
from typing import TypeAlias

from sqlalchemy import Column, Connection, Double, String, Table, Text, delete, insert, select

from airflow_provider_d360.store.database import Database, StoreError, StoreUnavailableError
from airflow_provider_d360.store.migrations import METADATA

HEALTH = Table(
    "d360_health",
    METADATA,
    Column("id", String, primary_key=True),
    Column("at", Double, nullable=False),
    Column("payload", Text, nullable=False),
)

PURGE_ID = "purge"  # of the row in which the last purge left its time; see ``clock.py``

_Check: TypeAlias = "Future[BaseException | None]"

_CACHED_SECONDS = 1.0
_PAYLOAD_BYTES = 4096  # as hexadecimal digits more than one page, so that a full database rejects it


class Health:
    """
    Commits a row of its own, because neither a query nor a write that is rolled back notices a full disk.

    One check at a time runs in a process, in a thread of its own. Its result is used for one second.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._process_id = os.getpid()
        self._check: _Check | None = None
        self._began = 0.0
        self._valid_until = 0.0
        self._last_error: StoreError | None = None

    def check(self, timeout_seconds: float) -> None:
        """
        Return if a write was committed within the last second, or is committed now.

        While a check runs that follows a failed one, the last error is raised at once: callers do not
        wait, however many they are.

        :param timeout_seconds: How long a check may take, from its begin.
        :raises StoreUnavailableError: Nothing can be committed now.
        :raises StoreFaultError: The database cannot be used as it is, or this package has a bug.
        """
        check, remaining = self._start(timeout_seconds)
        wait([check], remaining)
        self._raise_error(check, timeout_seconds)

    async def acheck(self, timeout_seconds: float) -> None:
        """
        Do the same as :meth:`check` in an event loop; waiting callers take no thread.

        :param timeout_seconds: How long a check may take, from its begin.
        :raises StoreUnavailableError: Nothing can be committed now.
        :raises StoreFaultError: The database cannot be used as it is, or this package has a bug.
        """
        check, remaining = self._start(timeout_seconds)
        if not check.done():  # unlike wait_for(), wait() cancels nothing: others wait for the same check
            await asyncio.wait([asyncio.wrap_future(check)], timeout=remaining)
        self._raise_error(check, timeout_seconds)

    def _start(self, timeout_seconds: float) -> tuple[_Check, float]:
        """Start a check, or take the one that runs or is valid; return it and how long to wait."""
        with self._lock:
            now = time.monotonic()
            if self._needs_check(now):
                check: _Check = Future()
                check.set_running_or_notify_cancel()  # nobody who waits can cancel it
                self._check, self._began = check, now
                name = "d360-store-health"
                threading.Thread(target=self._run, args=(check,), name=name, daemon=True).start()
            elif self._last_error is not None:
                check = Future()
                check.set_result(self._last_error)
            else:
                assert self._check is not None  # noqa: S101 - for mypy
                check = self._check
            return check, max(0.0, self._began + timeout_seconds - now)

    def _raise_error(self, check: _Check, timeout_seconds: float) -> None:
        if check.done():
            error = check.result()
        else:
            text = f"The store has committed nothing within {timeout_seconds:g} seconds"
            error = self._last_error = StoreUnavailableError(text)
        if error is not None:
            raise error.with_traceback(None)

    def _needs_check(self, now: float) -> bool:
        if self._process_id != os.getpid():  # after a fork, a parent's check never ends here
            self._process_id, self._check = os.getpid(), None
        return self._check is None or (self._check.done() and now >= self._valid_until)

    def _run(self, check: _Check) -> None:
        error: BaseException | None = None
        try:
            self._database.write(_write_row)
            self._database.verify()
        except BaseException as problem:  # noqa: BLE001 - raised in the callers
            error = problem
        self._last_error = error if isinstance(error, StoreError) else None
        self._valid_until = time.monotonic() + _CACHED_SECONDS
        check.set_result(error)


def _write_row(connection: Connection) -> None:
    """
    Insert a row, and then delete older ones: the other way round, the insert would reuse their space.

    Reading no rows of all columns notices tables and columns that somebody dropped.
    """
    for table in METADATA.sorted_tables:
        connection.execute(select(table).limit(0))
    row = {"id": uuid.uuid4().hex, "at": time.time(), "payload": os.urandom(_PAYLOAD_BYTES).hex()}
    connection.execute(insert(HEALTH), row)
    others = select(HEALTH.c.id).where(HEALTH.c.id.not_in((row["id"], PURGE_ID)))
    connection.execute(delete(HEALTH).where(HEALTH.c.id.in_(others.with_for_update(skip_locked=True))))

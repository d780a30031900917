"""The database: transactions, retries while it is locked or away, and recovery of what can be recovered."""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from airflow_provider_d360.store.engines import (
    UnusableDatabaseError,
    postgresql_engine,
    require_unicode,
    sqlite_engine,
    with_driver,
)
from airflow_provider_d360.store.migrations import NewerSchemaError, is_current, migrate
from airflow_provider_d360.store.problems import Problem, describe, problem_of
from airflow_provider_d360.store.sqlite_file import DamagedFileError, SqliteFile

T = TypeVar("T")
log = logging.getLogger(__name__)

# The pause doubles, and is never quite the same: when hundreds of processes want a connection of a PostgreSQL
# that has no more, each attempt costs the server a process.
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
_MOST_OPENINGS = 3
_ERRORS = (
    SQLAlchemyError,
    sqlite3.Error,
    OverflowError,
    UnicodeError,
    OSError,
    DamagedFileError,
    NewerSchemaError,
    UnusableDatabaseError,
)
_RECOVERABLE = (Problem.NO_TABLE, Problem.DAMAGED, Problem.UNREADABLE)


class StoreError(Exception):
    """The store did not do its work; nothing of it was committed."""


class StoreUnavailableError(StoreError):
    """The database is locked, away, full or not allowed to be used; a later try may succeed."""


class StoreBusyError(StoreUnavailableError):
    """The database is locked or away: there is one, and it may hold something."""


class StoreFaultError(StoreError):
    """A bug of this package, or a database that somebody changed: trying again cannot help."""


class RejectedValueError(StoreFaultError):
    """The database rejects a value."""


def _read_url(url: str | URL) -> URL | None:
    """Return the address of a database that can be a store; None for any other."""
    try:
        return with_driver(make_url(url))
    except (ArgumentError, ValueError):
        return None


class _FileReplacedError(Exception):
    """The file was removed or replaced during a transaction, so that what was written is lost."""


class Database:
    """
    One database, opened and migrated when it is first used. Threads may share it.

    After a fork, and when its file was removed or replaced, it is opened again. Tables that were dropped
    are created again. A SQLite file that is no database any more is renamed, if it was one before in this
    process, and a new one is made. Each of these is logged.

    :ivar url: The URL, with the driver.
    :param url: ``sqlite:////path/to/file`` or ``postgresql://…``.
    :param synchronous: ``NORMAL`` or ``FULL``: what a commit survives on SQLite.
    :param retry_seconds: How long to retry while the database is locked or away.
    :raises ValueError: The URL names another kind of database, or ``synchronous`` is another word.
    """

    def __init__(self, url: str | URL, *, synchronous: str, retry_seconds: float) -> None:
        if synchronous not in ("NORMAL", "FULL"):
            raise ValueError(f"synchronous must be NORMAL or FULL, not {synchronous!r}")
        known = _read_url(url)
        if known is None:
            raise ValueError("The store is a SQLite file (sqlite:////…) or a PostgreSQL database")
        self.url = known
        is_file = self.url.get_backend_name() == "sqlite"
        self._file = SqliteFile(self.url.database or "") if is_file else None
        self._synchronous = synchronous
        self._retry_seconds = retry_seconds
        self._opening = threading.Lock()
        self._engine: Engine | None = None
        self._opened_as: tuple[int, ...] = ()
        self._inherited: list[Engine] = []  # of the parent process: closing them here would disturb it

    def read(self, work: Callable[[Connection], T]) -> T:
        """
        Run a function in a transaction that only reads.

        :param work: Gets the connection. It may run several times.
        :raises StoreUnavailableError: The database stays locked or away.
        :raises StoreFaultError: Anything else that the database or SQLAlchemy reports.
        """
        return self._retry(lambda: self._transact(work, writes=False))

    def write(self, work: Callable[[Connection], T]) -> T:
        """
        Run a function in one transaction, which is committed when this returns.

        :param work: Gets the connection. It may run several times; at most one of them is committed.
        :raises StoreUnavailableError: The database stays locked, away or full.
        :raises RejectedValueError: The database rejects a value.
        :raises StoreFaultError: Anything else that the database or SQLAlchemy reports.
        """
        return self._retry(lambda: self._transact(work, writes=True))

    def verify(self) -> None:
        """
        Make sure that a new connection can read the database; recover it if not.

        :raises StoreUnavailableError: It cannot be recovered.
        """
        self._retry(self._verify_always)

    def erase_deleted(self) -> None:
        """
        Empty SQLite's log, in which deleted rows can still be read; PostgreSQL's is not ours to empty.

        While others use the database, part of it may stay, until the next call or until they have ended.
        """
        if self._file is None:
            return
        with suppress(*_ERRORS):
            connection = self._open().raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.close()

    def close(self) -> None:
        """Close all connections."""
        with self._opening:
            self._leave()

    def _verify_always(self) -> None:
        self._open()
        if self._file is not None:
            self._file.verify(always=True)

    def _transact(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        engine = self._open()
        with engine.connect() as connection, connection.execution_options(d360_writes=writes).begin():
            result = work(connection)
        if writes and self._file is not None:
            if self._identity() != self._opened_as:
                raise _FileReplacedError
            self._file.verify()
        return result

    def _retry(self, attempt: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._retry_seconds
        pause = _FIRST_PAUSE_SECONDS
        recovered: set[Problem] = set()
        replaced = 0
        failure: StoreError
        while True:
            try:
                return attempt()
            except _FileReplacedError:  # the next attempt opens the new one
                replaced += 1
                if replaced > _MOST_OPENINGS and time.monotonic() >= deadline:
                    failure = StoreBusyError(f"The store's file is replaced again and again ({self.place})")
                    break
                # Two processes that replace each other's files must not go on in step.
                time.sleep(random.uniform(0.0, 0.02 * (replaced - 1)))  # noqa: S311
            except _ERRORS as error:
                problem = problem_of(error)
                if problem in _RECOVERABLE and problem not in recovered and self._recover(problem, error):
                    recovered.add(problem)
                elif problem is not Problem.BUSY or time.monotonic() >= deadline:
                    failure = self._error(problem, error)
                    break
                else:
                    left = deadline - time.monotonic()
                    time.sleep(min(pause * random.uniform(0.5, 1.5), max(left, 0.0)))  # noqa: S311
                    pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        raise failure

    def _recover(self, problem: Problem, error: Exception) -> bool:
        """Prepare to open the database again; return False if it cannot be recovered."""
        if problem is Problem.UNREADABLE and not (self._file and self._file.lost_log):
            return False  # the disk itself: keep the connections, which can go on reading
        with self._opening:
            opened_as = self._opened_as
            self._leave()
            if problem is Problem.NO_TABLE:
                log.error("A table of the store was dropped; it is made again: %s", describe(error))
                return True
            # A file that was never opened may be any file, and is not ours to rename.
            if self._file is None or not opened_as:
                return False
            return self._file.set_aside_if_damaged(opened_as[1:])

    def _open(self) -> Engine:
        engine = self._engine
        if engine is not None and self._identity() == self._opened_as:
            return engine
        with self._opening:
            if self._engine is not None and self._identity() != self._opened_as:
                self._leave_replaced()
            return self._engine or self._open_whole()

    def _open_whole(self) -> Engine:
        """Open the database; again if a file of it was removed meanwhile: nobody would read what we write."""
        for _ in range(_MOST_OPENINGS):
            self._leave()
            self._engine = engine = self._opened()
            self._opened_as = self._identity()
            if 0 not in self._opened_as:
                break
        return engine

    def _leave_replaced(self) -> None:
        """Close a file that was removed or replaced, or leave a parent's connections alone after a fork."""
        opened_as = self._opened_as
        self._leave()
        if self._file is not None and opened_as[0] == os.getpid():
            log.error("The store's file was removed or replaced; opening it again (%s)", self.place)
            self._file.discard_stale_index(opened_as[1:])

    def _identity(self) -> tuple[int, ...]:
        """Tell this process from its children, and this file from another of its name."""
        return (os.getpid(), *(self._file.identity() if self._file is not None else ()))

    def _leave(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None and self._opened_as[0] == os.getpid():
            engine.dispose()
        elif engine is not None:
            self._inherited.append(engine)

    def _opened(self) -> Engine:
        if self._file is not None:
            self._file.prepare()
            engine = sqlite_engine(self.url, self._synchronous)
        else:
            engine = postgresql_engine(self.url)
        try:
            self._migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _migrate(self, engine: Engine) -> None:
        with engine.connect() as connection:
            if self._file is None:
                require_unicode(connection)
            if is_current(connection):
                return
        with engine.connect() as connection, connection.execution_options(d360_writes=True).begin():
            if dropped := migrate(connection):
                names = ", ".join(dropped)
                log.error("Tables of the store were missing, and are made again, empty: %s", names)

    @property
    def place(self) -> str:
        """Where the database is, without its password."""
        return self.url.set(query={}).render_as_string(hide_password=True)

    def _error(self, problem: Problem, error: Exception) -> StoreError:
        """Say what happened, and where; statements, their parameters and passwords stay out."""
        text = f"{describe(error)} ({self.place})"
        if problem is Problem.REJECTED:
            return RejectedValueError(f"The store rejects a value: {text}")
        if problem is Problem.FAULT:
            return StoreFaultError(
                f"The store cannot be used, by a bug or because somebody changed its tables: {text}"
            )
        if problem is Problem.DAMAGED:
            text += ". Move the file away; the next use makes a new one"
        kind = StoreBusyError if problem is Problem.BUSY else StoreUnavailableError
        return kind(f"The store is not available: {text}")

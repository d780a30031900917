"""Opening a database, and trying again while it is only busy."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, InterfaceError, OperationalError, SQLAlchemyError

from airflow_provider_d360.store.tables import NewerSchemaError, is_current, migrate

T = TypeVar("T")

_PAUSE_SECONDS = 0.05
_BUSY_SECONDS = 1.0
_CONNECT_SECONDS = 3

# How PostgreSQL lets go of what hangs. Nobody who set one of these otherwise is overruled: neither the
# server, nor the database, nor the user, nor the options of the connection.
_LIMITS = """
SELECT set_config(name, '15s', false) FROM pg_settings
WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout') AND source = 'default'
"""
_DRIVER_OPTIONS = {
    "connect_timeout": _CONNECT_SECONDS,
    "application_name": "airflow-provider-d360",
    "client_encoding": "utf8",
    "keepalives_idle": 30,  # a server that is gone, told by no one
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


class StoreUnavailableError(Exception):
    """The store did not do its work; nothing of it was done."""


class Database:
    """
    One database, opened when it is first used, and made ready then.

    Fit for several threads. After a fork, and when its file was removed or replaced, it is opened anew:
    what goes into a file without a name is lost to everybody else.

    :param url: ``sqlite:////path/to/file`` or ``postgresql://…``.
    :param synchronous: How far SQLite goes for a commit: ``NORMAL`` survives the end of any process,
        ``FULL`` a power cut as well. PostgreSQL's own setting decides there.
    :param patience_seconds: How long to try again while the database is locked or away.
    """

    def __init__(self, url: str | URL, *, synchronous: str, patience_seconds: float) -> None:
        if synchronous not in ("NORMAL", "FULL"):
            raise ValueError(f"synchronous must be NORMAL or FULL, not {synchronous!r}")
        try:
            self._url = _with_driver(make_url(url))
        except (ArgumentError, ValueError):
            raise ValueError("The store is a SQLite file (sqlite:////…) or a PostgreSQL database") from None
        self._is_file = self._url.get_backend_name() == "sqlite"
        self._synchronous = synchronous
        self._patience_seconds = patience_seconds
        self._opening = threading.Lock()
        self._engine: Engine | None = None
        self._opened_at: tuple[int, ...] = ()
        self._inherited: list[Engine] = []  # a parent's, not to be closed here

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do the work, which only reads."""
        return self._try(lambda: self._transact(work, writes=False))

    def write(self, work: Callable[[Connection], T]) -> T:
        """
        Do the work in one transaction, which is committed when this returns; it may be begun several times.

        :raises DataError: when the database cannot keep one of the values.
        """
        return self._try(lambda: self._transact(work, writes=True))

    def close(self) -> None:
        with self._opening:
            self._leave()

    def _transact(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        engine = self._open()
        with engine.connect() as connection, connection.execution_options(d360_writes=writes).begin():
            return work(connection)

    def _try(self, attempt: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                return attempt()
            except DataError:
                raise
            except (OperationalError, InterfaceError) as error:
                if time.monotonic() >= deadline:
                    raise self._unavailable(error) from None
            except (SQLAlchemyError, NewerSchemaError, OSError) as error:
                raise self._unavailable(error) from None
            time.sleep(_PAUSE_SECONDS)

    def _open(self) -> Engine:
        engine = self._engine
        if engine is not None and self._place() == self._opened_at:
            return engine
        with self._opening:
            if self._place() != self._opened_at:
                self._leave()
            if self._engine is None:
                self._engine = self._opened()
                self._opened_at = self._place()
            return self._engine

    def _place(self) -> tuple[int, ...]:
        """Tell this process from its children, and this file from another of its name."""
        if not self._is_file:
            return (os.getpid(),)
        try:
            file = os.stat(self._url.database or "")  # noqa: PTH116 - before each transaction, so be quick
        except OSError:
            return (os.getpid(),)
        return os.getpid(), file.st_dev, file.st_ino

    def _leave(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None and self._opened_at[0] == os.getpid():
            engine.dispose()
        elif engine is not None:
            self._inherited.append(engine)

    def _opened(self) -> Engine:
        engine = _open_sqlite(self._url, self._synchronous) if self._is_file else _open_postgresql(self._url)
        try:
            with engine.connect() as connection:
                if not self._is_file:
                    _require_unicode(connection)
                ready = is_current(connection)
            if not ready:
                with engine.connect() as connection, connection.execution_options(d360_writes=True).begin():
                    migrate(connection)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _unavailable(self, error: Exception) -> StoreUnavailableError:
        """Say what the driver said, and where; statements, their parameters and passwords stay out."""
        said = str(getattr(error, "orig", None) or error)
        where = self._url.set(query={}).render_as_string(hide_password=True)
        return StoreUnavailableError(f"The store is not available: {' '.join(said.split())} ({where})")


def _with_driver(url: URL) -> URL:
    """Name the driver: SQLAlchemy's default for PostgreSQL changed between 2.0 and 2.1."""
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg2")
    in_file = url.drivername == "sqlite" and url.database not in (None, "", ":memory:")
    if in_file or url.get_backend_name() == "postgresql":
        return url
    raise ValueError


def _open_sqlite(url: URL, synchronous: str) -> Engine:
    Path(str(url.database)).touch(0o600)  # people's messages are in there
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS}, pool_timeout=_CONNECT_SECONDS
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.isolation_level = None  # transactions begin below, and not when the driver thinks
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A reading transaction that turns into a writing one may fail at once, whatever the timeout.
        writes = connection.get_execution_options().get("d360_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _open_postgresql(url: URL) -> Engine:
    arguments = {name: value for name, value in _DRIVER_OPTIONS.items() if name not in url.query}
    try:
        engine = create_engine(
            url, hide_parameters=True, connect_args=arguments, pool_timeout=_CONNECT_SECONDS
        )
    except ModuleNotFoundError as missing:
        hint = "install airflow-provider-d360[postgres]"
        raise StoreUnavailableError(
            f"The store is PostgreSQL, and {missing.name} is missing: {hint}"
        ) from None

    @event.listens_for(engine, "connect")
    def limit(connection: Any, record: object) -> None:
        connection.autocommit = True  # or the end of the first transaction could undo it
        with connection.cursor() as cursor:
            cursor.execute(_LIMITS)
        connection.autocommit = False

    return engine


def _require_unicode(connection: Connection) -> None:
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise StoreUnavailableError(
            f"The store's database has the encoding {encoding}, which cannot keep every message. "
            "Make one with: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
        )

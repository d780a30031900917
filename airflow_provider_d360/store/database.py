"""Opening a database, and trying again while it is only busy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, SQLAlchemyError

from airflow_provider_d360.store.tables import NewerSchemaError, is_current, migrate

T = TypeVar("T")

_PAUSE_SECONDS = 0.05
_BUSY_SECONDS = 1.0
_CONNECT_SECONDS = 3


class StoreUnavailableError(Exception):
    """The store did not do its work; nothing of it was done."""


class Database:
    """
    One database, opened when it is first used, and made ready then.

    Fit for several threads. A process that forks must not have used it before.

    :param url: ``sqlite:////path/to/file`` or ``postgresql://…``.
    :param synchronous: How far SQLite goes for a commit: ``NORMAL`` survives the end of any process,
        ``FULL`` a power cut as well. PostgreSQL's own setting decides there.
    :param patience_seconds: How long to try again while the database is locked or away.
    """

    def __init__(self, url: str | URL, *, synchronous: str, patience_seconds: float) -> None:
        if synchronous not in ("NORMAL", "FULL"):
            raise ValueError(f"synchronous must be NORMAL or FULL, not {synchronous!r}")
        self._url = _with_driver(make_url(url))
        self._synchronous = synchronous
        self._patience_seconds = patience_seconds
        self._opening = threading.Lock()
        self._engine: Engine | None = None

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
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

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
                    raise StoreUnavailableError(_explain(error)) from None
            except (SQLAlchemyError, NewerSchemaError, OSError) as error:
                raise StoreUnavailableError(_explain(error)) from None
            time.sleep(_PAUSE_SECONDS)

    def _open(self) -> Engine:
        if self._engine is None:
            with self._opening:
                if self._engine is None:
                    self._engine = self._opened()
        return self._engine

    def _opened(self) -> Engine:
        if self._url.get_backend_name() == "sqlite":
            engine = _open_sqlite(self._url, self._synchronous)
        else:
            engine = _open_postgresql(self._url)
        try:
            with engine.connect() as connection:
                ready = is_current(connection)
            if not ready:
                with engine.connect() as connection, connection.execution_options(d360_writes=True).begin():
                    migrate(connection)
        except BaseException:
            engine.dispose()
            raise
        return engine


def _explain(error: Exception) -> str:
    """Say what the driver said; statements and their parameters stay out."""
    said = str(getattr(error, "orig", None) or error)
    return f"The store is not available: {' '.join(said.split())}"


def _with_driver(url: URL) -> URL:
    """Name the driver: SQLAlchemy's default for PostgreSQL changed between 2.0 and 2.1."""
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg2")
    in_file = url.drivername == "sqlite" and url.database not in (None, "", ":memory:")
    if in_file or url.get_backend_name() == "postgresql":
        return url
    raise ValueError("The store is a SQLite file or a PostgreSQL database")


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
    arguments = {
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "airflow-provider-d360",
        **url.query,
    }
    try:
        return create_engine(url, hide_parameters=True, connect_args=arguments, pool_timeout=_CONNECT_SECONDS)
    except ModuleNotFoundError as missing:
        hint = "install airflow-provider-d360[postgres]"
        raise StoreUnavailableError(
            f"The store is PostgreSQL, and {missing.name} is missing: {hint}"
        ) from None

"""Engines: how SQLite and PostgreSQL are opened."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

_LOCK_SECONDS = 1.0  # how long one statement waits for SQLite's lock
_CONNECT_SECONDS = 3

# Limits for a statement that hangs. What the server, the database, the user or the options of the connection
# set otherwise stays.
_LIMITS = """
SELECT set_config(name, '15s', false) FROM pg_settings
WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout') AND source = 'default'
"""
_DRIVER_OPTIONS = {
    "connect_timeout": _CONNECT_SECONDS,
    "application_name": "airflow-provider-d360",
    "client_encoding": "utf8",
    "keepalives_idle": 30,  # notices a server that vanished without closing the connection
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


class UnusableDatabaseError(Exception):
    """The database cannot be the store as it is; the text says what to do."""


def with_driver(url: URL) -> URL:
    """
    Return the URL with the driver named: SQLAlchemy's default for PostgreSQL changed between 2.0 and 2.1.

    :param url: A URL without or with a driver.
    :raises ValueError: It names neither a SQLite file nor a PostgreSQL database.
    """
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg2")
    is_file = url.drivername == "sqlite" and url.database not in (None, "", ":memory:")
    if is_file or url.get_backend_name() == "postgresql":
        return url
    raise ValueError


def sqlite_engine(url: URL, synchronous: str) -> Engine:
    """
    Make the engine of a SQLite file, in WAL mode: readers and the one writer do not block each other.

    :param url: The file.
    :param synchronous: ``NORMAL`` or ``FULL``.
    """
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": _LOCK_SECONDS}, pool_timeout=_CONNECT_SECONDS
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.isolation_level = None  # transactions begin below, and not when the driver decides
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA secure_delete=ON")  # or deleted texts can be read in the file

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A reading transaction that turns into a writing one may fail at once, whatever the timeout.
        writes = connection.get_execution_options().get("d360_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def postgresql_engine(url: URL) -> Engine:
    """
    Make the engine of a PostgreSQL database, with limits for connecting and for statements.

    :param url: The database.
    :raises UnusableDatabaseError: The driver is missing.
    """
    arguments = {name: value for name, value in _DRIVER_OPTIONS.items() if name not in url.query}
    try:
        engine = create_engine(
            url, hide_parameters=True, connect_args=arguments, pool_timeout=_CONNECT_SECONDS
        )
    except ModuleNotFoundError as error:
        engine, missing = None, error.name
    if engine is None:
        remedy = "install airflow-provider-d360[postgres]"
        raise UnusableDatabaseError(f"it is PostgreSQL, and {missing} is missing: {remedy}")

    @event.listens_for(engine, "connect")
    def limit(connection: Any, record: object) -> None:
        connection.autocommit = True  # or the end of the first transaction could undo it
        with connection.cursor() as cursor:
            cursor.execute(_LIMITS)
        connection.autocommit = False

    return engine


def require_unicode(connection: Connection) -> None:
    """
    Make sure that a PostgreSQL database can store every text.

    :param connection: A connection to it.
    :raises UnusableDatabaseError: Its encoding is not UTF8.
    """
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise UnusableDatabaseError(
            f"its database has the encoding {encoding}, which cannot store every message. "
            "Make one with: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
        )

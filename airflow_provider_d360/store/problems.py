"""Problems: what an error of the database means for the one who wants to use it."""

from __future__ import annotations

import sqlite3
from enum import Enum
from typing import Any

from sqlalchemy.exc import DBAPIError, TimeoutError

from airflow_provider_d360.store.engines import UnusableDatabaseError
from airflow_provider_d360.store.migrations import NewerSchemaError
from airflow_provider_d360.store.sqlite_file import DamagedFileError


class Problem(Enum):
    """What to do after an error."""

    BUSY = "locked or away: retry"
    BLOCKED = "full, read-only, without permission…: a person must act; later tries may succeed"
    UNREADABLE = "an I/O error: of the disk, or because SQLite's own files do not fit together"
    DAMAGED = "the SQLite file is no database any more"
    NO_TABLE = "a table is missing"
    REJECTED = "the database rejects a value"
    FAULT = "a bug, or a database that somebody changed: retrying cannot help"


# By what SQLite's message contains: Python before 3.11 does not give the code of an error.
_SQLITE = {
    "locked": Problem.BUSY,
    "locking protocol": Problem.BUSY,
    "schema has changed": Problem.BUSY,
    "interrupted": Problem.BUSY,
    "unable to open database file": Problem.BLOCKED,
    "is full": Problem.BLOCKED,
    "readonly database": Problem.BLOCKED,
    "disk I/O error": Problem.UNREADABLE,
    "out of memory": Problem.BLOCKED,
    "access permission denied": Problem.BLOCKED,
    "authorization denied": Problem.BLOCKED,
    "not a database": Problem.DAMAGED,
    "malformed": Problem.DAMAGED,
    "no such table": Problem.NO_TABLE,
}
# By SQLSTATE, or its first two characters: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL = {
    "08": Problem.BUSY,  # connection exceptions
    "25006": Problem.BUSY,  # read-only: a standby, until the connection leads to the new primary
    "25P03": Problem.BUSY,  # idle in transaction for too long
    "40": Problem.BUSY,  # deadlock, serialization
    "53": Problem.BLOCKED,  # disk full, out of memory, too many connections
    "53300": Problem.BUSY,  # too many connections
    "55": Problem.BUSY,  # in use, lock not available
    "57": Problem.BUSY,  # cancelled after statement_timeout, server stops or starts
    "58": Problem.BLOCKED,  # I/O error
    "42P01": Problem.NO_TABLE,
    "42501": Problem.BLOCKED,  # no permission
    "22": Problem.REJECTED,  # data exceptions
    "23": Problem.REJECTED,  # constraints
}


def problem_of(error: Exception) -> Problem:
    """
    Classify an error.

    :param error: Any error that a transaction raised.
    """
    if isinstance(error, TimeoutError):  # no connection of the pool is free
        return Problem.BUSY
    if isinstance(error, UnusableDatabaseError | NewerSchemaError | OSError):
        return Problem.BLOCKED
    if isinstance(error, OverflowError | UnicodeError):  # sqlite3 raises them for values
        return Problem.REJECTED
    if isinstance(error, DamagedFileError):
        return Problem.DAMAGED
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _sqlite_problem(cause)
    return _postgresql_problem(error) if isinstance(error, DBAPIError) else Problem.FAULT


def describe(error: Exception) -> str:
    """
    Describe an error without values: drivers quote them in some messages.

    :param error: Any error that a transaction raised.
    """
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    name = type(cause).__name__
    code = getattr(cause, "pgcode", None) or getattr(cause, "sqlstate", None)
    if problem_of(error) not in (Problem.REJECTED, Problem.FAULT):
        # What PostgreSQL adds to its message may quote the statement with its values.
        return " ".join(str(cause if code is None else cause.diag.message_primary).split())
    if code is None:
        return f"{name}: {_first_line(cause)}" if name == "OperationalError" else name
    # Errors in statements name tables and columns; others may quote a value.
    return f"{name} {code}: {cause.diag.message_primary}" if code.startswith("42") else f"{name} {code}"


def _first_line(cause: Any) -> str:
    return (str(cause).splitlines() or [""])[0]


def _sqlite_problem(cause: sqlite3.Error) -> Problem:
    name, text = type(cause).__name__, str(cause)
    if name in ("DataError", "IntegrityError", "InterfaceError", "ProgrammingError"):
        is_value = name in ("DataError", "IntegrityError") or "binding parameter" in text
        return Problem.REJECTED if is_value else Problem.FAULT
    return next((problem for words, problem in _SQLITE.items() if words in text), Problem.FAULT)


def _postgresql_problem(error: DBAPIError) -> Problem:
    code, name = getattr(error.orig, "pgcode", None), type(error.orig).__name__
    if code is not None:
        return _POSTGRESQL.get(code) or _POSTGRESQL.get(code[:2], Problem.FAULT)
    # Without a code: the driver's own errors. It raises OperationalError when it cannot connect.
    is_lost = error.connection_invalidated or name in ("OperationalError", "InterfaceError")
    return Problem.BUSY if is_lost else Problem.REJECTED if name == "DataError" else Problem.FAULT

"""Sources: read the rows of an audience from a list, a file, an object storage or a database, as a stream."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import PurePosixPath
from typing import Any

from airflow_provider_d360.api.errors import D360Error, D360UnavailableError, ErrorDetail, request_error
from airflow_provider_d360.api.privacy import explain, readable
from airflow_provider_d360.campaigns.audience import InvalidRowError

_AT_ONCE = 2000
_KINDS = (".csv", ".jsonl", ".ndjson", ".parquet")
_LONGEST_FIELD = 1_000_000
_OWN_TYPES = ("postgres", "postgresql", "sqlite")

Rows = Iterator["Mapping[str, Any] | InvalidRowError"]


def read_rows(audience: Any, to_column: str) -> Rows:
    """
    Yield the rows of an audience; a row that cannot be read is an ``InvalidRowError``.

    :param audience: A list of dicts or of numbers; the path of a CSV, JSONL or Parquet file, locally or in
        an object storage; or ``{"sql": "SELECT …", "conn_id": "…"}``.
    :param to_column: The column that numbers of a list are read as.
    :raises D360RequestError: when it is nothing of these, or cannot be read here.
    :raises D360UnavailableError: when its storage or database does not work now.
    """
    if isinstance(audience, Mapping):
        return _query(audience)
    if isinstance(audience, str) or hasattr(audience, "open"):
        return _readable(_file(audience))
    if isinstance(audience, Iterable):
        return _listed(audience, to_column)
    raise request_error(
        f"audience is a value of type {type(audience).__name__}",
        "Give a list of dicts, the path of a file, or {'sql': …, 'conn_id': …}.",
    )


def describe_audience(audience: Any) -> str:
    """
    Say where an audience comes from, without a value of it.

    :param audience: As for :func:`read_rows`.
    """
    if isinstance(audience, Mapping):
        return f"(a query on {audience.get('conn_id')})"
    if isinstance(audience, str):
        return audience if audience.endswith(_KINDS) else f"({len(audience)} characters)"
    if hasattr(audience, "__len__"):
        return f"({len(audience)} rows)"
    return "(rows)"


def _listed(rows: Iterable[Any], to_column: str) -> Rows:
    for row in rows:
        if isinstance(row, Mapping):
            yield row
        elif isinstance(row, str | int) and not isinstance(row, bool):
            yield {to_column: row}
        else:
            yield InvalidRowError(f"the row is a value of type {type(row).__name__}, and no dict")


def _file(audience: Any) -> Rows:
    path = open_path(audience)
    kind = PurePosixPath(str(path)).suffix.lower()
    if kind == ".csv":
        return _csv(path)
    if kind in (".jsonl", ".ndjson"):
        return _jsonl(path)
    if kind == ".parquet":
        return _parquet(path)
    raise request_error(
        "audience is a text that does not end with .csv, .jsonl or .parquet",
        "Give the path of such a file; for a query, give {'sql': …, 'conn_id': …}.",
    )


def _readable(rows: Rows) -> Rows:
    """Explain errors without what they quote: what a retry cannot help against, and what may pass."""
    try:
        yield from rows
        return
    except D360Error:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        failure = _unreadable(readable(error.strerror or "") or type(error).__name__)
    except UnicodeDecodeError:
        failure = _unreadable("it is not UTF-8")
    except csv.Error as error:
        failure = _unreadable(f"it is no CSV: {error}")
    except ValueError as error:  # of pyarrow
        failure = _unreadable(explain(error))
    except Exception as error:  # noqa: BLE001 - any object storage's
        failure = _unavailable(f"The file of the audience cannot be read: {explain(error)}")
    raise failure


def _unreadable(problem: str) -> D360Error:
    return request_error(
        f"The file of the audience cannot be read: {problem}", "Correct the file or its path."
    )


def _unavailable(problem: str) -> D360Error:
    return D360UnavailableError(ErrorDetail(problem))


def open_path(path: Any) -> Any:
    """
    Return a path whose file can be opened.

    :param path: A text, or a path as it is; with ``://`` it is one in an object storage.
    """
    if not isinstance(path, str):
        return path
    if "://" not in path:
        from pathlib import Path

        return Path(path)
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(path)


def parquet_module() -> tuple[Any, Any]:
    """
    Return ``pyarrow`` and ``pyarrow.parquet``.

    :raises D360RequestError: when they are not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        pyarrow = parquet = None
    if parquet is None:
        raise request_error(
            "Parquet files need pyarrow", "Install airflow-provider-d360[parquet], or use CSV or JSONL."
        )
    return pyarrow, parquet


def _csv(path: Any) -> Rows:
    with path.open("r", encoding="utf-8-sig", newline="") as file:
        csv.field_size_limit(_LONGEST_FIELD)
        header = file.readline()
        names = next(csv.reader([header], delimiter=_delimiter(header), strict=True), [])
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise request_error(
                f"The file of the audience has two columns {twice[0]!r}",
                "Give each column a name of its own.",
            )
        for row in csv.reader(file, delimiter=_delimiter(header), strict=True):
            if not row:
                continue
            if len(row) > len(names):
                yield InvalidRowError(f"it has {len(row)} fields, and the header {len(names)}")
            else:
                yield dict(zip(names, row, strict=False))


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _jsonl(path: Any) -> Rows:
    with path.open("r", encoding="utf-8-sig") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield row if isinstance(row, dict) else InvalidRowError("the line is no JSON object")


def _parquet(path: Any) -> Rows:
    _, parquet = parquet_module()
    with path.open("rb") as file:
        for batch in parquet.ParquetFile(file).iter_batches(batch_size=_AT_ONCE):
            yield from batch.to_pylist()


def _query(audience: Mapping[str, Any]) -> Rows:
    sql, conn_id = audience.get("sql"), audience.get("conn_id")
    if not isinstance(sql, str) or not isinstance(conn_id, str) or len(audience) > 2:
        raise request_error("audience is a dict without sql and conn_id", "Give both, and nothing else.")
    return _queried(conn_id, sql)


def _queried(conn_id: str, sql: str) -> Rows:
    """Yield the rows of a query. What a driver says may quote the statement, values or the password."""
    from sqlalchemy.exc import SQLAlchemyError

    from airflow_provider_d360.compat import AirflowNotFoundException
    from airflow_provider_d360.store.problems import Problem, describe, problem_of

    may_pass = True
    try:
        yield from _rows_of(conn_id, sql)
        return
    except (D360Error, AirflowNotFoundException):
        raise
    except SQLAlchemyError as error:
        problem, may_pass = describe(error), problem_of(error) in (Problem.BUSY, Problem.BLOCKED)
    except Exception as error:  # noqa: BLE001 - any driver's, or of a secrets backend
        problem = explain(error)
    problem = f"The query of the audience failed: {problem}"
    raise (
        _unavailable(problem) if may_pass else request_error(problem, "Correct the query or its connection.")
    )


def _rows_of(conn_id: str, sql: str) -> Rows:
    from airflow.sdk import BaseHook

    connection = BaseHook.get_connection(conn_id)
    if connection.conn_type in _OWN_TYPES:
        return _streamed(connection, sql)
    try:
        hook = connection.get_hook()
        database = hook.get_conn() if hasattr(hook, "run") else None
    except ImportError:
        database = None
    if database is None:
        raise request_error(
            f"The connection {conn_id!r} is none to a SQL database, or its provider is missing",
            "Install the provider of the database, and airflow-provider-d360[sql].",
        )
    return _fetched(database, sql)


def _streamed(connection: Any, sql: str) -> Rows:
    """Query a database whose driver the store has, too; PostgreSQL keeps the rows on the server."""
    from sqlalchemy import create_engine

    from airflow_provider_d360.store.configured import store_url
    from airflow_provider_d360.store.engines import with_driver

    engine = create_engine(with_driver(store_url(connection, "the audience")), hide_parameters=True)
    try:
        with engine.connect() as database:
            rows = database.execution_options(yield_per=_AT_ONCE).exec_driver_sql(sql).mappings()
            yield from (dict(row) for row in rows)
    finally:
        engine.dispose()


def _fetched(connection: Any, sql: str) -> Rows:
    with closing(connection), closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        names: list[str] = []
        while rows := cursor.fetchmany(_AT_ONCE):
            names = names or [column[0] for column in cursor.description]
            for row in rows:
                yield dict(zip(names, row, strict=True))

"""The store, opened for a command."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_d360.progress_bar import ticking

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store

T = TypeVar("T")

NO_STORE = 9  # the exit code


class NoStoreError(Exception):
    """The store cannot be used; the text says why, and holds no secret."""


def with_store(work: Callable[[Store], T]) -> T:
    """
    Do something with the configured store, which is closed afterwards; return the result.

    :param work: The work.
    :raises NoStoreError: The store cannot be opened, or used.
    """
    store = _configured_store()
    from airflow_provider_d360.store import StoreError

    try:
        with contextlib.closing(store):
            return work(store)
    except StoreError as error:
        problem = str(error)
    raise NoStoreError(problem)


def in_time(lines: Iterator[str], what: str) -> Iterator[str]:
    """
    Show a bar until the first line is there, if that takes more than two seconds; return all lines.

    :param lines: What a command prints. It does its work before the first line.
    :param what: What it does.
    """
    with ticking(what):
        first = next(lines, None)
    if first is not None:
        yield first
        yield from lines


def _configured_store() -> Store:
    from airflow_provider_d360.compat import AirflowNotFoundException, OldSQLAlchemyError

    try:
        from airflow_provider_d360.store.configured import configured_store

        return configured_store()
    except OldSQLAlchemyError as error:
        problem = str(error)
    except (ValueError, AirflowNotFoundException):
        problem = "Its connection is missing, or is none to a database."
    raise NoStoreError(problem)

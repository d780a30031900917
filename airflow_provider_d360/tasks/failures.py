"""Turns the errors of this package into those that Airflow understands."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360Error,
    D360RateLimitError,
    D360UnavailableError,
)
from airflow_provider_d360.compat import AirflowFailException

log = logging.getLogger(__name__)


@contextmanager
def fail_at_once(conn_id: str, *, retry_ambiguous: bool = False) -> Iterator[None]:
    """
    Fail the task without retries, unless a retry is harmless and may help.

    After a rate limit or an outage, nothing was accepted: these errors pass, and ``retries`` apply. In each
    case, what went wrong and what to do are logged before.

    :param conn_id: The connection, which the error's text names: of several, people must know whose key it
        was.
    :param retry_ambiguous: Let lost responses pass, too: the DAG author prefers two copies to none.
    :raises AirflowFailException: for every other error of this package, with its text.
    """
    try:
        yield
    except D360Error as error:
        what = f"{type(error).__name__} with connection {conn_id!r}"
        log_error(error, what)
        passes = isinstance(error, D360RateLimitError | D360UnavailableError)
        if passes or (retry_ambiguous and isinstance(error, D360AmbiguousError)):
            raise
        raise AirflowFailException(f"{what}: {error}") from error


def log_error(error: D360Error, what: str) -> None:
    """
    Log what went wrong, and in a line of its own what to do.

    :param error: The error.
    :param what: What the first line begins with.
    """
    log_problem(f"{what}: {replace(error.detail, remedy='')}", error.detail.remedy)


def log_problem(problem: str, remedy: str) -> None:
    """
    Log two lines: the log view cuts the end of a long one off.

    :param problem: What went wrong.
    :param remedy: What to do; an empty text logs no second line.
    """
    log.error("%s", problem)
    if remedy:
        log.error("What to do: %s", remedy)

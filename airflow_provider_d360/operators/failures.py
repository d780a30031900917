"""The one place where our errors become what Airflow understands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360Error,
    D360RateLimitError,
    D360UnavailableError,
)
from airflow_provider_d360.compat import AirflowFailException


@contextmanager
def fail_at_once(conn_id: str, *, retry_ambiguous: bool = False) -> Iterator[None]:
    """
    Fail the task whatever its ``retries``, unless trying again is harmless and may help.

    Rate limits and outages, where nothing was accepted, go on as they are, so that ``retries`` apply.

    :param conn_id: The connection to name: which of several keys was refused is what people need to know.
    :param retry_ambiguous: Leave a lost answer to ``retries`` as well: somebody prefers two copies to none.
    :raises AirflowFailException: with the error's text, for everything else.
    """
    try:
        yield
    except (D360RateLimitError, D360UnavailableError):
        raise
    except D360Error as error:
        if retry_ambiguous and isinstance(error, D360AmbiguousError):
            raise
        raise AirflowFailException(f"{type(error).__name__} with connection {conn_id!r}: {error}") from error

"""Counts the outcomes of sends, for the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_d360 import metrics
from airflow_provider_d360.api.errors import D360AmbiguousError, D360Error

if TYPE_CHECKING:
    from airflow_provider_d360.api.endpoints.messages import Sent


def count_sent(sent: Sent, source: str) -> None:
    """
    Count a message that was accepted or is held.

    :param sent: The response.
    :param source: ``task``, ``hook`` or ``alert``.
    """
    is_accepted = sent.message_status in (None, "accepted")
    metrics.count(metrics.ACCEPTED if is_accepted else metrics.HELD, source=source)


@contextmanager
def counted_errors(source: str) -> Iterator[None]:
    """
    Count a send that fails, or of which nobody knows whether it was accepted.

    :param source: ``task``, ``hook`` or ``alert``.
    """
    try:
        yield
    except D360AmbiguousError:
        metrics.count(metrics.UNKNOWN, source=source)
        raise
    except D360Error as error:
        metrics.count(metrics.REFUSED, source=source, error=type(error).__name__)
        raise

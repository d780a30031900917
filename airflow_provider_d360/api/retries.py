"""When to retry, and how long to wait before it: a pure function of the error and of the attempts so far."""

from __future__ import annotations

from airflow_provider_d360.api.errors import Condition, D360AmbiguousError, D360Error

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0


def wait_seconds(
    error: D360Error, *, attempt: int, max_attempts: int, remaining_seconds: float, jitter: float
) -> float | None:
    """
    Return how long to wait before the next attempt, in seconds; ``None`` if there must be no next attempt.

    Whether another attempt is harmless is decided where the response is read (``ErrorDetail.retry_soon``). A
    wait that does not fit into the remaining time is not begun: waiting for minutes is the scheduler's work.

    :param error: How the last attempt ended.
    :param attempt: How many attempts were made, from 1.
    :param max_attempts: How many may be made.
    :param remaining_seconds: The time left for waiting and trying.
    :param jitter: A random number from 0 to 1, so that many tasks do not come back at once.
    """
    detail = error.detail
    if isinstance(error, D360AmbiguousError) or not detail.retry_soon or attempt >= max_attempts:
        return None
    if detail.retry_after_seconds is not None:
        wait = detail.retry_after_seconds * (1 + jitter / 10)
    elif detail.condition is Condition.PAIR_LIMIT:
        wait = 4.0 ** (attempt - 1)  # Meta: wait 4^X seconds, X counting from 0
    else:
        wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0**attempt) * (1 + jitter) / 2
    return wait if wait < remaining_seconds else None

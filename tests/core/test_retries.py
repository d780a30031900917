"""When to try again: only where nothing was accepted, only for as long as there is time."""

import pytest

from airflow_provider_d360.api.errors import (
    Condition,
    D360AmbiguousError,
    D360RateLimitError,
    D360RequestError,
    D360UnavailableError,
    ErrorDetail,
)
from airflow_provider_d360.api.retries import wait_seconds


def wait(error, attempt=1, max_attempts=3, remaining_seconds=60.0, jitter=1.0):
    return wait_seconds(
        error,
        attempt=attempt,
        max_attempts=max_attempts,
        remaining_seconds=remaining_seconds,
        jitter=jitter,
    )


def limited(condition=None, after=None):
    return D360RateLimitError(
        ErrorDetail("Too fast", condition=condition, retry_after_seconds=after, retry_soon=True)
    )


def test_the_wait_doubles_up_to_half_a_minute():
    waits = [wait(limited(), attempt=n, max_attempts=99) for n in range(1, 9)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_jitter_takes_up_to_half_of_the_wait_away():
    assert wait(limited(), jitter=0.0) == 0.5


def test_the_services_own_wait_is_kept_and_never_shortened():
    assert wait(limited(after=7), jitter=0.0) == 7.0
    assert wait(limited(after=7), jitter=1.0) == pytest.approx(7.7)


def test_the_pair_limit_waits_in_powers_of_four():
    assert [wait(limited(Condition.PAIR_LIMIT), attempt=n, max_attempts=9) for n in (1, 2, 3)] == [
        1.0,
        4.0,
        16.0,
    ]


def test_the_last_attempt_is_the_last():
    assert wait(limited(), attempt=3) is None


def test_a_wait_that_does_not_fit_is_not_begun():
    assert wait(limited(after=61)) is None


@pytest.mark.parametrize(
    "error",
    [
        D360RequestError(ErrorDetail("Wrong")),
        D360RateLimitError(ErrorDetail("Spam limit")),
        D360UnavailableError(ErrorDetail("Bad certificate")),
        D360AmbiguousError(ErrorDetail("Answer lost", retry_soon=True)),
    ],
)
def test_what_may_have_been_accepted_or_will_not_help_is_never_tried_again(error):
    assert wait(error) is None


def test_a_wait_that_would_use_up_the_remaining_time_is_not_begun():
    error = limited(Condition.PAIR_LIMIT)
    assert wait(error, remaining_seconds=1.0) is None
    assert wait(error, remaining_seconds=1.01) == 1.0

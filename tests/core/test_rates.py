"""Rate limits: a number's messages a second, a person's every six seconds, on a clock made here."""

from itertools import pairwise

import pytest

from airflow_provider_d360.sending import rates
from airflow_provider_d360.sending.rates import RateLimiter


def sent_at(limiter, recipients, now=1000.0):
    """Send to one after the other, waiting as told, and note when."""
    moments = []
    for recipient in recipients:
        now += limiter.reserve(recipient, now, longest_seconds=1e9)
        moments.append(now)
    return moments


def test_a_number_sends_no_more_than_its_rate():
    moments = sent_at(RateLimiter(80), [str(n) for n in range(801)])
    assert moments[-1] - moments[0] == pytest.approx(10.0)


def test_a_person_gets_a_burst_of_45_and_then_one_in_six_seconds():
    moments = sent_at(RateLimiter(1e6), ["ann"] * 50)
    assert moments[44] - moments[0] == pytest.approx(0.0, abs=0.01)
    assert [round(later - sooner) for sooner, later in pairwise(moments[44:])] == [6] * 5


def test_credit_comes_back_with_time():
    limiter = RateLimiter(1e6)
    sent_at(limiter, ["ann"] * 45)
    assert limiter.reserve("ann", 1000.0 + 45 * 6, 0.0) == 0.0


def test_others_are_not_held_up_by_one_person():
    limiter = RateLimiter(1e6)
    sent_at(limiter, ["ann"] * 45)
    assert limiter.reserve("ann", 1000.1, 60.0) > 5.0
    assert limiter.reserve("bob", 1000.2, 0.0) == 0.0


def test_a_moment_too_far_away_is_told_but_not_taken():
    limiter = RateLimiter(1e6)
    sent_at(limiter, ["ann"] * 45)
    assert limiter.reserve("ann", 1001.0, longest_seconds=1.0) == pytest.approx(5.0, abs=0.01)
    assert limiter.reserve("ann", 1001.0, longest_seconds=1.0) == pytest.approx(5.0, abs=0.01)


def test_a_hundred_thousand_recipients_are_not_remembered_for_ever():
    limiter = RateLimiter(1e6)
    for n in range(100_000):
        limiter.reserve(str(n), 1000.0 + n / 1000, 60.0)
    assert len(limiter._credit_ends) <= rates._MOST_RECIPIENTS + 1


def test_a_recipient_with_a_debt_is_not_forgotten_however_many_others_there_are():
    limiter = RateLimiter(1e6)
    sent_at(limiter, ["ann"] * 46)
    for n in range(rates._MOST_RECIPIENTS + 10):
        limiter.reserve(str(n), 1006.0, 60.0)
    assert limiter.reserve("ann", 1006.0, 60.0) == pytest.approx(6.0, abs=0.1)
    assert limiter.reserve("0", 1006.1, 60.0) < 0.1

"""No second holds more slots than the rate, whoever leases them, and everybody gets a share."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from airflow_provider_d360.store.timelines import (
    LANES,
    LATENESS_SECONDS,
    Speed,
    Timeline,
    dump,
    grant,
    load,
    slot_rate,
)

START = 1_700_000_000.0


def most_in_a_second(
    moments: Sequence[float], lateness: float = 0.0, chance: random.Random | None = None
) -> int:
    """Count the messages in the fullest second, if each is sent up to so much late."""
    late = (chance or random.Random(1)).uniform  # noqa: S311 - not for secrets
    times = sorted(moment + late(0.0, lateness) for moment in moments)
    first = most = 0
    for i, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, i - first + 1)
    return most


class Holder:
    """A process that sends on and on, and asks again shortly before its last moment."""

    def __init__(self, name: str, starts: float, want: int) -> None:
        self.name, self.asks_at, self.want, self.writes = name, starts, want, 0
        self.moments: list[float] = []

    def ask(self, timeline: Timeline | None, rate: float) -> Timeline:
        got = grant(timeline, rate=rate, holder=self.name, want=self.want, now=self.asks_at)
        self.moments += got.moments
        self.writes += 1
        again = got.moments[-1] - 0.2 if got.moments else got.free_at - 0.5
        self.asks_at = max(self.asks_at + 0.05, again)
        return got.timeline


def run(
    holders: Sequence[Holder], rates: Sequence[float], seconds: float, singles: float = 0.0
) -> list[float]:
    """Let holders, and single messages at random moments, lease for so long; return all moments."""
    chance, timeline = random.Random(7), None  # noqa: S311 - not for secrets
    moments: list[float] = []
    while True:
        holder = min(holders, key=lambda one: one.asks_at)
        now = holder.asks_at
        if now > START + seconds:
            return moments + [moment for one in holders for moment in one.moments]
        rate = rates[int((now - START) / seconds * len(rates)) % len(rates)]
        if chance.random() < singles:
            got = grant(timeline, rate=rate, holder="", want=1, now=now, within_seconds=60.0)
            timeline = got.timeline
            moments += got.moments
        timeline = holder.ask(timeline, rate)


@pytest.mark.parametrize("limit", [1, 5, 20, 80, 1000])
@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_no_second_holds_more_than_the_limit(limit, count):
    holders = [Holder(f"task {i}", START + i / 7, limit) for i in range(count)]
    moments = run(holders, [slot_rate(limit, 0.0)], 20.0, singles=0.3)
    assert len(set(moments)) == len(moments)
    assert most_in_a_second(moments) <= limit
    assert most_in_a_second(moments, LATENESS_SECONDS) <= limit


def test_incoming_messages_have_room():
    moments = run([Holder("task", START, 80)], [slot_rate(80, 0.1)], 20.0)
    assert most_in_a_second(moments, LATENESS_SECONDS) <= 72


def test_one_sender_alone_has_the_whole_rate_with_one_write_a_second():
    holder = Holder("task", START, 1000)
    rate = slot_rate(1000, 0.1)
    moments = run([holder], [rate], 60.0)
    assert len(moments) >= 0.99 * rate * 60
    assert holder.writes <= 80


@pytest.mark.parametrize("count", [2, 3, 5])
def test_several_senders_have_equal_shares_and_use_all_of_it(count):
    holders = [Holder(f"task {i}", START + i * 1.5, 80) for i in range(count)]
    rate = slot_rate(80, 0.0)
    moments = run(holders, [rate], 120.0)
    assert len(moments) >= 0.97 * rate * 120
    shares = [len(one.moments) for one in holders]
    assert min(shares) > 0.75 * sum(shares) / count
    assert max(one.writes for one in holders) <= 1.5 * 120


def test_single_messages_come_in_between():
    timeline = grant(None, rate=80.0, holder="task", want=80, now=START).timeline
    got = grant(timeline, rate=80.0, holder="", want=1, now=START + 0.1, within_seconds=60.0)
    assert START + 0.9 < got.moments[0] < START + 1.1
    late = grant(got.timeline, rate=80.0, holder="", want=1, now=START + 0.1, within_seconds=0.2)
    assert late.moments == ()
    assert late.timeline == got.timeline
    assert late.free_at == pytest.approx(got.moments[0] + 1 / 80)


def test_single_messages_take_no_share():
    timeline = None
    for i in range(50):
        timeline = grant(timeline, rate=80.0, holder="", want=1, now=START + i / 80).timeline
    got = grant(timeline, rate=80.0, holder="task", want=80, now=START + 1.0)
    assert len(got.moments) == 80


@pytest.mark.parametrize("rates", [[70.0, 35.0, 17.5], [17.5, 35.0, 70.0], [80.0, 3.0, 1000.0, 0.5]])
def test_a_change_of_the_rate_overfills_no_second(rates):
    holders = [Holder("one", START, 80), Holder("other", START + 0.4, 80)]
    moments = sorted(run(holders, rates, 40.0, singles=0.2))
    for i, rate in enumerate(rates):
        ends = START + 40.0 * (i + 1) / len(rates)
        faster = max(rates[i], rates[(i + 1) % len(rates)])
        assert (
            most_in_a_second([one for one in moments if ends - 40 / len(rates) + 3 < one < ends]) <= rate + 1
        )
        assert most_in_a_second([one for one in moments if abs(one - ends) < 3]) <= faster + 1


def test_two_rates_at_once_overfill_no_second():
    timeline, now = None, START
    moments: list[float] = []
    for i in range(200):
        got = grant(timeline, rate=[80.0, 50.0][i % 2], holder=f"task {i % 2}", want=80, now=now)
        timeline, now = got.timeline, now + 0.3
        moments += got.moments
    assert most_in_a_second(moments) <= 80
    assert len(moments) > 200 * 0.3 * 20


def test_moments_from_a_clock_that_was_years_ahead_do_not_count():
    ahead = grant(None, rate=80.0, holder="task", want=80, now=START + 1e8).timeline
    assert len(grant(ahead, rate=80.0, holder="task", want=80, now=START).moments) == 80


def test_moments_from_a_clock_that_was_a_little_ahead_count():
    ahead = grant(None, rate=80.0, holder="task", want=80, now=START + 30.0).timeline
    got = grant(ahead, rate=80.0, holder="task", want=80, now=START)
    assert got.moments == ()
    assert got.free_at >= START + 30.0


def test_a_timeline_can_be_written_and_read():
    timeline = grant(None, rate=72.5, holder="task", want=80, now=START).timeline
    assert load(dump(timeline)) == timeline


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "[0, []]", "[1, [[1]]]", f"[-1, {LANES * [[1, '']]}]", "nul"]
)
def test_what_is_no_timeline_is_none(text):
    assert load(text.replace("'", '"')) is None


def test_a_rejection_halves_the_speed_which_recovers_in_steps():
    slower = Speed().halve(START)
    assert slower.at(START) == 0.5
    assert slower.at(START + 9.9) == 0.5
    assert slower.at(START + 10.0) == pytest.approx(0.55)
    assert slower.at(START + 1000.0) == 1.0
    assert slower.halve(START + 10.0).at(START + 10.0) == pytest.approx(0.275)


def test_rejections_of_one_moment_are_one_event():
    assert Speed().halve(START).halve(START + 1.0) == Speed(0.5, START)


def test_the_speed_never_becomes_nothing():
    speed = Speed()
    for i in range(20):
        speed = speed.halve(START + 3 * i)
    assert speed.at(START + 60.0) >= 0.05


def test_who_needs_time_leaves_earlier_moments_to_others():
    before = grant(None, rate=80.0, holder="other", want=16, now=START - 0.5).timeline
    slow = grant(before, rate=80.0, holder="", want=1, now=START, lead_seconds=0.5)
    assert START + 0.5 <= slow.moments[0] < START + 0.5 + 2 / 80
    quick = grant(slow.timeline, rate=80.0, holder="", want=20, now=START)
    assert START <= quick.moments[0] < START + 2 / 80
    assert not set(slow.moments) & set(quick.moments)

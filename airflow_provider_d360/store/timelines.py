"""
Timelines: which moments a number may send at, and who has which of them. Pure: no database, no clock.

Time is a grid with one slot for each message: slot ``k`` is ``k / rate`` seconds after its
origin. Each slot is given to one process at most, so no second holds more slots than the rate, wherever the
second begins. There is no border between two leases at which both could be used up at once.

So that several processes may send at the same time, each at a part of the rate, the slots belong to 16 lanes
in turn: slot ``k`` to lane ``k % 16``. A lease is a piece of some lanes, at most a second long.
"""

from __future__ import annotations

import heapq
import json
import math
from dataclasses import dataclass, replace

LANES = 16
LATENESS_SECONDS = 0.05  # a slot may be used so much after its moment
LEASE_SECONDS = 1.0  # the longest lease; it begins a second from now at most
_ACTIVE_SECONDS = 1.0  # a process whose lease ended longer ago needs no share
_LONGEST_QUEUE_SECONDS = 90.0  # a slot that is further away was given while a clock was wrong
_RECOVERY_SECONDS = 10.0
_RECOVERY_STEP = 0.05
_LEAST_SPEED = 0.05
_SAME_TROUBLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Lane:
    """
    Every 16th slot.

    :param next: The first slot of this lane that nobody has.
    :param holder: Who had the last lease of it that was longer than a single message; empty for nobody.
    """

    next: int
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """
    What is given away of a number's time.

    :param rate: Slots per second.
    :param origin: The moment of slot 0, in Unix seconds.
    :param lanes: The lanes, in the sequence of their slots.
    """

    rate: float
    origin: float
    lanes: tuple[Lane, ...]

    def moment(self, slot: int) -> float:
        """
        Return the moment of a slot, in Unix seconds.

        :param slot: The slot.
        """
        return self.origin + slot / self.rate

    @property
    def last(self) -> float:
        """The moment of the last slot that was given away."""
        return self.moment(max(lane.next for lane in self.lanes) - LANES)


@dataclass(frozen=True, slots=True)
class Grant:
    """
    What :func:`grant` gave.

    :param timeline: The new timeline.
    :param moments: The moments of the slots, in Unix seconds, ascending.
    :param free_at: The moment of the first slot that nobody has.
    """

    timeline: Timeline
    moments: tuple[float, ...]
    free_at: float


@dataclass(frozen=True, slots=True)
class Speed:
    """
    The part of its rate at which a number sends after WhatsApp rejected messages as too fast.

    :param slowed_to: The part at that time, from 0 to 1.
    :param slowed_at: That time, in Unix seconds.
    """

    slowed_to: float = 1.0
    slowed_at: float = 0.0

    def at(self, now: float) -> float:
        """
        Return the part at a time: 5 % more of the rate for every ten seconds without another rejection.

        :param now: The time, in Unix seconds.
        """
        steps = math.floor(max(0.0, now - self.slowed_at) / _RECOVERY_SECONDS)
        return min(1.0, self.slowed_to + steps * _RECOVERY_STEP)

    def halve(self, now: float) -> Speed:
        """
        Return half of the speed. Rejections within two seconds are one event, whichever process reports them.

        :param now: The time, in Unix seconds.
        """
        if 0 <= now - self.slowed_at < _SAME_TROUBLE_SECONDS:
            return self
        return Speed(max(_LEAST_SPEED, self.at(now) / 2), now)


def slot_rate(messages_per_second: float, incoming_share: float) -> float:
    """
    Return how many slots a second has so that no second holds more messages than are allowed.

    A slot may be used late, so a second may hold the slots of a little more than a second.

    :param messages_per_second: The limit of the number.
    :param incoming_share: The part of it that is left to incoming messages, from 0 to 0.9.
    """
    return messages_per_second * (1.0 - incoming_share) / (1.0 + LATENESS_SECONDS)


def grant(
    timeline: Timeline | None,
    *,
    rate: float,
    holder: str,
    want: int,
    now: float,
    lead_seconds: float = 0.0,
    within_seconds: float = LEASE_SECONDS,
) -> Grant:
    """
    Give away slots.

    There may be fewer than wanted: at most a second's worth, and of as many lanes as are one holder's share.
    There may be none: then everything within that time is given away.

    :param timeline: What was given away before; None for nothing.
    :param rate: Slots per second.
    :param holder: Names who goes on sending, so that all have equal shares; empty for single messages, which
        get the next free slots, and have no share.
    :param want: How many.
    :param now: The time, in Unix seconds.
    :param lead_seconds: How long it takes until they can be used. Earlier ones are left to others.
    :param within_seconds: The first slot of each lane is no later than this.
    """
    grid = _from_now_on(timeline, rate, now)
    lanes = list(grid.lanes)
    if holder:
        chosen = _share(lanes, holder, _active(timeline, now))
        most = math.ceil(rate * LEASE_SECONDS / LANES)
    else:
        chosen, most = list(range(LANES)), want
    usable = max(0, math.ceil((now + lead_seconds - grid.origin) * rate))
    firsts = [(max(lanes[i].next, usable + (i - usable) % LANES), i) for i in chosen]
    heap = [(slot, i) for slot, i in firsts if grid.moment(slot) <= now + lead_seconds + within_seconds]
    heapq.heapify(heap)
    left = dict.fromkeys(chosen, most)
    moments: list[float] = []
    while heap and len(moments) < want:
        slot, i = heap[0]
        moments.append(grid.moment(slot))
        lanes[i] = Lane(slot + LANES, holder or lanes[i].holder)
        left[i] -= 1
        if left[i]:
            heapq.heapreplace(heap, (slot + LANES, i))
        else:
            heapq.heappop(heap)
    free_at = grid.moment(min(lane.next for lane in lanes))
    return Grant(replace(grid, lanes=tuple(lanes)), tuple(moments), free_at)


def dump(timeline: Timeline) -> str:
    """
    Write a timeline as text.

    :param timeline: The timeline.
    """
    lanes = [[lane.next, lane.holder] for lane in timeline.lanes]
    return json.dumps([timeline.rate, timeline.origin, lanes])


def load(text: str) -> Timeline | None:
    """
    Read what :func:`dump` wrote; None for anything else.

    :param text: The text.
    """
    try:
        rate, origin, lanes = json.loads(text)
        known = tuple(Lane(int(slot), str(holder)) for slot, holder in lanes)
        timeline = Timeline(float(rate), float(origin), known)
    except (TypeError, ValueError):
        return None
    return timeline if timeline.rate > 0 and len(timeline.lanes) == LANES else None


def _from_now_on(timeline: Timeline | None, rate: float, now: float) -> Timeline:
    """Return the rest of a timeline, on the grid of this rate."""
    holders = [lane.holder for lane in timeline.lanes] if timeline else LANES * [""]
    spacing = 1.0 / min(rate, timeline.rate) if timeline else 0.0
    next_free = timeline.last + spacing if timeline else now
    is_wrong = next_free - now > _LONGEST_QUEUE_SECONDS + spacing
    if timeline is None or is_wrong or next_free <= now or timeline.rate != rate:
        # A new grid; it begins where the old one ends, so that no second holds too many slots of both.
        origin = now if is_wrong else max(now, next_free)
        return Timeline(rate, origin, tuple(Lane(i, holder) for i, holder in enumerate(holders)))
    first = max(0, math.ceil((now - timeline.origin) * rate))
    lanes = [
        replace(lane, next=first + (i - first) % LANES) if lane.next < first else lane
        for i, lane in enumerate(timeline.lanes)
    ]
    return replace(timeline, lanes=tuple(lanes))


def _active(timeline: Timeline | None, now: float) -> set[str]:
    """Return who has leases, or had one until a moment ago."""
    if timeline is None:
        return set()
    ended = now - _ACTIVE_SECONDS
    return {lane.holder for lane in timeline.lanes if timeline.moment(lane.next - LANES) > ended} - {""}


def _share(lanes: list[Lane], holder: str, active: set[str]) -> list[int]:
    """Return the lanes that a holder may use now: those that are free first, and of these its own."""
    number = math.ceil(LANES / len(active | {holder}))
    by_time = sorted(range(LANES), key=lambda i: (lanes[i].next // LANES, lanes[i].holder != holder, i))
    return by_time[:number]

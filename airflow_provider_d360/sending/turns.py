"""Turns: the leased moments of this process, one message each. Pure: the clock is passed in."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from airflow_provider_d360.store.rate_leases import Lease

_AHEAD_SECONDS = 0.25  # so long before the last moment, the next lease is fetched


class Turn(NamedTuple):
    """
    When one message may be sent, on the clock of ``time.monotonic()``.

    :param at: No earlier than this.
    :param latest: No later than this: after waiting, look at the clock again, and take another turn if it
        has passed.
    """

    at: float
    latest: float


class Turns:
    """
    Moments to send at, from one lease after the other.

    A moment that has passed is lost: a message that was sent later in its place could overfill a second.
    """

    def __init__(self) -> None:
        self._turns: deque[Turn] = deque()
        self._retry_at = 0.0

    def add(self, lease: Lease) -> None:
        """
        Add the moments of a lease.

        :param lease: What the store gave.
        """
        turns = [Turn(moment, moment + lease.lateness_seconds) for moment in lease.moments]
        self._turns = deque(sorted([*self._turns, *turns]))  # a lease can begin before the last one ends
        self._retry_at = 0.0 if lease.moments else lease.free_at - _AHEAD_SECONDS

    def take(self, now: float) -> Turn | None:
        """
        Return the next turn that has not passed; None if no turn is left.

        :param now: The time, on the clock of ``time.monotonic()``.
        """
        while self._turns:
            turn = self._turns.popleft()
            if now <= turn.latest:
                return turn
        return None

    def lease_at(self, now: float) -> float:
        """
        Return when the next lease should be fetched: now or earlier if it is time.

        :param now: The time, on the clock of ``time.monotonic()``.
        """
        if self._retry_at:
            return self._retry_at
        return self._turns[-1].at - _AHEAD_SECONDS if self._turns else now

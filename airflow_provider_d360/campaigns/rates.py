"""How fast a campaign sends, and how it slows down when WhatsApp says so. Pure: the clock is passed in."""

from __future__ import annotations

import math
from collections import deque

_HALVED_AT_MOST_EVERY_SECONDS = 1.0
_CLEAN_SECONDS = 10.0
_STEP = 0.05
_LEAST_PER_SECOND = 1.0
_CATCH_UP_SECONDS = 0.05


class Throttle:
    """
    The rate that WhatsApp bears: halved when it complains, and a twentieth more for each clean ten seconds.

    :param most: The rate of the number, in messages per second.
    """

    def __init__(self, most: float) -> None:
        self.most = most
        self._share = 1.0
        self._changed_at = -math.inf

    def rate(self, now: float) -> float:
        """
        Return the present rate in messages per second.

        :param now: The time, in seconds.
        """
        while self._share < 1.0 and now - self._changed_at >= _CLEAN_SECONDS:
            self._share = min(1.0, self._share + _STEP)
            self._changed_at += _CLEAN_SECONDS
        return max(self.most * self._share, min(self.most, _LEAST_PER_SECOND))

    def slow_down(self, now: float) -> None:
        """
        Halve the rate. Several complaints within a second are about the same second.

        :param now: The time, in seconds.
        """
        if now - self._changed_at >= _HALVED_AT_MOST_EVERY_SECONDS or self._share == 1.0:
            self._share = self.rate(now) / self.most / 2
            self._changed_at = now


class Pacer:
    """
    Spaces sends evenly, and never lets more through than the rate in any window of a second.

    With less than one message per second, the window is as long as one message takes.
    """

    def __init__(self) -> None:
        self._next = -math.inf
        self._times: deque[float] = deque()

    def wait(self, now: float, rate: float) -> float:
        """
        Return how long the next send must wait, in seconds; 0 if it may go, and then it is counted.

        A caller that comes late may catch up a twentieth of a second.

        :param now: The time, in seconds.
        :param rate: The rate at this moment, in messages per second.
        """
        most, seconds = max(1, int(rate)), max(1.0, 1.0 / rate)
        while self._times and self._times[0] <= now - seconds:
            self._times.popleft()
        wait = max(0.0, self._next - now)
        if len(self._times) >= most:
            wait = max(wait, self._times[-most] + seconds - now)
        if wait > 0:
            return wait
        self._times.append(now)
        self._next = max(self._next, now - _CATCH_UP_SECONDS) + 1.0 / rate
        return 0.0

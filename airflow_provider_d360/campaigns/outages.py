"""How long a sender pauses while the service is away. Pure: the clock is passed in."""

from __future__ import annotations

_FIRST_SECONDS = 1.0
_LONGEST_SECONDS = 60.0
_MOST = 8  # after them, the task fails


class Outages:
    """
    The outages in a row: messages that found the service away, with none accepted between them.

    :ivar ends: When to try again, on the clock of ``time.monotonic()``.
    """

    def __init__(self) -> None:
        self.ends = 0.0
        self._count = 0

    def record(self, now: float) -> float:
        """
        Note that a message found the service away; return how long to wait, 0 within an outage that is known.

        :param now: The time, on the clock of ``time.monotonic()``.
        """
        if now < self.ends:
            return 0.0
        wait = min(_FIRST_SECONDS * 2.0**self._count, _LONGEST_SECONDS)
        self._count += 1
        self.ends = now + wait
        return wait

    def forget(self) -> None:
        """Note that a message was accepted."""
        self._count = 0

    @property
    def are_too_many(self) -> bool:
        """Whether it is time to give up."""
        return self._count > _MOST

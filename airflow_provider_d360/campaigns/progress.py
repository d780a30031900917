"""The progress of a campaign, in one line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from airflow_provider_d360.store.campaign_rows import SENDABLE, RowState

_SHOWN = (
    RowState.ACCEPTED,
    RowState.HELD,
    RowState.REFUSED,
    RowState.UNKNOWN,
    RowState.SUPPRESSED,
    RowState.SKIPPED,
)


class Progress:
    """
    Counts rows by state while they change.

    :param counts: The counts at the beginning.
    :param now: The time, in seconds.
    """

    def __init__(self, counts: Mapping[RowState, int], now: float) -> None:
        self.counts = Counter(counts)
        self._began = now
        self._sent = self._shown_sent = 0
        self._shown_at = now

    def change(self, before: RowState, after: RowState) -> None:
        """
        Count a row that has changed its state.

        :param before: The state that it had.
        :param after: The state that it has now.
        """
        self.counts[before] -= 1
        self.counts[after] += 1
        self._sent += after in (RowState.ACCEPTED, RowState.HELD)

    @property
    def left(self) -> int:
        """How many rows may still be sent."""
        return sum(self.counts[state] for state in SENDABLE)

    def summary(self) -> str:
        """Return the counts, such as ``50 of 102 (49 %): 48 accepted, 2 suppressed``."""
        total = sum(self.counts.values())
        done = total - self.left - self.counts[RowState.INTENDED]
        share = 100 * done // total if total else 100
        states = ", ".join(f"{self.counts[state]} {state.value}" for state in _SHOWN if self.counts[state])
        return f"{done} of {total} ({share} %){': ' if states else ''}{states}"

    def line(self, now: float) -> str:
        """
        Return counts, rate and time left, and start to measure the rate again.

        :param now: The time, in seconds.
        """
        rate = (self._sent - self._shown_sent) / max(now - self._shown_at, 0.001)
        self._shown_sent, self._shown_at = self._sent, now
        line = f"{self.summary()}; {rate:.0f} a second"
        return f"{line}; {format_seconds(self.left / rate)} left" if rate and self.left else line


def format_seconds(seconds: float) -> str:
    """
    Write a duration for people, such as ``1 h 5 min``.

    :param seconds: The duration.
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"

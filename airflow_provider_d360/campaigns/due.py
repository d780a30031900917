"""When rows are due: whose window is open now, and when the next one opens. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_d360.campaigns.windows import read_window


class Schedule:
    """
    The window of a campaign.

    :param settings: The frozen settings: ``window``, and ``zones``, the sets of time zones by number.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._window = read_window(settings.get("window"))
        self._zones: list[list[str]] = list(settings.get("zones") or ())

    def open_zones(self, now: float) -> list[int]:
        """
        Return the numbers of the sets of time zones that are inside the window.

        :param now: The time, in Unix seconds.
        """
        window = self._window
        if window is None:
            return []
        return [number for number, zones in enumerate(self._zones) if window.is_open(zones, now)]

    def next_due(self, left: Iterable[tuple[int | None, float | None]], now: float) -> float | None:
        """
        Return when the next row may be sent, in Unix seconds; None if no row is left.

        :param left: For each set of time zones with rows that are left, the earliest time of these rows; None
            means rows without a window, and rows that are due now.
        :param now: The time, in Unix seconds.
        """
        times = [self._opening(zone, max(due_at or now, now)) for zone, due_at in left]
        return min((at for at in times if at is not None), default=None)

    def _opening(self, zone: int | None, at: float) -> float | None:
        if zone is None or self._window is None:
            return at
        return self._window.next_opening(self._zones[zone], at)

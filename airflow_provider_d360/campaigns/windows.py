"""Windows: at which hours of their day people may get a message. Pure: the time is passed in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DAYS = 3  # a window that is open opens within them


@dataclass(frozen=True, slots=True)
class Window:
    """
    Hours of the day, such as from 9 to 20. With an end before the start, they include midnight.

    :param start: The first moment.
    :param end: The first moment after it.
    """

    start: time
    end: time

    def is_open(self, zones: Sequence[str], now: float) -> bool:
        """
        Return whether it is inside the window in all of these zones.

        :param zones: Names of time zones, such as ``Europe/Berlin``.
        :param now: The time, in Unix seconds.
        """
        return all(self._contains(_local(now, zone).time()) for zone in zones)

    def next_opening(self, zones: Sequence[str], now: float) -> float | None:
        """
        Return when it is next inside the window in all of these zones; None if it never is.

        :param zones: Names of time zones.
        :param now: The time, in Unix seconds; it is returned if the window is open.
        """
        if self.is_open(zones, now):
            return now
        openings = sorted(self._starts(zone, now, day) for zone in zones for day in range(-1, _DAYS))
        return next((at for at in openings if at > now and self.is_open(zones, at)), None)

    def _contains(self, moment: time) -> bool:
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end

    def _starts(self, zone: str, now: float, day: int) -> float:
        date = _local(now, zone).date() + timedelta(days=day)
        return datetime.combine(date, self.start, _zone(zone)).timestamp()


def read_window(window: Sequence[str] | None) -> Window | None:
    """
    Read a window.

    :param window: Start and end, such as ``("09:00", "20:00")``; None for none.
    :raises ValueError: when it is no pair of different times.
    """
    if window is None:
        return None
    matches = [_TIME.fullmatch(str(text).strip()) for text in window]
    times = [time(int(match[1]), int(match[2])) for match in matches if match]
    if isinstance(window, str) or len(matches) != 2 or len(times) != 2 or times[0] == times[1]:
        raise ValueError("window must be two different times of the day, such as ('09:00', '20:00')")
    return Window(*times)


@lru_cache(maxsize=4096)
def check_zone(name: str) -> str:
    """
    Return the name of a time zone.

    :param name: Such as ``Europe/Berlin``.
    :raises ValueError: when there is no such zone.
    """
    zone = None
    with suppress(KeyError, OSError, ValueError):
        zone = ZoneInfo(name.strip()).key
    if zone is None:
        raise ValueError("is no time zone, such as Europe/Berlin")
    return zone


def zones_of_number(digits: str) -> tuple[str, ...]:
    """
    Return the time zones in which the owner of a number may be, sorted; none if they are not known.

    :param digits: The number with its country code.
    """
    import phonenumbers
    from phonenumbers import timezone as zones

    try:
        names = zones.time_zones_for_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        return ()
    return tuple(sorted(name for name in names if name != "Etc/Unknown"))


def _local(now: float, zone: str) -> datetime:
    return datetime.fromtimestamp(now, timezone.utc).astimezone(_zone(zone))


@lru_cache(maxsize=4096)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)

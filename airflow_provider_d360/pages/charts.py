"""Charts of a campaign's page, as numbers for SVG. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

HEIGHT = 40.0
_SMALLEST_PERCENT = 0.25  # or one failed message of a million would not be seen


class Bar(NamedTuple):
    """
    A bar; its colour belongs to its name.

    :param name: The state that it shows; empty if all bars show the same state.
    :param x: Where it begins.
    :param y: Its upper end.
    :param width: Its width.
    :param height: Its height.
    """

    name: str
    x: float
    y: float
    width: float
    height: float


def columns(values: Sequence[float]) -> list[Bar]:
    """
    Draw values over time, each one wide; the greatest is as high as the chart.

    :param values: The values, 0 or more.
    """
    most = max(values, default=0.0) or 1.0
    heights = [HEIGHT * value / most for value in values]
    return [
        Bar("", place + 0.1, round(HEIGHT - height, 2), 0.8, round(height, 2))
        for place, height in enumerate(heights)
        if height
    ]


def shares(counts: Mapping[str, int]) -> list[Bar]:
    """
    Draw counts beside each other, in percent of their sum.

    :param counts: The counts by name.
    """
    total = sum(counts.values())
    bars, x = [], 0.0
    for name, count in counts.items():
        width = round(100 * count / total, 2) if total else 0.0
        if count:
            bars.append(Bar(name, round(x, 2), 0.0, max(width, _SMALLEST_PERCENT), 1.0))
        x += width
    return bars

"""What the lists of the pages share: where the next page begins, and the sequence of states. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def older(times: Sequence[float], rows: int) -> float | None:
    """
    Say before when the next page ends: what has the same time must not fall between two pages.

    :param times: The times of what was found, newest first, in Unix seconds: of one more than a page shows.
    :param rows: How many a page shows.
    :return: None if there is no other page.
    """
    if len(times) <= rows:
        return None
    first, next_at = times[0], times[rows]
    return next_at if next_at == first else math.nextafter(next_at, math.inf)


def in_sequence(counts: Mapping[str, int], sequence: Sequence[str]) -> dict[str, int]:
    """
    Sort counts by their states; those that the sequence does not name come last, by name.

    :param counts: How many are in each state.
    :param sequence: The states.
    """
    places = {state: place for place, state in enumerate(sequence)}
    return dict(sorted(counts.items(), key=lambda one: (places.get(one[0], len(places)), one[0])))

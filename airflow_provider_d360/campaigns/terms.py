"""The terms on which one task sends a campaign, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from airflow_provider_d360.store.campaign_rows import Part


class End(Enum):
    """Why a task stopped sending."""

    DONE = "nothing is left that this task may send"
    DUE = "the next row is due later"
    HELD = "WhatsApp holds too many messages"
    PAUSED = "it was paused"
    STOPPED = "it was stopped"
    UNTIL = "the time was over"


class Ended(NamedTuple):
    """
    How a task ended.

    :param end: Why.
    :param at: When to go on, in Unix seconds, for what is due later.
    :param reason: Why it was paused or stopped.
    """

    end: End
    at: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """
    How a task sends.

    :param part: The rows that it may take.
    :param batch: How many rows may be claimed and not concluded: so many are unknown after a kill at most.
    :param until: When to stop, in Unix seconds; None for no end.
    """

    part: Part
    batch: int = 200
    until: float | None = None

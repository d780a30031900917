"""
What an error means for a campaign, and when a campaign stops by itself. Pure.

``api/codes.py`` defines the meaning of codes; here are only its consequences for the next messages.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from airflow_provider_d360.api.errors import (
    Condition,
    D360AmbiguousError,
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360RecipientError,
    D360UnavailableError,
)

_FIRST_PAIR_WAIT_SECONDS = 6.0
_LONGEST_PAIR_WAIT_SECONDS = 3600.0
_SLOW_DOWN_SECONDS = 1.0
_LONGEST_SLOW_DOWN_SECONDS = 60.0  # a limit that lasts longer is none that slower sending helps against

IN_A_ROW = 10
_LEAST = 100
_MOST_WRONG = 0.1
_MOST_UNKNOWN = 0.05


class Kind(Enum):
    """The consequence for a message and for the campaign."""

    ACCEPTED = "accepted"
    HELD = "WhatsApp holds it to assess the template"
    SLOW_DOWN = "nothing was accepted: the same message again, and all of them more slowly"
    LATER = "this person later"
    NEVER = "this person cannot get it"
    WRONG = "this row is wrong"
    OUTAGE = "nothing was accepted, and the service is away"
    UNKNOWN = "it may have been accepted"
    STOP = "the next message would fail as well"


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    The consequence for one message.

    :param kind: The kind.
    :param wait_seconds: How long to wait before the same message again, for kinds that send it again.
    """

    kind: Kind
    wait_seconds: float = 0.0


def verdict_on(error: D360Error, attempts: int) -> Verdict:
    """
    Return the consequence of an error.

    :param error: The error of sending a message, or of its status.
    :param attempts: How often this message was postponed before.
    """
    condition, wait = error.detail.condition, error.detail.retry_after_seconds
    if isinstance(error, D360AmbiguousError):
        return Verdict(Kind.UNKNOWN)
    if condition is Condition.STOP_SENDING or isinstance(error, D360AuthError):
        return Verdict(Kind.STOP)
    if condition is Condition.PAIR_LIMIT:
        return Verdict(Kind.LATER, min(_FIRST_PAIR_WAIT_SECONDS * 4.0**attempts, _LONGEST_PAIR_WAIT_SECONDS))
    if condition is Condition.PERSON_CAPPED:
        return Verdict(Kind.NEVER) if attempts else Verdict(Kind.LATER, wait or 0.0)
    if isinstance(error, D360RateLimitError):
        wait = _SLOW_DOWN_SECONDS if wait is None else wait
        return Verdict(Kind.SLOW_DOWN, wait) if wait <= _LONGEST_SLOW_DOWN_SECONDS else Verdict(Kind.STOP)
    if isinstance(error, D360RecipientError):
        return Verdict(Kind.NEVER)
    if isinstance(error, D360UnavailableError):
        return Verdict(Kind.OUTAGE, wait or 0.0)
    return Verdict(Kind.WRONG)


@dataclass(slots=True)
class StopRules:
    """Counts outcomes, and says when a campaign must stop because of them."""

    _all: int = 0
    _in_a_row: Counter[Kind] = field(default_factory=Counter)
    _counts: Counter[Kind] = field(default_factory=Counter)

    def record(self, kind: Kind) -> str | None:
        """
        Count an outcome; return why to stop, or None to go on.

        :param kind: The outcome. One that stops the campaign has a reason of its own, which the caller knows.
        """
        if kind in (Kind.SLOW_DOWN, Kind.OUTAGE):
            return None
        self._all += 1
        if kind in (Kind.WRONG, Kind.UNKNOWN):
            self._counts[kind] += 1
        if not self._counts:
            return None
        for other in (Kind.WRONG, Kind.UNKNOWN):
            self._in_a_row[other] = self._in_a_row[other] + 1 if kind is other else 0
        return self._too_many(Kind.WRONG, _MOST_WRONG, "were refused because the message is wrong") or (
            self._too_many(Kind.UNKNOWN, _MOST_UNKNOWN, "have an unknown outcome: responses are lost")
        )

    def _too_many(self, kind: Kind, most: float, words: str) -> str | None:
        if self._in_a_row[kind] >= IN_A_ROW:
            return f"{IN_A_ROW} messages in a row {words}"
        if self._all >= _LEAST and self._counts[kind] > most * self._all:
            return f"{self._counts[kind]} of {self._all} messages {words}"
        return None

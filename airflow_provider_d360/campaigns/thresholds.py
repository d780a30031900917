"""The results of a campaign so far, as shares, and whether they are good enough to go on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import Enum

from airflow_provider_d360.api import codes
from airflow_provider_d360.api.errors import Condition
from airflow_provider_d360.store.campaign_results import Total
from airflow_provider_d360.store.campaign_rows import RowState

_ARRIVED = ("delivered", "read", "played")
_OUT = (RowState.ACCEPTED, RowState.HELD, RowState.UNKNOWN, RowState.INTENDED)


@dataclass(frozen=True, slots=True)
class Figures:
    """
    How many people of a campaign have which outcome.

    :param tried: Messages that were sent, or refused when they were sent.
    :param delivered: Those that arrived.
    :param read: Those that were read.
    :param failed: Those that were refused, or failed later; without the capped ones.
    :param capped: Those that WhatsApp did not deliver because these people get enough marketing.
    :param held: Those that WhatsApp holds, without a verdict so far.
    :param unknown: Those of which nobody knows whether they were accepted.
    :param opted_out: People who got it and asked for no more since.
    :param left: People who may still get it.
    """

    tried: int
    delivered: int = 0
    read: int = 0
    failed: int = 0
    capped: int = 0
    held: int = 0
    unknown: int = 0
    opted_out: int = 0
    left: int = 0

    def share(self, name: str) -> float:
        """
        Return a part of what was tried, from 0 to 1.

        :param name: The name of a count.
        """
        return float(getattr(self, name)) / self.tried if self.tried else 0.0

    def __str__(self) -> str:
        names = [field.name for field in fields(self) if field.name not in ("tried", "left")]
        shares = [
            f"{getattr(self, name)} {name.replace('_', ' ')} ({100 * self.share(name):.1f} %)"
            for name in names
            if getattr(self, name)
        ]
        return ", ".join([f"{self.tried} tried", *shares])


def figures(totals: Iterable[Total], opted_out: int = 0) -> Figures:
    """
    Count totals.

    :param totals: The totals of a campaign.
    :param opted_out: How many people opted out since.
    """
    counts: Counter[str] = Counter()
    for total in totals:
        for name in _names(total):
            counts[name] += total.count
    return Figures(**({"tried": 0} | counts), opted_out=opted_out)


def _names(total: Total) -> list[str]:
    if total.state in (RowState.PLANNED, RowState.POSTPONED):
        return ["left"]
    if total.state in (RowState.SUPPRESSED, RowState.SKIPPED):
        return []
    names = ["tried"]
    if total.status == "failed" or total.state is RowState.REFUSED:
        names.append("capped" if _is_cap(total) else "failed")
    elif total.status in _ARRIVED:
        names += ["delivered"] if total.status == "delivered" else ["delivered", "read"]
    elif total.status is None and total.state in (RowState.UNKNOWN, RowState.INTENDED):
        names.append("unknown")
    elif total.status is None and total.state is RowState.HELD:
        names.append("held")
    return names


def _is_cap(total: Total) -> bool:
    meaning = codes.by_code(total.code, on_premise=total.on_premise)
    return meaning is not None and meaning.condition is Condition.PERSON_CAPPED


class State(str, Enum):
    """Whether to go on."""

    WAITING = "waiting"
    MET = "met"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """
    When a campaign is good enough to go on, and when it is not. Each is a share from 0 to 1, or None.

    :param delivered: At least so many of the messages must have arrived.
    :param read: At least so many must have been read.
    :param failed: At most so many may have failed.
    :param held: At most so many may be held.
    :param opted_out: At most so many may have opted out.
    """

    delivered: float | None = None
    read: float | None = None
    failed: float | None = None
    held: float | None = None
    opted_out: float | None = None

    def judge(self, found: Figures) -> tuple[State, str]:
        """
        Compare figures, and return the state with its reason.

        :param found: The figures.
        """
        for name in ("failed", "opted_out"):
            most = getattr(self, name)
            if most is not None and found.share(name) > most:
                return State.BROKEN, f"more than {100 * most:g} % {name.replace('_', ' ')}: {found}"
        if not found.tried:
            return State.WAITING, "nothing was sent so far"
        missing = [
            f"{name} is below {100 * least:g} %"
            for name in ("delivered", "read")
            if (least := getattr(self, name)) is not None and found.share(name) < least
        ]
        if self.held is not None and found.share("held") > self.held:
            missing.append(f"more than {100 * self.held:g} % are held")
        return (State.WAITING if missing else State.MET), "; ".join([*missing, str(found)])

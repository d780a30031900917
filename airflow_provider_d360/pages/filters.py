"""What a list of messages, alerts or questions shows: filters from its address, and whose tab it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_provider_d360.pages.addresses import page_path
from airflow_provider_d360.store import Selection

PERIODS = {1: "last day", 7: "last 7 days", 30: "last 30 days", 365: "last year"}
LONGEST_DAYS = max(PERIODS)
SOURCES = ("task", "alert", "hook")
ALERTS = "alerts"

_DEFAULT_DAYS = 7


@dataclass(frozen=True, slots=True)
class Filters:
    """
    The filters of a list of messages, alerts or questions.

    :param days: How far it goes back.
    :param dag: Part of a DAG's id.
    :param status: A status.
    :param source: ``task``, ``alert`` or ``hook``.
    :param recipient: The hash of a recipient.
    :param of: Another list than all messages, as the path below our prefix: alerts, questions, or the tab
        of a DAG, run or task.
    """

    days: int = _DEFAULT_DAYS
    dag: str = ""
    status: str = ""
    source: str = ""
    recipient: str = ""
    of: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filters:
        """
        Read filters from an address. What makes no sense is left out.

        :param query: Its query.
        """
        source = query.get("source", "")
        return cls(
            days=next((days for days in PERIODS if str(days) == query.get("days")), _DEFAULT_DAYS),
            dag=storable(query.get("dag", "").strip()),
            status=storable(query.get("status", "")),
            source=source if source in SOURCES else "",
            recipient=storable(query.get("recipient", "")),
            of=query.get("of", ""),
        )

    @property
    def are_set(self) -> bool:
        """Whether anything but the period is filtered."""
        return bool(self.dag or self.status or self.source or self.recipient)

    @property
    def is_tab(self) -> bool:
        """Whether the list is in Airflow's tab of a DAG, run or task, where we show no tabs of our own."""
        return self.of not in ("", ALERTS)

    def query(self) -> dict[str, object]:
        """Return the filters for an address."""
        names = ("dag", "status", "source", "recipient", "of")
        days = {} if self.days == _DEFAULT_DAYS else {"days": self.days}
        return {**days, **{name: getattr(self, name) for name in names}}

    def list_path(self, before: float | None = None, **changes: str | int) -> str:
        """
        Return the address of the list.

        :param before: Only messages sent before this time, in Unix seconds.
        :param changes: Filters that differ.
        """
        changed = replace(self, **changes)  # type: ignore[arg-type]  # the fields are str and int
        parts = [part for part in changed.of.split("/") if part not in ("", ".", "..")] or ["messages"]
        return page_path(*parts, query={**replace(changed, of="").query(), "before": before})

    def selection(self, senders: Sequence[str]) -> Selection:
        """
        Return the query for the store.

        :param senders: The DAGs that may be shown.
        """
        part = self.dag.lower()
        return Selection(
            dag_ids=[dag_id for dag_id in senders if part in dag_id.lower()],
            recipient_hash=self.recipient or None,
            source=self.source or None,
        )

    def describe(self, nothing: str = "Nothing was sent") -> str:
        """
        Say what is filtered, for a list that shows nothing.

        :param nothing: How the sentence begins.
        """
        parts = [
            f"with the state {self.status!r}" if self.status else "",
            f"from the source {self.source!r}" if self.source else "",
            f"by a Dag like {self.dag!r}" if self.dag else "",
            "to the recipient that you searched for" if self.recipient else "",
        ]
        text = " ".join(filter(None, parts))
        known = " What an older version of this provider recorded is not found." if self.recipient else ""
        return f"{nothing} {text} in the {PERIODS[self.days]}.{known}"


def storable(text: str) -> str:
    """
    Strip NUL characters, which PostgreSQL rejects.

    :param text: A text from an address or a form.
    """
    return text.replace("\0", "")


def instant(text: str | None) -> float | None:
    """
    Read a time in Unix seconds from an address; None if it is not a time.

    :param text: The text.
    """
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None

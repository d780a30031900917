"""Writes the outcomes of rows, several at a time, and keeps trying while the store is away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_d360 import metrics
from airflow_provider_d360.store import StoreError, StoreUnavailableError
from airflow_provider_d360.store.campaign_rows import Outcome, RowState

if TYPE_CHECKING:
    from airflow_provider_d360.campaigns.progress import Progress
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.campaign_senders import Lease

T = TypeVar("T")
log = logging.getLogger(__name__)

_FLUSH_SECONDS = 0.25
_POLL_SECONDS = 0.5
STORE_AWAY_SECONDS = 120.0  # after that, the task fails
_METRICS = {
    RowState.ACCEPTED: metrics.ACCEPTED,
    RowState.HELD: metrics.HELD,
    RowState.UNKNOWN: metrics.UNKNOWN,
}


class ResultWriter:
    """
    Collects outcomes, and writes them four times a second, in one transaction each.

    :param store: The store.
    :param lease: The lease under which the rows were claimed.
    :param progress: Counts them.
    """

    def __init__(self, store: Store, lease: Lease, progress: Progress) -> None:
        self._senders, self._lease, self._progress = store.campaign_senders, lease, progress
        self._outcomes: dict[int, Outcome] = {}
        self._flushing = asyncio.Lock()

    @property
    def pending(self) -> int:
        """How many outcomes are not written yet."""
        return len(self._outcomes)

    def note(self, outcome: Outcome) -> None:
        """
        Take an outcome, to be written soon.

        :param outcome: The outcome of a row that was claimed.
        """
        self._outcomes[outcome.number] = outcome
        self._progress.change(RowState.INTENDED, outcome.state)

    async def flush_always(self) -> None:
        """Write until this is cancelled."""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """
        Write what was taken; what cannot be written now stays.

        One after the other: an outcome that was written late could undo the next claim of its row.
        """
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        outcomes = dict(self._outcomes)
        if not outcomes:
            return
        try:
            await asyncio.to_thread(self._senders.conclude, self._lease, outcomes.values())
        except StoreUnavailableError as error:
            log.warning("Outcomes cannot be written, trying again: %s", error)
            return
        _count(outcomes.values())
        for number, outcome in outcomes.items():
            if self._outcomes.get(number) is outcome:
                del self._outcomes[number]

    async def close(self) -> None:
        """Write all that is left, and end the lease."""
        try:
            outcomes = list(self._outcomes.values())
            await in_store(self._senders.conclude, self._lease, outcomes)
            _count(outcomes)
            await in_store(self._senders.release, self._lease)
        except StoreError as error:
            log.error("The outcomes of %s messages could not be written: %s", len(self._outcomes), error)


def _count(outcomes: Collection[Outcome]) -> None:
    """Count outcomes for the metrics."""
    states = Counter(outcome.state for outcome in outcomes)
    for state, metric in _METRICS.items():
        if states[state]:
            metrics.count(metric, states[state], source="campaign")
    for outcome in outcomes:
        if outcome.state is RowState.REFUSED:
            error = (outcome.reason or "").partition(":")[0]
            metrics.count(metrics.REFUSED, source="campaign", error=error)


async def in_store(work: Callable[..., T], *args: Any, **options: Any) -> T:
    """
    Do something in the store in a thread, and try again for two minutes while it is away.

    :param work: What to do.
    :param args: Its arguments.
    :param options: Its keyword arguments.
    :raises StoreUnavailableError: when it stays away.
    """
    ends = time.monotonic() + STORE_AWAY_SECONDS
    while True:
        try:
            return await asyncio.to_thread(partial(work, *args, **options))
        except StoreUnavailableError as error:
            if time.monotonic() >= ends:
                raise
            log.warning("The store is away, trying again: %s", error)
        await asyncio.sleep(_POLL_SECONDS)

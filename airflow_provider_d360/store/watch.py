"""Waiting for statuses: one query for all who wait in this process, however many they are."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Literal, NamedTuple

from airflow_provider_d360.api.events import RANKS
from airflow_provider_d360.store.database import StoreUnavailableError
from airflow_provider_d360.store.records import Status
from airflow_provider_d360.store.store import Store

log = logging.getLogger(__name__)

Outcome = Literal["reached", "failed", "waiting"]


def outcome(status: Status | None, wanted: str) -> Outcome:
    """Say whether a message has come as far as ``wanted``, has failed, or is on its way."""
    if status is None:
        return "waiting"
    if status.status == "failed":
        return "failed"
    return "reached" if status.rank >= RANKS[wanted] else "waiting"


def _is_an_id(message_id: object) -> bool:
    """Keep out of the shared query what a database would refuse: it would refuse it for everybody."""
    return isinstance(message_id, str) and message_id.isascii() and message_id.isprintable()


class _Place(NamedTuple):
    """Somebody who waits."""

    wanted: str
    until: float
    answer: asyncio.Future[Status | None]


class StatusWatch:
    """
    Lets many tasks of one event loop wait for their messages with one query an interval.

    :param store: Where the statuses are.
    :param interval_seconds: Time between two queries.
    """

    def __init__(self, store: Store, interval_seconds: float) -> None:
        self._store = store
        self._interval = interval_seconds
        self._waiting: dict[str, list[_Place]] = {}
        self._poller: asyncio.Task[None] | None = None

    def close(self) -> None:
        self._store.close()

    async def wait(self, message_id: str, wanted: str, until: float = math.inf) -> Status | None:
        """
        Wait until a message has come as far as ``wanted``, or has failed; ``None`` when the time is over.

        The time is over when the store was asked after it, and answered. While it is away nobody knows.

        :param until: When to give up, in Unix seconds.
        """
        place = _Place(wanted, until, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(message_id, []).append(place)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            return await place.answer
        finally:
            self._waiting[message_id].remove(place)
            if not self._waiting[message_id]:
                del self._waiting[message_id]

    async def _poll(self) -> None:
        await asyncio.sleep(0)  # whoever begins to wait in the same moment shares the first query
        while self._waiting:
            asked_at, asked = time.time(), list(self._waiting)
            try:
                found = await asyncio.to_thread(self._store.status_of, list(filter(_is_an_id, asked)))
            except Exception as problem:  # noqa: BLE001 - all who wait depend on this loop going on
                # Anything but the store's own words may quote a value.
                said = problem if isinstance(problem, StoreUnavailableError) else type(problem).__name__
                log.warning("Statuses cannot be read, trying again in %.0f s: %s", self._interval, said)
            else:
                for message_id in asked:
                    self._tell(message_id, found.get(message_id), asked_at)
            await asyncio.sleep(self._interval)

    def _tell(self, message_id: str, status: Status | None, asked_at: float) -> None:
        for place in self._waiting.get(message_id, ()):
            decided = outcome(status, place.wanted) != "waiting"
            if not place.answer.done() and (decided or asked_at >= place.until):
                place.answer.set_result(status if decided else None)

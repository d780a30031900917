"""Waiting for statuses: one query for all who wait in this process, however many they are."""

from __future__ import annotations

import asyncio
import logging
from typing import Literal

from airflow_provider_d360.api.events import RANKS
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


class StatusWatch:
    """
    Lets many tasks of one event loop wait for their messages with one query an interval.

    :param store: Where the statuses are.
    :param interval_seconds: Time between two queries.
    """

    def __init__(self, store: Store, interval_seconds: float) -> None:
        self._store = store
        self._interval = interval_seconds
        self._waiting: dict[str, list[tuple[str, asyncio.Future[Status]]]] = {}
        self._poller: asyncio.Task[None] | None = None

    async def wait(self, message_id: str, wanted: str) -> Status:
        """Wait until a message has come as far as ``wanted``, or has failed."""
        answer: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        place = (wanted, answer)
        self._waiting.setdefault(message_id, []).append(place)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            return await answer
        finally:
            self._waiting[message_id].remove(place)
            if not self._waiting[message_id]:
                del self._waiting[message_id]

    async def _poll(self) -> None:
        await asyncio.sleep(0)  # whoever begins to wait in the same moment shares the first query
        while self._waiting:
            try:
                wanted = [message_id for message_id in self._waiting if _is_an_id(message_id)]
                found = await asyncio.to_thread(self._store.status_of, wanted)
            except Exception as problem:  # noqa: BLE001 - all who wait depend on this loop going on
                log.warning(
                    "Statuses cannot be read, trying again in %.0f s: %s",
                    self._interval,
                    type(problem).__name__,
                )
                found = {}
            for message_id, status in found.items():
                self._tell(message_id, status)
            await asyncio.sleep(self._interval)

    def _tell(self, message_id: str, status: Status) -> None:
        for wanted, answer in self._waiting.get(message_id, ()):
            if not answer.done() and outcome(status, wanted) != "waiting":
                answer.set_result(status)

"""Group commit: deliveries that arrive while one transaction runs share the next."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_d360.api.events import Event
from airflow_provider_d360.store import Store, StoreUnavailableError

log = logging.getLogger(__name__)

_MOST_HELD_BYTES = 16_000_000


class GroupCommit:
    """
    Writes events into the store, one transaction after the other, on one thread.

    While the store does not keep up, 16 MB of deliveries may wait or be in writing; more are to come again.
    In memory that is some 75 MB of statuses, 140 MB of messages, and at worst, of bodies made for it, 450 MB.
    When nothing else waits, a delivery is taken however long it is.

    :param store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="d360-store")
        self._waiting: list[tuple[Sequence[Event], int, asyncio.Future[None]]] = []
        self._held_bytes = 0
        self._flushing: asyncio.Task[None] | None = None

    async def add(self, events: Sequence[Event], size_bytes: int) -> None:
        """
        Return when the events are committed.

        :raises StoreUnavailableError: when they are not, or when too much is waiting already.
        """
        if self._held_bytes and self._held_bytes + size_bytes > _MOST_HELD_BYTES:
            raise StoreUnavailableError("The store does not keep up; too much is waiting for it")
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((events, size_bytes, done))
        self._held_bytes += size_bytes
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await done

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            events = [event for some, _, _ in batch for event in some]
            loop = asyncio.get_running_loop()
            problem: Exception | None = None
            try:
                await loop.run_in_executor(self._thread, self._store.add, events, time.time())
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever, or be told 200
                problem = error
                log.error("%d deliveries were not stored and will come again: %s", len(batch), _short(error))
            for _, size_bytes, done in batch:
                self._held_bytes -= size_bytes
                _settle(done, problem)
        self._flushing = None


def _short(error: Exception) -> str:
    """Tell what the store says, and of anything else, which may quote a value, only the kind."""
    return str(error) if isinstance(error, StoreUnavailableError) else type(error).__name__


def _settle(done: asyncio.Future[None], problem: Exception | None) -> None:
    if done.done():  # its request was cancelled
        return
    if problem is None:
        done.set_result(None)
    else:
        done.set_exception(StoreUnavailableError(_short(problem)))

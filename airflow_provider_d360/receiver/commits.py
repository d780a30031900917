"""Group commit: deliveries that arrive while one transaction runs share the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_d360 import metrics
from airflow_provider_d360.api.events import Event
from airflow_provider_d360.api.opt_outs import DEFAULT_KEYWORDS, Keywords
from airflow_provider_d360.receiver.measurements import delivery_seconds
from airflow_provider_d360.receiver.throttled_log import ThrottledLog
from airflow_provider_d360.store import Store, StoreError, StoreUnavailableError

_MOST_HELD_BYTES = 16_000_000
_MOST_BATCH_BYTES = 3_000_000

_Waiting = tuple[Sequence[Event], int, "asyncio.Future[None]"]


class GroupCommit:
    """
    Writes events to the store, one transaction after the other, on one thread.

    While the store does not keep up, at most 16 MB of deliveries wait or are being written; further ones are
    rejected, and 360dialog sends them again. In memory that is some 75 MB of statuses, 140 MB of messages,
    and at worst, of bodies made for it, 450 MB. If nothing else waits, a delivery of any length is accepted.

    :param store: The store.
    :param words: The words by which people opt out and in.
    :param measures: Whether to measure how long messages took until they were delivered.
    """

    def __init__(self, store: Store, words: Keywords = DEFAULT_KEYWORDS, *, measures: bool = False) -> None:
        self._store, self._words, self._measures = store, words, measures
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="d360-store")
        self._waiting: list[_Waiting] = []
        self._held_bytes = 0
        self._failed = ThrottledLog(
            "%(count)d deliveries were not stored; 360dialog sends them again: %(last)s"
        )
        self._flushing: asyncio.Task[None] | None = None

    async def add(self, events: Sequence[Event], size_bytes: int) -> None:
        """
        Return when the events are committed.

        :param events: The events of one delivery.
        :param size_bytes: The length of its decompressed body.
        :raises StoreUnavailableError: if they are not committed, or if too much waits already.
        """
        if self._held_bytes and self._held_bytes + size_bytes > _MOST_HELD_BYTES:
            raise StoreUnavailableError("The store does not keep up; too many deliveries wait for it")
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((events, size_bytes, done))
        self._held_bytes += size_bytes
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
            self._flushing.add_done_callback(self._end)
        await done

    async def _flush(self) -> None:
        while self._waiting:
            await self._commit(self._next_batch())

    def _next_batch(self) -> list[_Waiting]:
        """Take what waits, up to 3 MB: converting the rows of more in one go would block other threads."""
        size_bytes = 0
        for number, (_, length, _) in enumerate(self._waiting):
            size_bytes += length
            if size_bytes > _MOST_BATCH_BYTES and number:
                break
        else:
            number = len(self._waiting)
        batch, self._waiting = self._waiting[:number], self._waiting[number:]
        return batch

    def _end(self, flushing: asyncio.Task[None]) -> None:
        """Reject all waiting deliveries: the flush was cancelled, and none may wait forever."""
        if flushing is self._flushing:
            batch, self._waiting = self._waiting, []
            self._settle(batch, "The writing was cancelled")

    async def _commit(self, batch: list[_Waiting]) -> None:
        problem: str | None = "The writing was cancelled"
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._write, batch)
            problem = None
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever, or be sent 200
            problem = describe(error)
            self._failed.count(problem, len(batch))
        finally:
            self._settle(batch, problem)

    def _write(self, batch: list[_Waiting]) -> None:
        events = [event for events, _, _ in batch for event in events]
        seconds = delivery_seconds(self._store, events) if self._measures else []
        self._store.add(events, time.time(), self._words)
        for each in seconds:
            metrics.measure(metrics.DELIVERY_TIME, each)

    def _settle(self, batch: list[_Waiting], problem: str | None) -> None:
        """End the waiting of a batch: with success, or with an error that names the problem."""
        for _, size_bytes, done in batch:
            self._held_bytes -= size_bytes
            if done.done():  # its request was cancelled
                continue
            if problem is None:
                done.set_result(None)
            else:
                done.set_exception(StoreUnavailableError(problem))


def describe(error: Exception) -> str:
    """
    Return the text of the store's own errors; of others, which may quote a value, only the type.

    :param error: What the store raised.
    """
    return str(error) if isinstance(error, StoreError) else type(error).__name__

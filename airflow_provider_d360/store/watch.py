"""Waiting for statuses: one query for all who wait in a process."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import NamedTuple

from airflow_provider_d360.api.events import RANKS
from airflow_provider_d360.store.database import StoreUnavailableError
from airflow_provider_d360.store.statuses import Status
from airflow_provider_d360.store.store import Store

log = logging.getLogger(__name__)


class Waited(NamedTuple):
    """
    The result of waiting for a message.

    :param message_id: The message.
    :param state: ``reached``, ``failed``, ``waiting`` or ``timeout``.
    :param status: The status of the message; None without a status, and after a timeout.
    :param error_code: Why it failed: a code of Meta or of the on-premise API.
    :param error_title: The error in a few words.
    :param error_details: More about the error.
    :param on_premise: True: ``error_code`` is a code of the on-premise API. False: a code of Meta.
    """

    message_id: str
    state: str
    status: str | None = None
    error_code: int | None = None
    error_title: str = ""
    error_details: str = ""
    on_premise: bool = False


def judge(message_id: str, current: Status | None, awaited: str) -> Waited:
    """
    Decide whether a message has the awaited status, has failed, or neither.

    :param message_id: The message.
    :param current: Its current status; None without one.
    :param awaited: ``sent``, ``delivered`` or ``read``; a later status counts as well.
    """
    if current is None:
        return Waited(message_id, "waiting")
    if current.status != "failed":
        state = "reached" if current.rank >= RANKS[awaited] else "waiting"
        return Waited(message_id, state, current.status)
    return Waited(
        message_id,
        "failed",
        current.status,
        current.error_code,
        current.error_title or "",
        current.error_details or "",
        current.on_premise,
    )


def _is_valid_id(message_id: object) -> bool:
    """Keep out of the shared query what a database would reject: it would fail for everybody."""
    return isinstance(message_id, str) and message_id.isascii() and message_id.isprintable()


class _Waiter(NamedTuple):
    """One task that waits."""

    awaited: str
    until: float
    result: asyncio.Future[Waited]


class StatusWatch:
    """
    Lets many tasks of one event loop wait for their messages with one query per interval.

    :param store: The store with the statuses.
    :param interval_seconds: Time between two queries.
    """

    def __init__(self, store: Store, interval_seconds: float) -> None:
        self._store = store
        self._interval_seconds = interval_seconds
        self._waiting: dict[str, list[_Waiter]] = {}
        self._poller: asyncio.Task[None] | None = None

    @property
    def store(self) -> Store:
        """The store."""
        return self._store

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    async def wait(self, message_id: str, awaited: str, until: float = math.inf) -> Waited:
        """
        Wait until a message has the awaited status, has failed, or the time is over.

        The time is over when a query that began after it was answered. While the store is away, this waits.

        :param message_id: The message.
        :param awaited: ``sent``, ``delivered`` or ``read``; a later status counts as well.
        :param until: When to give up, in Unix seconds.
        :raises ValueError: There is no such status. It must not break the query of all others.
        :raises StoreFaultError: The query cannot work, and trying again would not help.
        """
        if awaited not in RANKS:
            raise ValueError(f"status is {awaited!r}; it can be {', '.join(RANKS)}")
        waiter = _Waiter(awaited, until, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(message_id, []).append(waiter)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            return await waiter.result
        finally:
            self._waiting[message_id].remove(waiter)
            if not self._waiting[message_id]:
                del self._waiting[message_id]

    async def _poll(self) -> None:
        await asyncio.sleep(0)  # tasks that begin to wait in the same moment share the first query
        while self._waiting:
            began, message_ids = time.time(), list(self._waiting)
            try:
                valid_ids = list(filter(_is_valid_id, message_ids))
                statuses = await asyncio.to_thread(self._store.statuses.current, valid_ids)
            except StoreUnavailableError as error:
                log.warning(
                    "Statuses cannot be read, trying again in %g s: %s", self._interval_seconds, error
                )
            except Exception as error:  # noqa: BLE001 - a bug: every task that waits must know, or it waits for ever
                self._fail(message_ids, error)
            else:
                for message_id in message_ids:
                    self._report(message_id, statuses.get(message_id), began)
            await asyncio.sleep(self._interval_seconds)

    def _report(self, message_id: str, current: Status | None, began: float) -> None:
        for waiter in self._waiting.get(message_id, ()):
            waited = judge(message_id, current, waiter.awaited)
            if waited.state == "waiting" and began >= waiter.until:
                waited = Waited(message_id, "timeout")
            if waited.state != "waiting" and not waiter.result.done():
                waiter.result.set_result(waited)

    def _fail(self, message_ids: list[str], error: Exception) -> None:
        for message_id in message_ids:
            for waiter in self._waiting.get(message_id, ()):
                if not waiter.result.done():
                    waiter.result.set_exception(error)

"""The trigger that waits for what becomes of a message. It only reads, so it may run twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_d360.compat import conf, get_connection_async
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.store.records import Status
from airflow_provider_d360.store.watch import StatusWatch, outcome

_POLL_SECONDS = 2.0
_STORE_AWAY_SECONDS = 600.0

_watches: dict[asyncio.AbstractEventLoop, asyncio.Task[StatusWatch]] = {}


class Waited(NamedTuple):
    """
    What waiting for a message came to.

    :param message_id: The message.
    :param state: ``reached``, ``failed`` or ``timeout``.
    :param status: The status that the message has; ``None`` after a timeout.
    :param error_code: Why it failed; and so on.
    """

    message_id: str
    state: str
    status: str | None = None
    error_code: int | None = None
    error_title: str = ""
    error_details: str = ""
    on_premise: bool = False


class D360MessageStatusTrigger(BaseTrigger):
    """
    Wait until a message has a status, has failed, or the time is over.

    All triggers of a process share one query every two seconds. The time is over when the store, asked after
    it, knows no better; while the store is away, a trigger waits for it, for ten minutes more.

    :param message_id: The message.
    :param status: ``sent``, ``delivered`` or ``read``; a later one counts as well.
    :param until: When to give up, in Unix seconds.
    """

    def __init__(self, *, message_id: str, status: str, until: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.message_id = message_id
        self.status = status
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_d360.triggers.messages.D360MessageStatusTrigger",
            {"message_id": self.message_id, "status": self.status, "until": self.until},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        watch = await _shared_watch()
        try:
            found = await asyncio.wait_for(
                watch.wait(self.message_id, self.status, self.until),
                max(0.0, self.until - time.time()) + _STORE_AWAY_SECONDS,
            )
        except asyncio.TimeoutError:
            self.log.warning("The store does not answer; nobody knows what became of %s", self.message_id)
            found = None
        timeout = Waited(self.message_id, "timeout")
        waited = timeout if found is None else judge(self.message_id, found, self.status)
        yield TriggerEvent(to_event(waited))


def judge(message_id: str, found: Status | None, wanted: str) -> Waited:
    """Say what a status means for somebody who waits for ``wanted``."""
    state = outcome(found, wanted)
    if found is None or state != "failed":
        return Waited(message_id, state, None if found is None else found.status)
    return Waited(
        message_id,
        state,
        found.status,
        found.error_code,
        found.error_title or "",
        found.error_details or "",
        found.on_premise,
    )


def to_event(waited: Waited) -> dict[str, Any]:
    """Write what travels from trigger to task."""
    return waited._asdict()


def from_event(event: dict[str, Any]) -> Waited:
    """Read what the trigger wrote."""
    return Waited(**event)


async def _shared_watch() -> StatusWatch:
    """Give the watch of the running loop; whoever comes first opens it, with one lookup for all."""
    loop = asyncio.get_running_loop()
    opening = _watches.get(loop)
    if opening is None:
        _leave_closed_loops()
        opening = _watches[loop] = loop.create_task(_open_watch())
    try:
        return await asyncio.shield(opening)
    except Exception:
        _watches.pop(loop, None)
        raise


async def _open_watch() -> StatusWatch:
    conn_id = conf.get("d360", "store_conn_id", fallback="").strip()
    connection = await get_connection_async(conn_id) if conn_id else None
    return StatusWatch(configured_store(lambda _: connection), _POLL_SECONDS)


def _leave_closed_loops() -> None:
    for loop in [loop for loop in _watches if loop.is_closed()]:
        opening = _watches.pop(loop)
        if opening.done() and not opening.cancelled() and opening.exception() is None:
            opening.result().close()

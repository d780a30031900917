"""The trigger that waits for the status of a message. It only reads, so it may run twice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.compat import AirflowFailException, conf, get_connection_async
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.store.watch import StatusWatch, Waited

log = logging.getLogger(__name__)

_POLL_SECONDS = 2.0
_STORE_AWAY_SECONDS = 600.0
_FIRST_BACK_OFF_SECONDS = 1.0
_LONGEST_BACK_OFF_SECONDS = 60.0

_STATES = ("reached", "failed", "timeout")

_watches: dict[asyncio.AbstractEventLoop, asyncio.Task[StatusWatch]] = {}


class D360MessageStatusTrigger(BaseTrigger):
    """
    Wait until a message has a status, has failed, or the time is over.

    All triggers of a process share one connection look-up, and one query every two seconds. A look-up that
    fails is repeated with back-off. The time is over when a query after it found no decisive status. When the
    store cannot be reached, each trigger waits for it until ten minutes after its time.

    :param message_id: The message's id.
    :param status: ``sent``, ``delivered`` or ``read``; a later status counts as well.
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

    def __repr__(self) -> str:
        # Airflow logs triggers, and a message id contains the recipient's number.
        return f"<D360MessageStatusTrigger message={short_id(self.message_id)}, status={self.status}>"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            waited = await asyncio.wait_for(
                self._wait(), max(0.0, self.until - time.time()) + _STORE_AWAY_SECONDS
            )
        except asyncio.TimeoutError:
            self.log.warning(
                "The store could not be reached in time; the status of %s is unknown",
                short_id(self.message_id),
            )
            waited = Waited(self.message_id, "timeout")
        yield TriggerEvent(to_event(waited))

    async def _wait(self) -> Waited:
        watch = await shared_watch()
        return await watch.wait(self.message_id, self.status, self.until)


def to_event(waited: Waited) -> dict[str, Any]:
    """
    Return the event that travels from the trigger to the task: with a short id only, because Airflow logs it.

    :param waited: What waiting came to.
    """
    fields = {name: value for name, value in waited._asdict().items() if name != "message_id"}
    return {**fields, "message": short_id(waited.message_id)}


def from_event(event: object, message_id: str) -> Waited:
    """
    Read the trigger's event. It may come from another version of this package: unknown keys are ignored.

    :param event: What the trigger wrote.
    :param message_id: The message that the task waits for.
    :raises AirflowFailException: when the event does not say which state was reached.
    """
    fields = (
        {name: event[name] for name in Waited._fields if name in event} if isinstance(event, dict) else {}
    )
    if fields.get("state") not in _STATES:
        raise AirflowFailException(
            "The trigger's event cannot be read. Triggerer and workers need the same version of this package."
        )
    return Waited(**{**fields, "message_id": message_id})


async def shared_watch() -> StatusWatch:
    """Return the watch of the running event loop, with its store; the first caller opens it, for all."""
    loop = asyncio.get_running_loop()
    opening = _watches.get(loop)
    if opening is None or opening.cancelled():
        _close_watches_of_closed_loops()
        opening = _watches[loop] = loop.create_task(_open_watch())
    return await asyncio.shield(opening)  # a trigger that is cancelled must not cancel it for the others


async def _open_watch() -> StatusWatch:
    """Open the store, and look its connection up until that succeeds."""
    back_off = _FIRST_BACK_OFF_SECONDS
    while True:
        try:
            return StatusWatch(await open_store(), _POLL_SECONDS)
        except Exception as problem:  # noqa: BLE001 - of any secrets backend; every trigger waits for this
            log.warning(
                "The store's connection cannot be looked up (%s), trying again in %.0f s: see [d360] "
                "store_conn_id",
                type(problem).__name__,
                back_off,
            )
        await asyncio.sleep(back_off)
        back_off = min(2 * back_off, _LONGEST_BACK_OFF_SECONDS)


async def open_store() -> Store:
    """Open the store of Airflow's configuration without blocking the event loop."""
    conn_id = conf.get("d360", "store_conn_id", fallback="").strip()
    connection = await get_connection_async(conn_id) if conn_id else None
    return configured_store(lambda _: connection)


def _close_watches_of_closed_loops() -> None:
    for loop in [loop for loop in _watches if loop.is_closed()]:
        opening = _watches.pop(loop)
        if opening.done() and not opening.cancelled():
            opening.result().close()

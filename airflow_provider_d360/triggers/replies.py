"""The trigger that waits for a reply to a message. It only reads, so it may run twice."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store.arrivals import ArrivalWatch, Wait
from airflow_provider_d360.triggers.messages import shared_watch

log = logging.getLogger(__name__)

_POLL_SECONDS = 2.0
_STORE_AWAY_SECONDS = 600.0

_watches: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ArrivalWatch] = weakref.WeakKeyDictionary()


class D360ReplyTrigger(BaseTrigger):
    """
    Wait until somebody replies to a message, or the time is over.

    All triggers of a process that wait for messages of people share one query every two seconds. When the
    store cannot be reached, each waits for it until ten minutes after its time.

    :param message_id: The id of our message.
    :param until: When to give up, in Unix seconds.
    """

    def __init__(self, *, message_id: str, until: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.message_id = message_id
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_d360.triggers.replies.D360ReplyTrigger",
            {"message_id": self.message_id, "until": self.until},
        )

    def __repr__(self) -> str:
        # Airflow logs triggers, and a message id contains the recipient's number.
        return f"<D360ReplyTrigger message={short_id(self.message_id)}>"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent({"state": "reached" if await self._is_answered() else "timeout"})

    async def _is_answered(self) -> bool:
        try:
            return await asyncio.wait_for(
                self._wait(), max(0.0, self.until - time.time()) + _STORE_AWAY_SECONDS
            )
        except asyncio.TimeoutError:
            log.warning("The store could not be reached in time; replies to %s are unknown", repr(self))
            return False

    async def _wait(self) -> bool:
        watch = await shared_arrivals()
        return bool(await watch.next(Wait((self.message_id,)), self.until))


async def shared_arrivals() -> ArrivalWatch:
    """Return the watch of the running event loop, for all who wait for messages of people."""
    store = (await shared_watch()).store
    loop = asyncio.get_running_loop()
    if loop not in _watches:
        _watches[loop] = ArrivalWatch(store.arrivals.find, _POLL_SECONDS)
    return _watches[loop]

"""Control while a campaign runs: the heartbeat reads the signal, and the statuses that must stop it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_d360.api.responses import failed_status
from airflow_provider_d360.campaigns.verdicts import Kind, verdict_on
from airflow_provider_d360.campaigns.writing import STORE_AWAY_SECONDS
from airflow_provider_d360.store import Status, StoreUnavailableError
from airflow_provider_d360.store.campaign_senders import FRESH_SECONDS, Beat, Lease, SupersededError

if TYPE_CHECKING:
    from airflow_provider_d360.campaigns.pace import Pace
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.campaigns import Campaign

log = logging.getLogger(__name__)

MOST_HELD = 100  # more would only grow the loss, if WhatsApp drops them
LONGEST_HELD_SECONDS = 7200.0  # WhatsApp means to decide within an hour
_BEAT_SECONDS = 0.5


class Watch:
    """
    Proves twice a second that a sender lives, and reads what must change.

    :ivar signal: ``run``, ``pause`` or ``stop``.
    :ivar reason: Why it was paused or stopped.
    :ivar is_superseded: Another process has taken over, or the store was restored from a copy.
    :ivar held: Message ids of held messages without a verdict, with the time at which they were held.
    :param store: The store.
    :param campaign: The campaign.
    :param lease: The lease of the sender.
    :param pace: Its pace, which slows down.
    """

    def __init__(self, store: Store, campaign: Campaign, lease: Lease, pace: Pace) -> None:
        self._store, self._campaign, self._lease, self._pace = store, campaign, lease, pace
        self.signal, self.reason = "run", ""
        self.is_superseded = False
        self.held: dict[str, float] = {}
        self._last: float | None = None
        self._beat_at = time.monotonic() - FRESH_SECONDS
        self._known: set[str] = set()

    @property
    def is_fresh(self) -> bool:
        """Whether the last heartbeat is recent enough to send."""
        return time.monotonic() - self._beat_at < FRESH_SECONDS

    async def load(self) -> None:
        """Read the held messages that wait for a verdict, and beat for the first time."""
        held = await asyncio.to_thread(self._store.campaign_results.held, self._campaign.key)
        now = time.time()  # no message was held later than now, unless a clock was wrong
        self.held.update({message_id: min(at, now) for message_id, at in held.items()})
        await self._beat()
        is_hopeless = self.held and max(self.held.values()) < time.time() - LONGEST_HELD_SECONDS
        if is_hopeless and len(self.held) >= MOST_HELD:
            await self._stop(f"WhatsApp has held {len(self.held)} messages for two hours without a verdict")

    async def run(self) -> None:
        """
        Beat until this is cancelled.

        :raises StoreUnavailableError: when the store stays away for two minutes.
        """
        while not self.is_superseded:
            await asyncio.sleep(_BEAT_SECONDS)
            await self._beat()

    async def _beat(self) -> None:
        began = time.monotonic()
        try:
            beat = await asyncio.to_thread(self._store.campaign_senders.beat, self._lease, self._last)
            await self._look_at_held()
        except SupersededError:
            self.is_superseded = True
            return
        except StoreUnavailableError as error:
            if began - self._beat_at > STORE_AWAY_SECONDS:
                raise
            log.warning("The heartbeat cannot be written, trying again: %s", error)
            return
        self._last, self._beat_at = beat.at, began
        await self._follow(beat)

    async def _follow(self, beat: Beat) -> None:
        new = [status for status in beat.failed if status.message_id not in self._known]
        self._known.update(status.message_id for status in new)
        for status in new:
            await self._judge(status)
        if self.signal != "stop":
            self.signal, self.reason = beat.signal, beat.reason or ""
        self._pace.wanted = beat.rate

    async def _judge(self, status: Status) -> None:
        error = failed_status(
            status.error_code,
            status.error_title or "",
            status.error_details or "",
            on_premise=status.on_premise,
        )
        kind = verdict_on(error, attempts=0).kind
        if kind is Kind.SLOW_DOWN:
            await self._pace.slow_down()
        if kind is Kind.STOP and self.signal != "stop":
            await self._stop(f"a message failed: {error}")

    async def _stop(self, reason: str) -> None:
        self.signal, self.reason = "stop", reason
        log.error("The campaign stops: %s", reason)
        work = asyncio.to_thread(self._store.campaigns.signal, self._campaign.id, "stop", reason)
        await asyncio.shield(work)  # the signal above ends the sender, and with it this heartbeat

    async def _look_at_held(self) -> None:
        """Forget held messages that have a verdict: any status is one."""
        if self.held:
            found = await asyncio.to_thread(self._store.statuses.current, list(self.held))
            for message_id in found:
                self.held.pop(message_id, None)

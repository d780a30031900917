"""The pace of one task: turns to send at, leased from the store for all processes of the number together."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from airflow_provider_d360.sending.turns import Turns

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.transport.settings import ConnectionSettings

_SHORTEST_SLEEP_SECONDS = 0.02  # what is due within it goes out together, which takes a tenth less CPU
_LONGEST_SLEEP_SECONDS = 1.0


class Pace:
    """
    Says when the next message may be sent.

    :ivar wanted: The most messages per second that somebody asked of this task; None for no wish.
    :param store: The store with the leases.
    :param settings: The number and its limit.
    :param holder: A random name of this process.
    """

    def __init__(self, store: Store, settings: ConnectionSettings, holder: str) -> None:
        self.wanted: float | None = None
        self._leases, self._settings, self._holder = store.rate_leases, settings, holder
        self._number = self._leases.key(settings.base_url, settings.api_key)
        self._turns = Turns()
        self._leasing: asyncio.Task[None] | None = None
        self._last = -math.inf

    @property
    def per_second(self) -> float:
        """The most messages per second."""
        most = self._settings.messages_per_second * (1 - self._settings.incoming_share)
        return most if self.wanted is None else min(most, self.wanted)

    async def wait(self) -> bool:
        """
        Wait for the next turn, at most a second; return whether there is one, which is then used up.

        :raises StoreUnavailableError: when moments cannot be leased.
        """
        now = time.monotonic()
        if (wait := self._wished_wait(now)) > 0:
            await asyncio.sleep(min(wait, _LONGEST_SLEEP_SECONDS))
            return False
        self._lease_ahead(now)
        turn = self._turns.take(now)
        if turn is None:
            await self._lease_or_sleep(now)
            return False
        if turn.at > now:
            await asyncio.sleep(max(turn.at - now, min(_SHORTEST_SLEEP_SECONDS, turn.latest - turn.at)))
            if time.monotonic() > turn.latest:
                return False
        self._last = time.monotonic()
        return True

    async def slow_down(self) -> None:
        """Halve the rate of the number, for all who send with it: WhatsApp says that it is too fast."""
        await asyncio.to_thread(self._leases.slow_down, self._number)

    async def close(self) -> None:
        """Wait until nothing is being leased."""
        if self._leasing is not None:
            await asyncio.gather(self._leasing, return_exceptions=True)

    def _wished_wait(self, now: float) -> float:
        """Return how long to wait because somebody wants it slower than the number could be."""
        return 0.0 if self.wanted is None else self._last + 1.0 / self.wanted - now

    def _lease_ahead(self, now: float) -> None:
        if self._leasing is not None and self._leasing.done():
            self._leasing.result()
            self._leasing = None
        if self._leasing is None and now >= self._turns.lease_at(now):
            self._leasing = asyncio.create_task(self._lease())

    async def _lease_or_sleep(self, now: float) -> None:
        if self._leasing is not None:
            leasing, self._leasing = self._leasing, None
            await leasing
        else:
            wait = self._turns.lease_at(now) - now
            await asyncio.sleep(min(max(wait, _SHORTEST_SLEEP_SECONDS), _LONGEST_SLEEP_SECONDS))

    async def _lease(self) -> None:
        lease = await asyncio.to_thread(
            self._leases.lease,
            self._number,
            messages_per_second=self._settings.messages_per_second,
            incoming_share=self._settings.incoming_share,
            want=math.ceil(self.per_second),
            holder=self._holder,
        )
        self._turns.add(lease)

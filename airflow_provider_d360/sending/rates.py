"""
Rate limiting: one limiter for each number in a process, whichever hook sends.

If machines share the store, all their processes share the number's limit: each message takes its turn from a
lease of the store.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_d360.api.errors import D360RateLimitError, ErrorDetail
from airflow_provider_d360.sending.turns import Turn, Turns
from airflow_provider_d360.transport.flows import Flow, Pause, Work
from airflow_provider_d360.transport.settings import ConnectionSettings

if TYPE_CHECKING:
    from airflow_provider_d360.store.rate_leases import RateLeases

# Meta: one message in six seconds to the same person, with up to 45 at once on credit.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput
_PAIR_SECONDS = 6.0
_PAIR_BURST = 45
_MOST_RECIPIENTS = 10_000
_LONGEST_WAIT_SECONDS = 60.0
_RETRY_SECONDS = 1.0

_lock = threading.Lock()
_limiters: dict[tuple[str, str, float], RateLimiter] = {}
_shared: dict[str, _SharedTurns] = {}


class RateLimiter:
    """
    Spaces the messages of one number, so that WhatsApp does not reject them. Pure: the clock is passed in.

    Not safe for use by several threads at once.

    :param messages_per_second: The rate of the number; WhatsApp's own default is 80.
    """

    def __init__(self, messages_per_second: float) -> None:
        self._spacing = 1.0 / messages_per_second
        self._next = 0.0
        self._credit_ends: dict[str, float] = {}

    def reserve(self, recipient: str, now: float, longest_seconds: float) -> float:
        """
        Reserve the next free moment for a message to a recipient, and return the seconds until then.

        :param recipient: The recipient, in one spelling.
        :param now: The time, in seconds.
        :param longest_seconds: A moment further away than this is returned, but not reserved.
        """
        paid = max(self._credit_ends.get(recipient, 0.0), now)
        at = max(self._next, now, paid - _PAIR_SECONDS * (_PAIR_BURST - 1))
        if at - now <= longest_seconds:
            self._next = max(self._next, now) + self._spacing  # a recipient's own wait delays nobody else
            self._credit_ends[recipient] = max(paid, at) + _PAIR_SECONDS
            if len(self._credit_ends) > _MOST_RECIPIENTS:
                self._forget(now)
        return at - now

    def _forget(self, now: float) -> None:
        """Drop the recipients without debt; the others are kept, however many they are."""
        self._credit_ends = {who: end for who, end in self._credit_ends.items() if end > now}


class _SharedTurns:
    """The turns of one number that this process has leased, and how many it has used of late."""

    def __init__(self) -> None:
        self.turns = Turns()
        self._used: deque[float] = deque()

    def want(self, now: float) -> int:
        """Return how many turns to lease: what the last second took, because what is not used is lost."""
        while self._used and now - self._used[0] > 1.0:
            self._used.popleft()
        return max(1, len(self._used))

    def use(self, now: float) -> None:
        """Count a turn that is used."""
        self._used.append(now)


def wait_for_turn(
    settings: ConnectionSettings, recipient: str, leases: RateLeases | None = None
) -> Flow[None]:
    """
    Wait until this number may write to this recipient.

    :param settings: The number, its rate limit and the time it may wait.
    :param recipient: The recipient, as :func:`~airflow_provider_d360.api.recipients.canonical` returns it.
    :param leases: Where turns of all processes are leased; None if each process has its own limit.
    :raises D360RateLimitError: when that is more than a minute away, or more than ``budget_seconds``. Longer
        waits are left to the scheduler.
    """
    longest = min(_LONGEST_WAIT_SECONDS, settings.budget_seconds)
    number = (settings.base_url, settings.api_key, settings.messages_per_second)
    with _lock:
        limiter = _limiters.setdefault(number, RateLimiter(settings.messages_per_second))
        wait = limiter.reserve(recipient, time.monotonic(), longest)
    if wait > longest:
        raise _too_fast("This process has sent as much as WhatsApp accepts for now", wait)
    yield Pause(wait)
    if leases is not None:
        yield from _wait_for_shared_turn(settings, leases, longest - wait)


def _wait_for_shared_turn(settings: ConnectionSettings, leases: RateLeases, longest: float) -> Flow[None]:
    from airflow_provider_d360.store import StoreError

    ends = time.monotonic() + longest
    while True:
        left = max(0.0, ends - time.monotonic())
        try:
            shared, turn = yield Work(partial(_next_turn, settings, leases, left))
        except StoreError:
            return  # the ledger says what is wrong with it, and whether anything may be sent
        yield Pause(max(0.0, turn.at - time.monotonic()))
        now = time.monotonic()
        if now <= turn.latest:
            with _lock:
                shared.use(now)
            return
        if now > ends:
            raise _too_fast("The store is too slow to share the rate limit of this number", _RETRY_SECONDS)


def _next_turn(settings: ConnectionSettings, leases: RateLeases, longest: float) -> tuple[_SharedTurns, Turn]:
    """Take the next turn of this process; lease more if none is left."""
    number = leases.key(settings.base_url, settings.api_key)
    with _lock:
        shared = _shared.setdefault(number, _SharedTurns())
    while True:
        with _lock:
            turn, want = shared.turns.take(time.monotonic()), shared.want(time.monotonic())
        if turn is not None:
            return shared, turn
        lease = leases.lease(
            number,
            messages_per_second=settings.messages_per_second,
            incoming_share=settings.incoming_share,
            want=want,
            within_seconds=longest,
        )
        if not lease.moments:
            wait = lease.free_at - time.monotonic()
            raise _too_fast("This number has sent as much as WhatsApp accepts for now", wait)
        with _lock:
            shared.turns.add(lease)


def _too_fast(title: str, wait: float) -> D360RateLimitError:
    remedy = "Send fewer messages to the same person, or more slowly."
    return D360RateLimitError(ErrorDetail(title, remedy, retry_after_seconds=wait))

"""Rate limiting: one limiter for each number in a process, whichever hook sends."""

from __future__ import annotations

import threading
import time

from airflow_provider_d360.api.errors import D360RateLimitError, ErrorDetail
from airflow_provider_d360.transport.flows import Flow, Pause
from airflow_provider_d360.transport.settings import ConnectionSettings

# Meta: one message in six seconds to the same person, with up to 45 at once on credit.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput
_PAIR_SECONDS = 6.0
_PAIR_BURST = 45
_MOST_RECIPIENTS = 10_000
_LONGEST_WAIT_SECONDS = 60.0

_lock = threading.Lock()
_limiters: dict[tuple[str, str, float], RateLimiter] = {}


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


def wait_for_turn(settings: ConnectionSettings, recipient: str) -> Flow[None]:
    """
    Wait until this number may write to this recipient.

    :param settings: The number, its rate limit and the time it may wait.
    :param recipient: The recipient, as :func:`~airflow_provider_d360.api.recipients.canonical` returns it.
    :raises D360RateLimitError: when that is more than a minute away, or more than ``budget_seconds``. Longer
        waits are left to the scheduler.
    """
    longest = min(_LONGEST_WAIT_SECONDS, settings.budget_seconds)
    number = (settings.base_url, settings.api_key, settings.messages_per_second)
    with _lock:
        limiter = _limiters.setdefault(number, RateLimiter(settings.messages_per_second))
        wait = limiter.reserve(recipient, time.monotonic(), longest)
    if wait > longest:
        raise D360RateLimitError(
            ErrorDetail(
                "This process has sent as much as WhatsApp accepts for now",
                "Send fewer messages to the same person, or more slowly.",
                retry_after_seconds=wait,
            )
        )
    yield Pause(wait)

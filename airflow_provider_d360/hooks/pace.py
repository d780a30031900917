"""How fast this process sends: one pace for each number, whichever hook sends."""

from __future__ import annotations

import threading
import time

from airflow_provider_d360.api.errors import D360RateLimitError, Refusal
from airflow_provider_d360.api.pacing import Pacer
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.transport import Account

_LONGEST_WAIT_SECONDS = 60.0

_lock = threading.Lock()
_pacers: dict[tuple[str, str, float], Pacer] = {}


def pace(account: Account, to: object, recipient_type: str) -> float:
    """
    Reserve the next moment in which this number may write to this recipient, and say how far away it is.

    :raises D360RateLimitError: when that is more than a minute away, or than the account's budget. Waiting
        longer is the scheduler's work.
    """
    longest = min(_LONGEST_WAIT_SECONDS, account.budget_seconds)
    with _lock:
        pacer = _pacers.setdefault(
            (account.base_url, account.api_key, account.messages_per_second),
            Pacer(account.messages_per_second),
        )
        wait = pacer.reserve(canonical(to, recipient_type), time.monotonic(), longest)
    if wait <= longest:
        return wait
    raise D360RateLimitError(
        Refusal(
            "This process has sent as much as WhatsApp takes for now",
            "Send fewer messages to the same person, or more slowly.",
            retry_after_seconds=wait,
        )
    )

"""Announcing what WhatsApp reports as wrong, by another way than WhatsApp: any Airflow notifier."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from airflow_provider_d360.receiver.background import Background
from airflow_provider_d360.store import Notice, Store
from airflow_provider_d360.store.notices import LEASE_SECONDS

log = logging.getLogger(__name__)

_MOST_NAMED = 10


class Announcer:
    """
    Announces each bad state once, on a thread of its own. What fails is tried again every five minutes.

    :ivar wake: Announces what is due; it returns at once.
    :param store: Where notices are. It decides which of several processes announces.
    :param notify: Sends a text to people. It may block and raise.
    """

    def __init__(self, store: Store, notify: Callable[[str], object]) -> None:
        self._store, self._notify = store, notify
        self.wake = Background(self._announce, "d360-notices", lambda: LEASE_SECONDS + 1.0, _report).wake

    def _announce(self) -> None:
        notices = self._store.notices.claim(time.time())
        if notices:
            self._notify(describe_notices(notices))
            self._store.notices.confirm(notices)
            log.info("Announced what WhatsApp reports: %d notices", len(notices))


def _report(error: Exception) -> None:
    log.error(
        "What WhatsApp reports could not be announced: %s. It is tried again in %d minutes; see [d360] "
        "notice_notifier.",
        type(error).__name__,  # its text may hold the address or token of the other service
        LEASE_SECONDS // 60,
    )


def describe_notices(notices: Sequence[Notice]) -> str:
    """
    Write notices for people: a line each with what is wrong and what to do, ten at most, and how many more.

    :param notices: The notices.
    """
    lines = [f"WhatsApp reports: {notice.describe()}" for notice in notices[:_MOST_NAMED]]
    if more := len(notices) - len(lines):
        lines.append(f"And {more} more: see the page WhatsApp in Airflow.")
    return "\n".join(lines)

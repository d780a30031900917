"""Announcing what WhatsApp reports as wrong, by another way than WhatsApp: any Airflow notifier."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from airflow_provider_d360.store import Notice, Store
from airflow_provider_d360.store.notices import LEASE_SECONDS

log = logging.getLogger(__name__)

_MOST_NAMED = 10


class Announcer:
    """
    Announces each bad state once, on a thread of its own. What fails is tried again every five minutes.

    :param store: Where notices are. It decides which of several processes announces.
    :param notify: Sends a text to people. It may block and raise.
    """

    def __init__(self, store: Store, notify: Callable[[str], object]) -> None:
        self._store, self._notify = store, notify
        self._lock = threading.Lock()
        self._is_running = self._is_due = False
        self._timer: threading.Timer | None = None

    def wake(self) -> None:
        """Announce what is due; this returns at once."""
        with self._lock:
            self._is_due = True
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name="d360-notices", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._is_due:
                    self._is_running = False
                    return
                self._is_due = False
            try:
                self._announce()
            except Exception as error:  # noqa: BLE001 - of the notifier, of a secrets backend, of the store
                log.error(
                    "What WhatsApp reports could not be announced: %s. It is tried again in %d minutes; see "
                    "[d360] notice_notifier.",
                    type(error).__name__,  # its text may hold the address or token of the other service
                    LEASE_SECONDS // 60,
                )
                self._wake_later()

    def _announce(self) -> None:
        notices = self._store.notices.claim(time.time())
        if notices:
            self._notify(describe_notices(notices))
            self._store.notices.confirm(notices)
            log.info("Announced what WhatsApp reports: %d notices", len(notices))

    def _wake_later(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(LEASE_SECONDS + 1.0, self.wake)
            self._timer.daemon = True
            self._timer.start()


def describe_notices(notices: Sequence[Notice]) -> str:
    """
    Write notices for people: a line each with what is wrong and what to do, ten at most, and how many more.

    :param notices: The notices.
    """
    lines = [f"WhatsApp reports: {notice.describe()}" for notice in notices[:_MOST_NAMED]]
    if more := len(notices) - len(lines):
        lines.append(f"And {more} more: see the page WhatsApp in Airflow.")
    return "\n".join(lines)

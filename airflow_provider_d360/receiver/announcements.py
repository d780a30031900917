"""Announces from the receiver, at once, what WhatsApp reports as wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from airflow_provider_d360.alerts.announcements import announce, log_failure
from airflow_provider_d360.receiver.background import Background
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.notices import LEASE_SECONDS


def background_announcer(store: Store, notify: Callable[[str], object]) -> Background:
    """
    Return the background work that announces each bad state once, and retries every five minutes.

    :param store: Where notices are. It decides which of several processes announces.
    :param notify: Sends a text to people. It may block and raise.
    """
    work = partial(announce, store, notify)
    return Background(work, "d360-notices", lambda: LEASE_SECONDS + 1.0, log_failure)

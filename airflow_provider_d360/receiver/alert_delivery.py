"""Sends alerts that are due from the receiver, which is alive when everything else may have been killed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_d360.api.privacy import explain

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 10.0
_LONGEST_SECONDS = 60.0  # of one round


def deliver_alerts(find_store: Callable[[], Store]) -> None:
    """
    Send what is due every ten seconds, on a thread of its own, for as long as this process lives.

    :param find_store: Returns the store. It may raise while the store is not configured yet.
    """
    threading.Thread(target=_deliver_always, args=[find_store], name="d360-alerts", daemon=True).start()


def _deliver_always(find_store: Callable[[], Store]) -> None:
    from airflow_provider_d360.alerts.deliverer import deliver_due

    problem = ""
    while True:
        try:
            deliver_due(find_store(), time.monotonic() + _LONGEST_SECONDS)
            problem = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round may succeed
            if problem != explain(error):
                problem = explain(error)
                log.error("Alerts that are due cannot be sent: %s", problem)
        time.sleep(INTERVAL_SECONDS)

"""What keeps alerts from becoming a flood: which ones went out, remembered across processes."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from airflow_provider_d360.notifications.alerts import Alert
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.alerts import AlertRow, Alerts

T = TypeVar("T")
log = logging.getLogger(__name__)

SECONDS = 2.0


class ForgetfulError(Exception):
    """The memory cannot be reached; the text says why."""


class Memory:
    """
    The alerts to certain people through a certain connection. It takes at most two seconds for anything.

    :param make_store: Makes the store that the alerts are remembered in.
    :param everybody: Who gets the alerts.
    :param conn_id: The connection they go through.
    """

    def __init__(self, make_store: Callable[[], Store], everybody: Sequence[str], conn_id: str) -> None:
        self._make_store = make_store
        self._to = [*sorted(everybody), conn_id]

    def claim(self, alert: Alert, cooldown_seconds: float) -> AlertRow | None:
        """
        Take the right to send an alert; ``None`` when it is to be held back.

        :raises ForgetfulError: when nobody knows.
        """
        fingerprint = self._digest(alert.event.name, alert.dag, alert.task, alert.kind)
        subject = self._subject(alert) if alert.event.is_problem else None
        return self._ask(lambda alerts: alerts.claim(fingerprint, subject, time.time(), cooldown_seconds))

    def settle(self, before: AlertRow, cooldown_seconds: float, *, reached: bool) -> None:
        """Begin the cooldown of an alert that went out, or take the claim of one that reached nobody back."""
        if reached:
            quiet_until = time.time() + cooldown_seconds
            self._try(
                lambda alerts: alerts.confirm(before.fingerprint, quiet_until),
                "went out may come again early",
            )
        else:
            self._try(lambda alerts: alerts.restore(before), "reached nobody counts as sent")

    def recover(self, alert: Alert) -> list[AlertRow]:
        """
        Forget the alerts that this success puts an end to, and return them.

        :raises ForgetfulError: when nobody knows.
        """
        return self._ask(lambda alerts: alerts.recover(self._subject(alert)))

    def remember(self, rows: Sequence[AlertRow]) -> None:
        """Take a recovery back: it reached nobody."""
        self._try(lambda alerts: alerts.remember(rows), "reached nobody counts as sent")

    def _subject(self, alert: Alert) -> str:
        return self._digest(alert.dag, alert.task, alert.map_index)

    def _digest(self, *parts: object) -> str:
        """Write a key of the table, in which nobody reads a number."""
        return hashlib.sha256(json.dumps([parts, self._to]).encode()).hexdigest()

    def _try(self, work: Callable[[Alerts], None], otherwise: str) -> None:
        try:
            self._ask(work)
        except ForgetfulError as problem:
            log.warning("An alert that %s. %s", otherwise, problem)

    def _ask(self, work: Callable[[Alerts], T]) -> T:
        def ask() -> T:
            with closing(store):
                return work(store.alerts)

        try:
            store = self._make_store()
            return _within(SECONDS, ask)
        except FutureTimeoutError:
            raise ForgetfulError(f"The store did not answer within {SECONDS:g} seconds.") from None
        except Exception as problem:  # noqa: BLE001 - an alert is worth more than its memory
            raise ForgetfulError(_explain(problem)) from None


def _explain(problem: Exception) -> str:
    from airflow_provider_d360.store import StoreUnavailableError

    if isinstance(problem, StoreUnavailableError | ValueError):
        return f"{problem}."
    return f"The store cannot be found ({type(problem).__name__}): look at [d360] store_conn_id."


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Do blocking work for at most that long; a thread that is stuck must not keep the process alive."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as problem:  # noqa: BLE001 - handed over, and raised by result() below
            outcome.set_exception(problem)

    threading.Thread(target=run, name="d360-alerts", daemon=True).start()
    return outcome.result(timeout=seconds)

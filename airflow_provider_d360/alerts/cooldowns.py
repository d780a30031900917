"""The cooldowns of a notifier's alerts, kept in the store, which all processes share."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_d360.transport.threads import within

if TYPE_CHECKING:
    from airflow_provider_d360.alerts.alert import Alert
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.cooldowns import Cooldown, Cooldowns

T = TypeVar("T")
log = logging.getLogger(__name__)

STORE_SECONDS = 2.0


class CooldownUnavailableError(Exception):
    """The cooldowns cannot be read; the text says why."""


class AlertCooldowns:
    """
    The cooldowns of the alerts to certain recipients through one connection.

    Each method takes two seconds at most, and opens and closes a store of its own.

    :param make_store: Makes the store.
    :param recipients: Who gets the alerts.
    :param conn_id: The Airflow connection that they are sent through.
    """

    def __init__(self, make_store: Callable[[], Store], recipients: Sequence[str], conn_id: str) -> None:
        self._make_store = make_store
        self._to = [*sorted(recipients), conn_id]

    def claim(self, alert: Alert, cooldown_seconds: float) -> Cooldown | None:
        """
        Claim the right to send an alert; return None if it must be held back.

        :param alert: The alert.
        :param cooldown_seconds: How long to hold back further alerts of this kind.
        :raises CooldownUnavailableError: The store cannot be used.
        """
        fingerprint = self._digest(alert.event.name, alert.dag, alert.task, alert.kind)
        subject = self._subject(alert) if alert.event.is_problem else None
        return self._use(lambda table: table.claim(fingerprint, subject, time.time(), cooldown_seconds))

    def settle(self, before: Cooldown, cooldown_seconds: float, *, reached: bool) -> None:
        """
        Begin the cooldown of an alert that was sent, or undo the claim of one that reached no recipient.

        A store that cannot be used is logged.

        :param before: What :meth:`claim` returned.
        :param cooldown_seconds: How long to hold back further alerts of this kind, from now.
        :param reached: Whether the alert reached a recipient.
        """
        if reached:
            quiet_until = time.time() + cooldown_seconds
            self._try(
                lambda table: table.confirm(before.fingerprint, quiet_until),
                "was sent may be repeated before its cooldown is over",
            )
        else:
            self._try(lambda table: table.restore(before), "reached no recipient counts as sent")

    def recover(self, alert: Alert) -> list[Cooldown]:
        """
        Delete the cooldowns of the problems that this success ends, and return them.

        :param alert: An alert about a success.
        :raises CooldownUnavailableError: The store cannot be used.
        """
        return self._use(lambda table: table.recover(self._subject(alert)))

    def undo_recovery(self, cooldowns: Sequence[Cooldown]) -> None:
        """
        Undo a recovery whose message reached no recipient. A store that cannot be used is logged.

        :param cooldowns: What :meth:`recover` returned.
        """
        self._try(lambda table: table.undo_recovery(cooldowns), "reached no recipient counts as sent")

    def _subject(self, alert: Alert) -> str:
        return self._digest(alert.dag, alert.task, alert.map_index)

    def _digest(self, *parts: object) -> str:
        """Make a key of the table, from which no number can be read."""
        return hashlib.sha256(json.dumps([parts, self._to]).encode()).hexdigest()

    def _try(self, work: Callable[[Cooldowns], None], consequence: str) -> None:
        try:
            self._use(work)
        except CooldownUnavailableError as error:
            log.warning("An alert that %s. %s", consequence, error)

    def _use(self, work: Callable[[Cooldowns], T]) -> T:
        def run() -> T:
            with closing(store):
                return work(store.cooldowns)

        try:
            store = self._make_store()
            return within(STORE_SECONDS, run)
        except TimeoutError:
            problem = f"The store did not respond within {STORE_SECONDS:g} seconds."
        except Exception as error:  # noqa: BLE001 - an alert is more important than its cooldown
            problem = _explain(error)
        raise CooldownUnavailableError(problem)


def _explain(error: Exception) -> str:
    from airflow_provider_d360.compat import OldSQLAlchemyError

    if isinstance(error, OldSQLAlchemyError):  # then the store cannot be imported here either
        return str(error)
    from airflow_provider_d360.store import StoreError

    if isinstance(error, StoreError | ValueError):
        return f"{error}."
    return f"The store cannot be found ({type(error).__name__}): look at [d360] store_conn_id."

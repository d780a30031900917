"""Sends due alerts: of killed processes, of outages, and summaries of runs."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_provider_d360 import metrics
from airflow_provider_d360.alerts.alert import summary
from airflow_provider_d360.alerts.announcements import announce_as_configured, note_key
from airflow_provider_d360.alerts.content import AlertContent
from airflow_provider_d360.alerts.delivery import Outcome, PreparedAlert, deliver
from airflow_provider_d360.alerts.outcomes import backup_of, judge
from airflow_provider_d360.alerts.senders import alert_sender
from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.privacy import explain, mask_number
from airflow_provider_d360.sending.identity import Place

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.due import DueAlert

log = logging.getLogger(__name__)

_LEAST_SECONDS = 3.0  # with less time left, no further alert is begun
_MOST_SECONDS = 14.0  # of one alert; a claim lasts 25
_BROKEN_SECONDS = 60.0  # until the next attempt, when a connection is missing
_DELIVERED = frozenset({"delivered", "read", "played"})


class Fate(Enum):
    """The outcome of an alert."""

    SENT = "somebody got it"
    KEPT = "it is tried again"
    OUT = "it is tried again, and its connection cannot be used now"
    GIVEN_UP = "nobody gets it"
    NEEDLESS = "there is nothing to tell any more"


@dataclass(frozen=True, slots=True)
class Delivered:
    """
    What was done with the due alerts.

    :param sent: How many were sent to everybody.
    :param kept: How many failed, and are tried again.
    :param dropped: How many were too old, or refused for good.
    """

    sent: int = 0
    kept: int = 0
    dropped: int = 0


def deliver_due(store: Store, ends: float) -> Delivered:
    """
    Send what is due, oldest first, and return what was done. Of several processes, each sends other alerts.

    While a connection cannot be used, its alerts wait, and those of the others are sent. Errors are logged.

    :param store: The store.
    :param ends: When to end, on the monotonic clock.
    :raises StoreError: The store cannot be used.
    """
    fates: Counter[Fate] = Counter()
    out: set[str] = set()
    fates[Fate.GIVEN_UP] += _drop_old(store)
    while ends - time.monotonic() > _LEAST_SECONDS:
        due = store.alerts.take(uuid4().hex, time.time(), out)
        if due is None:
            break
        fate = _deliver(store, due, min(ends - time.monotonic() - 1.0, _MOST_SECONDS))
        fates[fate] += 1
        if fate is Fate.OUT:
            out.add(due.conn_id)
    announce_as_configured(store)
    return Delivered(fates[Fate.SENT], fates[Fate.KEPT] + fates[Fate.OUT], fates[Fate.GIVEN_UP])


def prepare(conn_id: str, content: AlertContent, at: float) -> PreparedAlert:
    """
    Return a stored alert, ready to send.

    :param conn_id: The Airflow connection.
    :param content: The alert.
    :param at: When it happened, in Unix seconds.
    """
    if content.doubtful:
        content = content.with_note("perhaps you got this before")
    prepared = content.prepared(at, time.time())
    place = Place(**content.place) if content.place else None
    sender = alert_sender(conn_id, content.key, place, resend_unknown=bool(content.doubtful))
    return replace(prepared, sender=sender)


def settle(store: Store, due: DueAlert, content: AlertContent, outcomes: Sequence[Outcome]) -> Fate:
    """
    Record the outcome of an alert, and what it shows about the connection's key; return the outcome.

    :param store: The store.
    :param due: The alert, as it was claimed.
    :param content: Its content.
    :param outcomes: The response or the error for each of its recipients.
    """
    note_key(store, due.conn_id, outcomes)
    result = judge(content, outcomes, due.attempts)
    if result.left is not None:
        store.alerts.postpone(due, time.time() + result.after_seconds, result.left.to_json())
        if due.attempts == 0:
            metrics.count(metrics.ALERTS_KEPT)
        return Fate.OUT if result.is_out else Fate.KEPT
    reached = bool(result.message_ids) or any(not isinstance(outcome, D360Error) for outcome in outcomes)
    fate = Fate.SENT if reached else Fate.GIVEN_UP
    if reached:
        metrics.count(metrics.ALERTS_SENT)
    if content.told:
        fresh = replace(content, told=[]).to_json()
        told = [id for id, _ in content.told]
        store.alerts.finish_summary(due, told, fresh, time.time(), result.message_ids)
        return fate
    backup = backup_of(replace(content, message_ids=result.message_ids))
    row = None
    if backup is not None:
        wait = backup.delivered_within_seconds if reached else 0.0
        row = replace(
            due,
            id=f"{due.id} backup",
            group_name=None,
            due_at=time.time() + wait,
            attempts=0,
            claim=None,
            content=backup.to_json(),
        )
    store.alerts.finish(due, reached=reached, backup=row, message_ids=result.message_ids)
    return fate


def _drop_old(store: Store) -> int:
    old = store.alerts.expire(time.time())
    if old:
        log.error(
            "%d alerts could not be sent in time, and are dropped: %s",
            len(old),
            ", ".join(sorted({_name(_read(due)) for due in old})),
        )
    return len(old)


def _read(due: DueAlert) -> AlertContent | None:
    """Read an alert; None if another version of this package wrote it, and it cannot be read."""
    try:
        return AlertContent.from_json(due.content)
    except (ValueError, TypeError, KeyError):
        return None


def _name(content: AlertContent | None) -> str:
    if content is None:
        return "an alert that cannot be read"
    return f"{content.alert.dag} {content.alert.run}".strip()


def _deliver(store: Store, due: DueAlert, seconds: float) -> Fate:
    """Send one alert, and return the outcome."""
    content = _read(due)
    if content is None:
        log.error("An alert cannot be read, and is dropped.")
        store.alerts.finish(due, reached=False)
        return Fate.GIVEN_UP
    if due.id.startswith("summary "):
        told = content.told or [[id, label] for id, label in store.alerts.summary(str(due.group_name))]
        if not told:  # all of it has recovered, or was told
            store.alerts.finish_summary(due, [], due.content, time.time())
            return Fate.NEEDLESS
        key = f"{due.id} {due.at!r}"
        alert = content.alert if content.told else summary(content.alert, [label for _, label in told])
        content = replace(content, told=told, key=key, alert=alert)
        store.alerts.keep(due, content.to_json())
    if content.is_backup and _is_delivered(store, content.message_ids):
        store.alerts.finish(due, reached=True)
        return Fate.NEEDLESS
    from airflow_provider_d360.hooks.d360 import D360Hook

    try:
        prepared = prepare(due.conn_id, content, due.at)
        outcomes = D360Hook(due.conn_id, budget_seconds=seconds).run(deliver, prepared)
    except Exception as error:  # noqa: BLE001 - a missing connection, above all; the others must go on
        log.error("An alert cannot be sent through connection %r: %s", due.conn_id, explain(error))
        store.alerts.postpone(due, time.time() + _BROKEN_SECONDS, content.to_json())
        return Fate.OUT
    for to, outcome in zip(content.recipients, outcomes, strict=True):
        if isinstance(outcome, D360Error):
            log.warning("The alert about %s did not reach %s. %s", _name(content), mask_number(to), outcome)
    return settle(store, due, content, outcomes)


def _is_delivered(store: Store, message_ids: Sequence[str]) -> bool:
    statuses = store.statuses.current(message_ids)
    return any(event.status in _DELIVERED for event in statuses.values())

"""What a callback does with an alert: record it, send it, record the outcome, send other due alerts."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_d360 import metrics
from airflow_provider_d360.alerts import queue
from airflow_provider_d360.alerts.announcements import announce_as_configured
from airflow_provider_d360.alerts.content import AlertContent
from airflow_provider_d360.alerts.deliverer import Fate, deliver_due, prepare, settle
from airflow_provider_d360.alerts.delivery import Outcome, adeliver, deliver
from airflow_provider_d360.api.privacy import explain
from airflow_provider_d360.transport.flows import Flow, Pause, Work

if TYPE_CHECKING:
    from airflow_provider_d360.store.due import DueAlert

log = logging.getLogger(__name__)

_LEAST_SECONDS = 3.0  # to send an alert that waited long for its turn at the store
_ANNOUNCE_SECONDS = 5.0  # another service takes the announcement
_SUMMARY_SECONDS = 6.0  # to send a summary after waiting for it: Airflow ends a callback after 20


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a callback has to do.

    :param conn_id: The Airflow connection.
    :param content: The alert to send now; None if there is nothing to send.
    :param due: The alert as it was written down; None if the store cannot be used.
    :param summary: The id of the summary that this process waits for.
    :param helps: Whether to send what others have left. In a flood, few must do that.
    """

    conn_id: str
    content: AlertContent | None = None
    due: DueAlert | None = None
    summary: str | None = None
    helps: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """
    The outcome of an alert.

    :param outcomes: The response or the error for each recipient, in order; empty if nothing was sent.
    :param is_kept: What did not reach everybody is tried again.
    """

    outcomes: Sequence[Outcome] = ()
    is_kept: bool = False


def plan(content: AlertContent, conn_id: str, options: queue.Options, *, is_recovery: bool) -> Plan:
    """
    Record an alert, and return the next step. Without a store, the next step is to send it at once.

    :param content: The alert.
    :param conn_id: The Airflow connection.
    :param options: How it is written down.
    :param is_recovery: Send it only if the problem was reported to somebody.
    """
    now = time.time()
    try:
        if is_recovery:
            return _plan(conn_id, queue.register_recovery(content, conn_id, options, now))
        registered = queue.register(content, conn_id, options, now)
    except queue.QueueUnavailableError as problem:
        if is_recovery:
            log.warning("No recovery is sent, because earlier alerts cannot be looked up. %s", problem)
            return Plan(conn_id)
        log.warning("The alert is sent without regard to others. %s", problem)
        return Plan(conn_id, content)
    if registered.due is not None:
        return _plan(conn_id, registered.due)
    log.info("Not sent separately: %s", registered.decision.value)
    metrics.count(metrics.ALERTS_HELD, reason=registered.decision.name.lower())
    return Plan(conn_id, summary=registered.summary, helps=registered.helps)


def carry_out(plan: Plan, ends: float) -> Flow[Sending]:
    """
    Carry out a plan, then send other processes' due alerts. An alert that cannot be sent stays in the store.

    :param plan: What :func:`plan` returned.
    :param ends: When to end, on the monotonic clock; later if there is a summary to wait for.
    :raises Exception: The connection cannot be used.
    """
    sending = Sending()
    if plan.content is not None:
        sending = yield from _send(plan, plan.content, ends)
    elif plan.summary is not None:
        yield from _wait_for_summary(plan.summary)
        ends = max(ends, time.monotonic() + _SUMMARY_SECONDS)
    if plan.helps and not sending.is_kept:
        yield Work(partial(_deliver_others, ends))
    return sending


def _plan(conn_id: str, due: DueAlert | None) -> Plan:
    return Plan(conn_id, AlertContent.from_json(due.content) if due else None, due, helps=True)


def _send(plan: Plan, content: AlertContent, ends: float) -> Flow[Sending]:
    from airflow_provider_d360.hooks.d360 import D360Hook

    due = plan.due
    reserved = queue.STORE_SECONDS if due else 0.0
    prepared = prepare(plan.conn_id, content, due.at if due else time.time())
    try:
        left = ends - reserved - time.monotonic()
        hook = D360Hook(plan.conn_id, budget_seconds=max(left, _LEAST_SECONDS) if due else left)
        outcomes: list[Outcome] = yield Work(
            partial(hook.run, deliver, prepared), partial(adeliver, hook, prepared)
        )
    except Exception:
        if due is not None:
            yield Work(partial(_give_back, due, content))
        raise
    if due is None:
        return Sending(outcomes)
    fate: Fate | None = yield Work(partial(_settle, due, content, outcomes))
    if fate is Fate.OUT:  # perhaps for hours: by a key that has expired
        yield Work(_announce)
    return Sending(outcomes, is_kept=fate in (Fate.OUT, Fate.KEPT))


def _settle(due: DueAlert, content: AlertContent, outcomes: Sequence[Outcome]) -> Fate | None:
    try:
        return queue.use(lambda store: settle(store, due, content, outcomes))
    except queue.QueueUnavailableError as problem:
        log.warning("The outcome of an alert could not be written down, so it may be sent again. %s", problem)
        return None


def _announce() -> None:
    with suppress(queue.QueueUnavailableError):
        queue.use(announce_as_configured, _ANNOUNCE_SECONDS)


def _give_back(due: DueAlert, content: AlertContent) -> None:
    """Leave an alert to a process that has the connection which is missing here."""
    at = time.time() + queue.STORE_SECONDS
    with suppress(queue.QueueUnavailableError):
        queue.use(lambda store: store.alerts.postpone(due, at, content.to_json()))


def _wait_for_summary(id: str) -> Flow[None]:
    from airflow_provider_d360.store.alert_rules import WAIT_SECONDS

    ends = time.monotonic() + WAIT_SECONDS
    while (left := ends - time.monotonic()) > 0:
        due_at: float | None = yield Work(partial(_due_at, id))
        if due_at is None or due_at <= time.time():
            return
        yield Pause(min(due_at - time.time() + 0.05, left))


def _due_at(id: str) -> float | None:
    try:
        return queue.use(lambda store: store.alerts.due_at(id))
    except queue.QueueUnavailableError:
        return None


def _deliver_others(ends: float) -> None:
    """Send an alert of a killed process, of an outage, or a summary."""
    try:
        from airflow_provider_d360.store.configured import configured_store

        with closing(configured_store(retry_seconds=1.0)) as store:
            deliver_due(store, ends)
    except Exception as error:  # noqa: BLE001 - this callback's own alert is done
        log.warning("Other alerts that are due could not be sent now: %s", explain(error))

"""The alerts in the store: each is written down before it is sent, and deleted with its final outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from airflow_provider_d360.alerts import writing
from airflow_provider_d360.alerts.alert import BROKEN_FILE, recovered
from airflow_provider_d360.alerts.content import AlertContent
from airflow_provider_d360.alerts.groups import Groups
from airflow_provider_d360.api.privacy import mask_number
from airflow_provider_d360.transport.threads import within

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.alert_history import AlertFacts
    from airflow_provider_d360.store.alert_rules import Ended, Registered
    from airflow_provider_d360.store.due import DueAlert

T = TypeVar("T")
log = logging.getLogger(__name__)

STORE_SECONDS = 2.0
REGISTER_SECONDS = 10.0  # when hundreds of tasks fail at once, each waits for its turn at the store …
_SLICE_SECONDS = 0.1  # … and a machine that is too busy to let this process run is no store that hangs
_LONGEST_SECONDS = 90.0
_IN_FLIGHT_SECONDS = 3.0  # during an outage, an attempt to report the problem fails in less


class QueueUnavailableError(Exception):
    """The store cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """
    How a notifier's alerts are written down.

    :param cooldown_seconds: How long further alerts of the same kind are held back; None for no cooldown.
    :param expires_seconds: How long after the failure an alert may still be sent.
    :param round: Changes with each *Clear* of the run.
    """

    cooldown_seconds: float | None
    expires_seconds: float
    round: str


def register(content: AlertContent, conn_id: str, options: Options, at: float) -> Registered:
    """
    Write an alert down, and return what to do with it.

    :param content: The alert.
    :param conn_id: The Airflow connection that it is sent through.
    :param options: How.
    :param at: When it happened, in Unix seconds.
    :raises QueueUnavailableError: The store cannot be used.
    """
    from airflow_provider_d360.store.alert_rules import NewAlert

    groups, alert = Groups(content.recipients, conn_id), content.alert
    label = f"{alert.where}: {alert.kind}" if alert.kind else alert.where

    def with_held(count: int, since: float) -> str:
        return content.with_note(writing.repeated(count, since)).to_json()

    new = NewAlert(
        id=groups.id(content.key),
        at=at,
        expires_at=at + options.expires_seconds,
        conn_id=conn_id,
        content=with_held,
        facts=_facts(content),
        label=label,
        subject=groups.subject(alert) if alert.event.is_problem else None,
        cooldown=None if options.cooldown_seconds is None else groups.cooldown(alert),
        cooldown_seconds=options.cooldown_seconds or 0.0,
        run=groups.run(alert, options.round) if content.place else None,
        is_whole=not alert.task,
        summary=replace(content, message=None).to_json(),
    )
    return use(
        lambda store: store.alerts.register(new, uuid4().hex, time.time()), REGISTER_SECONDS, patient=True
    )


def register_recovery(content: AlertContent, conn_id: str, options: Options, at: float) -> DueAlert | None:
    """
    Write down an alert about the end of a problem; return None if the problem was reported to nobody.

    What is being sent about the problem at this moment may fail, and would then go out after its end: that is
    waited for, three seconds at most.

    :param content: The alert about the success.
    :param conn_id: The Airflow connection that it is sent through.
    :param options: How.
    :param at: When it happened, in Unix seconds.
    :raises QueueUnavailableError: The store cannot be used.
    """
    from airflow_provider_d360.store.due import DueAlert

    groups = Groups(content.recipients, conn_id)
    due = DueAlert(
        id=groups.id(content.key),
        group_name=None,
        subject=None,
        conn_id=conn_id,
        at=at,
        due_at=at,
        expires_at=at + options.expires_seconds,
        attempts=0,
        claim=uuid4().hex,
        content="",
    )

    def tell(ended: Ended) -> str:
        return replace(content, alert=recovered(content.alert, ended.since, ended.held)).to_json()

    subject = groups.subject(content.alert)

    def recover(store: Store) -> DueAlert | None:
        ends = time.monotonic() + _IN_FLIGHT_SECONDS
        while store.alerts.is_being_sent(subject, time.time()) and time.monotonic() < ends:
            time.sleep(_SLICE_SECONDS)
        return store.alerts.recover(subject, due, tell, time.time(), _facts(content, ended=True))

    return use(recover, REGISTER_SECONDS, patient=True)


def _facts(content: AlertContent, *, ended: bool = False) -> AlertFacts:
    """Return the facts that the alerts page shows. For a broken DAG file, the file name is the task id."""
    from airflow_provider_d360.store.alert_history import AlertFacts

    alert = recovered(content.alert, 0.0, 0) if ended else content.alert
    is_file = alert.event is BROKEN_FILE
    return AlertFacts(
        event=alert.event.name,
        dag_id="" if is_file else alert.dag,
        run_id=alert.run,
        task_id=alert.dag if is_file else alert.task or alert.failed_task,
        map_index=alert.map_index,
        recipients=[mask_number(to) for to in content.recipients],
    )


def use(work: Callable[[Store], T], seconds: float = STORE_SECONDS, *, patient: bool = False) -> T:
    """
    Do something with the configured store, which is opened and closed for it.

    :param work: The work.
    :param seconds: The time limit, in which the store is opened, too.
    :param patient: Count only time in which this process could have run.
    :raises QueueUnavailableError: The store cannot be used, or not in that time.
    """

    def run(store: Store) -> T:
        with closing(store):
            return work(store)

    try:
        from airflow_provider_d360.store.configured import configured_store

        retry_seconds = _LONGEST_SECONDS if patient else max(seconds - 0.5, 0.5)
        store = configured_store(retry_seconds=retry_seconds)
        return within(seconds, partial(run, store), _SLICE_SECONDS if patient else None)
    except TimeoutError:
        problem = f"The store did not respond within {seconds:g} seconds."
    except Exception as error:  # noqa: BLE001 - an alert is more important than its place in the queue
        problem = _explain(error)
    raise QueueUnavailableError(problem)


def _explain(error: Exception) -> str:
    from airflow_provider_d360.compat import OldSQLAlchemyError

    if isinstance(error, OldSQLAlchemyError):  # then the store cannot be imported here either
        return str(error)
    from airflow_provider_d360.store import StoreError

    if isinstance(error, StoreError | ValueError):
        return f"{error}."
    return f"The store cannot be found ({type(error).__name__}): look at [d360] store_conn_id."

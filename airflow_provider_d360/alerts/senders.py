"""Who sends an alert, and which alerts are the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.alerts.cooldowns import STORE_SECONDS
from airflow_provider_d360.api.errors import D360UnavailableError, ErrorDetail
from airflow_provider_d360.hooks.ledgers import open_ledger
from airflow_provider_d360.hooks.place import round_of
from airflow_provider_d360.sending.identity import Place
from airflow_provider_d360.sending.sender import Sender
from airflow_provider_d360.transport.flows import Flow, Work
from airflow_provider_d360.transport.threads import within

if TYPE_CHECKING:
    from airflow_provider_d360.alerts.alert import Alert
    from airflow_provider_d360.store.ledger import Ledger

_RETRY_SECONDS = 0.5  # an alert has 15 seconds in all


def alert_sender(context: Mapping[str, Any], alert: Alert, conn_id: str) -> Sender:
    """
    Return who sends an alert. One person gets the same alert once: same event, run, task, try and *Clear*.

    It goes out even when the ledger cannot be read. An alert that belongs to no run is always a new one. So
    is one about a DAG whose run is not passed: nobody can tell it from the one before a *Clear*.

    :param context: The context of the callback.
    :param alert: The alert.
    :param conn_id: The Airflow connection.
    """
    if "alert_key" in context:  # of a DAG file
        key = str(context["alert_key"])
        return Sender(conn_id, _find_in_time, source="alert", key=key, own_key=False, required=False)
    is_about_a_try = bool(alert.task)  # its number grows with each Clear
    if not alert.run or not (is_about_a_try or context.get("dag_run")):
        return Sender(conn_id, _find_in_time, source="alert", required=False)
    round_ = round_of(context)
    try_number = alert.attempt.partition(" ")[0]  # "of 3" depends on who reports it
    parts = [alert.event.name, alert.dag, alert.run, alert.task, alert.map_index, try_number, round_]
    deadline = context.get("deadline") or {}
    parts.append(str(deadline.get("id")) if isinstance(deadline, Mapping) else "")
    place = Place(alert.dag, alert.run, alert.run, alert.task, alert.map_index, 0, round_)
    key = json.dumps(["alert", *parts])
    return Sender(conn_id, _find_in_time, source="alert", place=place, key=key, own_key=False, required=False)


def _find_in_time() -> Flow[Ledger | None]:
    ledger: Ledger | None = yield Work(_open_in_time)
    return ledger


def _open_in_time() -> Ledger | None:
    try:
        return within(STORE_SECONDS, partial(open_ledger, _RETRY_SECONDS))
    except TimeoutError:
        detail = ErrorDetail(f"The store did not respond within {STORE_SECONDS:g} seconds")
    raise D360UnavailableError(detail)

"""Who sends an alert, and which alerts are the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

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
_STORE_SECONDS = 2.0


def alert_key(context: Mapping[str, Any], alert: Alert) -> str:
    """
    Return the key of an alert: same event, run, task, try and *Clear*. A person gets each key once.

    An alert that belongs to no run is always a new one. So is one about a DAG whose run is not passed: nobody
    can tell it from the one before a *Clear*.

    :param context: The context of the callback.
    :param alert: The alert.
    """
    if "alert_key" in context:  # of a DAG file
        return str(context["alert_key"])
    if not has_place(context, alert):
        return f"alert {uuid4().hex}"
    try_number = alert.attempt.partition(" ")[0]  # "of 3" depends on who reports it
    parts = [alert.event.name, alert.dag, alert.run, alert.task, alert.map_index, try_number]
    deadline = context.get("deadline") or {}
    deadline_id = str(deadline.get("id")) if isinstance(deadline, Mapping) else ""
    return json.dumps(["alert", *parts, round_of(context), deadline_id])


def has_place(context: Mapping[str, Any], alert: Alert) -> bool:
    """
    Return whether an alert belongs to a run that can be told from any other.

    :param context: The context of the callback.
    :param alert: The alert.
    """
    is_about_a_try = bool(alert.task)  # its number grows with each Clear
    return bool(alert.run and (is_about_a_try or context.get("dag_run")))


def alert_place(context: Mapping[str, Any], alert: Alert) -> Place | None:
    """
    Return where in Airflow an alert belongs; None if nowhere.

    :param context: The context of the callback.
    :param alert: The alert.
    """
    if "alert_key" in context or not has_place(context, alert):
        return None
    return Place(alert.dag, alert.run, alert.run, alert.task, alert.map_index, 0, round_of(context))


def alert_sender(conn_id: str, key: str, place: Place | None, *, resend_unknown: bool = False) -> Sender:
    """
    Return who sends an alert. It goes out even when the ledger cannot be read.

    :param conn_id: The Airflow connection.
    :param key: What :func:`alert_key` returned.
    :param place: Where in Airflow it belongs.
    :param resend_unknown: Send again what may have gone out.
    """
    return Sender(
        conn_id,
        _find_in_time,
        source="alert",
        place=place,
        key=key,
        own_key=False,
        required=False,
        resend_unknown=resend_unknown,
    )


def _find_in_time() -> Flow[Ledger | None]:
    ledger: Ledger | None = yield Work(_open_in_time)
    return ledger


def _open_in_time() -> Ledger | None:
    try:
        return within(_STORE_SECONDS, partial(open_ledger, _RETRY_SECONDS))
    except TimeoutError:
        detail = ErrorDetail(f"The store did not respond within {_STORE_SECONDS:g} seconds")
    raise D360UnavailableError(detail)

"""The page of alerts: what failed, whether anybody was told, and by which message."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Request, Response

from airflow_provider_d360.alerts.alert import EVENTS
from airflow_provider_d360.api.errors import ErrorDetail
from airflow_provider_d360.pages.access import OUTSIDE, permitted
from airflow_provider_d360.pages.addresses import dag_path, page_path, run_path, task_path
from airflow_provider_d360.pages.filters import ALERTS as ALERTS_PATH
from airflow_provider_d360.pages.filters import LONGEST_DAYS, PERIODS, Filters, instant
from airflow_provider_d360.pages.lists import in_sequence, older
from airflow_provider_d360.pages.navigation import ALERTS, around
from airflow_provider_d360.pages.rendering import render
from airflow_provider_d360.pages.routing import REFRESH_SECONDS, Pages
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.past_alerts import PastAlert

_DAY_SECONDS = 86_400
_PAGE_ROWS = 100
_SUGGESTIONS = 500
# Alerts that reached nobody come first.
_ORDER = ("failed", "expired", "due", "waiting", "held", "backup", "sent", "summarised", "recovered")
_EXPLANATIONS = {
    "failed": ErrorDetail(
        "Nobody was told of it",
        "Look at the messages with the source Alert to see why, and correct the notifier or its connection.",
    ),
    "expired": ErrorDetail(
        "It could not be sent in time, and nobody was told of it",
        "Test the connection in Admin, Connections; on a server, airflow d360 check says what is wrong.",
    ),
    "waiting": ErrorDetail("A summary of its run will report it"),
    "held": ErrorDetail("Its cooldown is not over: the next alert says how many were held back"),
    "backup": ErrorDetail("Nobody else had got it in time, so the backup was told"),
}


def add_routes(pages: Pages) -> None:
    """
    Add the route.

    :param pages: The pages.
    """

    @pages.router.get("/alerts")
    async def alerts(request: Request, user: GetUserDep) -> Response:
        filters = replace(Filters.read(request.query_params), of=ALERTS_PATH, source="", recipient="")
        before = instant(request.query_params.get("before"))
        return await pages.show(lambda store: _alerts(store, filters, before, user))


def _alerts(store: Store, filters: Filters, before: float | None, user: Any) -> Response:
    now = time.time()
    since = now - filters.days * _DAY_SECONDS
    senders = permitted(store.alert_history.dag_ids(since=since), user)
    dag_ids = list(filters.selection(senders).dag_ids or ())
    counts = store.alert_history.counts(since=since, dag_ids=dag_ids)
    found = store.alert_history.recent(
        since=since, before=before, dag_ids=dag_ids, state=filters.status or None, limit=_PAGE_ROWS + 1
    )
    return render(
        "alerts.html",
        **around(ALERTS, user),
        chosen={"days": filters.days, "dag": filters.dag, "status": filters.status},
        is_filtered=filters.are_set,
        nothing=filters.describe("There was no alert"),
        periods=PERIODS,
        longest=LONGEST_DAYS,
        suggestions=[sender for sender in senders if sender != OUTSIDE][:_SUGGESTIONS],
        counts=in_sequence(counts, _ORDER),
        rows=[_row(alert, filters, now) for alert in found[:_PAGE_ROWS]],
        first=before is None,
        older=older([alert.at for alert in found], _PAGE_ROWS),
        here=filters.list_path(before),
        all=Filters(of=filters.of).list_path(),
        search=page_path("messages"),
        action=page_path("alerts"),
        link=filters.list_path,
        now=now,
        refresh=REFRESH_SECONDS if before is None else None,
    )


def _row(alert: PastAlert, filters: Filters, now: float) -> dict[str, Any]:
    event, facts = EVENTS.get(alert.facts.event), alert.facts
    return {
        "alert": alert,
        "facts": facts,
        "what": event.headline.replace("DAG", "Dag") if event else facts.event.replace("_", " ").capitalize(),
        "explanation": _explain(alert, now),
        "messages": [page_path("messages", name, query=filters.query()) for name in alert.messages],
        "dag_link": dag_path(facts),
        "run_link": run_path(facts),
        "task_link": task_path(facts),
    }


def _explain(alert: PastAlert, now: float) -> ErrorDetail | None:
    """Explain what somebody should know who looks at it; None if it speaks for itself."""
    if alert.state == "due" and alert.attempts:
        times = "once" if alert.attempts == 1 else f"{alert.attempts} times"
        return ErrorDetail(
            f"Sending it through the connection {alert.conn_id} failed {times}; it is tried again",
            "Test the connection in Admin, Connections, unless the network or WhatsApp has an outage.",
        )
    if alert.state == "due" and alert.due_at is not None and now - alert.due_at > 60:
        return ErrorDetail(
            "It is due, and nobody has sent it yet",
            "Run airflow d360 deliver-due, or enable the receiver: both send what a killed process left.",
        )
    return _EXPLANATIONS.get(alert.state)

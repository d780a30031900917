"""
What became of the messages, for people: pages in Airflow's API server, for those who may view DAG runs.

Importing this module imports Airflow's API, so nothing but its server may do so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from airflow_provider_d360.api.errors import Refusal
from airflow_provider_d360.api.refusals import failed_status
from airflow_provider_d360.store import OutboxEntry, SentMessage, Status, Store, StoreUnavailableError
from airflow_provider_d360.store.store import ACCEPTED
from airflow_provider_d360.webhook.plugin import URL_PREFIX
from airflow_provider_d360.webhook.rendering import render

PERIODS = {1: "last day", 7: "last 7 days", 30: "last 30 days"}

_DEFAULT_DAYS = 7
_DAY_SECONDS = 86_400
_PAGE_ROWS = 100
_MOST_LOOKED_AT = 10_000  # what becomes of a message is looked up for each, so this is what a page costs
_SUGGESTIONS = 500
_ORDER = (ACCEPTED, "sent", "delivered", "read", "played", "failed")
_NOTICES = {
    401: ("Log in first", "These pages are for people who are logged in to Airflow."),
    403: ("Not for you", "Airflow does not let you view DAG runs, and so not what they sent."),
    404: ("No such message", "There is none with this id, or the DAG that sent it is not one you may see."),
    503: ("The store is not available", "Nothing is lost by that. Try again in a moment."),
}


class _PageRoute(APIRoute):
    """Answers people, so what goes wrong is a page as well."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except HTTPException as problem:
                return _notice(request, problem.status_code)
            except StoreUnavailableError:
                return _notice(request, 503)

        return answer


def page_routes(store: Store) -> list[BaseRoute]:
    """Make the routes of the pages. They run in threads, as they wait for the store and for Airflow."""
    router = APIRouter(
        route_class=_PageRoute,
        dependencies=[Depends(_require_runs)],
    )

    @router.get("/messages")
    def messages(request: Request, user: GetUserDep) -> Response:
        return _messages(store, request.query_params, user)

    @router.get("/messages/{message_id:path}")
    def message(message_id: str, user: GetUserDep) -> Response:
        return _message(store, _storable(message_id), user)

    return router.routes


def _require_runs(user: GetUserDep) -> None:
    """Refuse who may not view DAG runs; Airflow's own check would let the query name the DAG it asks for."""
    if not _may_view_runs(user, None):
        raise HTTPException(403)


def _may_view_runs(user: Any, dag_id: str | None) -> bool:
    return get_auth_manager().is_authorized_dag(
        method="GET", access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag_id), user=user
    )


def _readable(dag_ids: set[str], user: Any) -> list[str]:
    """Choose the DAGs that somebody may read, runs and all."""
    readable = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return sorted(dag_id for dag_id in dag_ids & readable if _may_view_runs(user, dag_id))


def _messages(store: Store, query: Mapping[str, str], user: Any) -> Response:
    """Show what was sent, newest first, by the DAGs that may be read."""
    days, dag_id = _days(query.get("days")), _storable(query.get("dag", "").strip())
    status, before = _storable(query.get("status", "")), _instant(query.get("before"))
    since = time.time() - days * _DAY_SECONDS
    senders = _readable(store.dag_ids(since=since), user)
    wanted = [sender for sender in senders if dag_id in ("", sender)]
    counted_since = store.newest(_MOST_LOOKED_AT, since=since, dag_ids=wanted)
    counts = store.counts(since=counted_since, dag_ids=wanted)
    shown_since = since
    if status:  # which must be looked up for each that might be shown
        shown_since = store.newest(_MOST_LOOKED_AT, since=since, before=before, dag_ids=wanted)
    found = store.recent(
        since=shown_since, before=before, dag_ids=wanted, status=status or None, limit=_PAGE_ROWS + 1
    )
    chosen = {"dag": dag_id, "days": days, "status": status}
    return render(
        "messages.html",
        chosen=chosen,
        periods=PERIODS,
        suggestions=senders[:_SUGGESTIONS],
        counts={name: counts[name] for name in sorted(counts, key=_place)},
        all_counted=counted_since == since,
        most=_MOST_LOOKED_AT,
        rows=[_row(sent) for sent in found[:_PAGE_ROWS]],
        first=before is None,
        older=_older(found) or (shown_since if shown_since > since else None),
        link=lambda **changes: _page_path(query={**chosen, **changes}),
    )


def _message(store: Store, message_id: str, user: Any) -> Response:
    """Show one message of a DAG that may be read, and all that became of it."""
    entry = store.sent(message_id)
    if entry is None or not _readable({entry.dag_id}, user):
        raise HTTPException(404)
    history = store.history(message_id)
    return render(
        "message.html",
        entry=entry,
        task_link=_task_link(entry),
        history=[(status, _refusal(status)) for status in history],
        pricing=next((status for status in reversed(history) if status.category), None),
        back=_page_path(),
        dag_link=_page_path(query={"dag": entry.dag_id}),
    )


def _notice(request: Request, status: int) -> Response:
    title, text = _NOTICES.get(status, ("That did not work", ""))
    here = _page_path(request.path_params.get("message_id"), request.query_params)
    login = _path("/api/v2/auth/login", {"next": here}) if status == 401 else None
    return render("notice.html", status, title=title, text=text, login=login)


def _row(sent: SentMessage) -> dict[str, Any]:
    return {
        "entry": sent.entry,
        "status": sent.status.status if sent.status else ACCEPTED,
        "refusal": _refusal(sent.status) if sent.status else None,
        "pricing": sent.status if sent.status and sent.status.category else None,
        "link": _page_path(sent.entry.message_id),
        "task_link": _task_link(sent.entry),
    }


def _refusal(status: Status) -> Refusal | None:
    """Explain a failure in the words that a refusal at sending would have."""
    if status.status != "failed":
        return None
    title, details = status.error_title or "", status.error_details or ""
    return failed_status(status.error_code, title, details, on_premise=status.on_premise).refusal


def _task_link(entry: OutboxEntry) -> str:
    parts = [quote(part, safe="") for part in (entry.dag_id, entry.run_id, entry.task_id)]
    mapped = f"/mapped/{entry.map_index}" if entry.map_index >= 0 else ""
    return _path("/dags/{}/runs/{}/tasks/{}".format(*parts) + mapped, {"try_number": entry.try_number})


def _older(found: list[SentMessage]) -> float | None:
    """Say where the next page begins: what was sent in the same instant must not fall between two pages."""
    if len(found) <= _PAGE_ROWS:
        return None
    first, next_at = found[0].entry.at, found[_PAGE_ROWS].entry.at
    return next_at if next_at == first else math.nextafter(next_at, math.inf)


def _page_path(message_id: str | None = None, query: Mapping[str, object] | None = None) -> str:
    path = f"{URL_PREFIX}/messages"
    return _path(path if message_id is None else f"{path}/{quote(message_id, safe='')}", query or {})


def _path(path: str, query: Mapping[str, object]) -> str:
    """Make a link within Airflow, which may live below a path of its own; parameters without value go."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return _base_path() + path + (f"?{urlencode(given)}" if given else "")


def _base_path() -> str:
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


def _days(text: str | None) -> int:
    return next((days for days in PERIODS if str(days) == text), _DEFAULT_DAYS)


def _instant(text: str | None) -> float | None:
    try:
        instant = float(text or "")
    except ValueError:
        return None
    return instant if math.isfinite(instant) else None


def _storable(text: str) -> str:
    """Leave out what PostgreSQL takes in no question."""
    return text.replace("\0", "")


def _place(status: str) -> tuple[int, str]:
    return (_ORDER.index(status) if status in _ORDER else len(_ORDER), status)

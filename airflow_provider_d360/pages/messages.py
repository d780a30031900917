"""
What became of the messages, for people: pages in Airflow's API server, for those who may view DAG runs.

Importing this module imports Airflow's API, so nothing but its server may do so.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.pages.access import (
    OUTSIDE,
    NoticeError,
    permitted,
    read_form,
    require_runs,
    require_same_origin,
)
from airflow_provider_d360.pages.addresses import login_path, name_of, page_path, task_path
from airflow_provider_d360.pages.explanations import explain, explain_status, next_send
from airflow_provider_d360.pages.rendering import render
from airflow_provider_d360.store import Entry, LedgerMessage, State, Store, StoreError
from airflow_provider_d360.store.entries import OLD_INTENT_SECONDS, is_unsettled

log = logging.getLogger(__name__)

PERIODS = {1: "last day", 7: "last 7 days", 30: "last 30 days", 365: "last year"}

_DEFAULT_DAYS = 7
_DAY_SECONDS = 86_400
_PAGE_ROWS = 100
_MOST_LOOKED_AT = 10_000  # what becomes of a message is looked up for each, so this is what a page costs
_SUGGESTIONS = 500
_AT_ONCE = 4  # threads that may wait for the store; Airflow's own pages need the others
_ORDER = (
    *(state.value for state in State if state is not State.SUPPRESSED),
    *("sent", "delivered", "read", "played", "failed", "suppressed"),
)
_NOTICES = {
    401: ("Log in first", "These pages are for people who are logged in to Airflow."),
    403: ("Not for you", "Airflow does not let you view DAG runs, and so not what they sent."),
    404: (
        "No such message",
        "The store of this API server knows none with this id, or you may not read the DAG that sent it.",
    ),
    503: (
        "The store is not available",
        "Messages are not lost by that. Try again in a moment; the API server's log says why.",
    ),
}


class _PageRoute(APIRoute):
    """Responds to people, so what goes wrong is a page as well."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def respond(request: Request) -> Response:
            try:
                return await handler(request)
            except HTTPException as problem:
                return _notice(request, problem.status_code)
            except NoticeError as problem:
                return render(
                    "notice.html",
                    problem.status,
                    title=problem.title,
                    text=problem.text,
                    login=None,
                    back=page_path(),
                )

        return respond


def page_routes(open_store: Callable[[], Store]) -> list[BaseRoute]:
    """
    Make the routes of the pages. Whatever may block runs in a few threads of their own.

    :param open_store: Returns the store that the pages show. Called for each page; it may block and raise.
    """
    router = APIRouter(route_class=_PageRoute, dependencies=[Depends(require_runs)])
    limiter = CapacityLimiter(_AT_ONCE)
    same_origin = [Depends(require_same_origin)]

    async def respond(work: Callable[[Store], Response]) -> Response:
        return await to_thread.run_sync(partial(_with_store, open_store, work), limiter=limiter)

    @router.get("/messages")
    async def messages(request: Request, user: GetUserDep) -> Response:
        return await respond(lambda store: _messages(store, request.query_params, user))

    @router.post("/messages", dependencies=same_origin)
    async def search(request: Request) -> Response:
        form = await read_form(request)
        return await respond(lambda store: _search(store, form))

    @router.get("/messages/{message:path}")
    async def one_message(message: str, user: GetUserDep) -> Response:
        return await respond(lambda store: _message(store, _storable(message), user))

    @router.post("/messages/{message:path}", dependencies=same_origin)
    async def settle(request: Request, message: str, user: GetUserDep) -> Response:
        form = await read_form(request)
        return await respond(lambda store: _settle(store, _storable(message), form.get("settle"), user))

    return router.routes


def _with_store(open_store: Callable[[], Store], work: Callable[[Store], Response]) -> Response:
    try:
        store = open_store()
    except Exception as problem:  # noqa: BLE001 - of a secrets backend, or of the configuration
        log.warning("The store of the messages page cannot be opened: %s", type(problem).__name__)
    else:
        try:
            return work(store)
        except StoreError as problem:
            log.warning("The messages page cannot be shown. %s", problem)
    raise HTTPException(503)


def _messages(store: Store, query: Mapping[str, str], user: Any) -> Response:
    """Show what WhatsApp reports as wrong, and the messages of the DAGs that the user may read."""
    days, dag_id = _days(query.get("days")), _storable(query.get("dag", "").strip())
    status, before = _storable(query.get("status", "")), _instant(query.get("before"))
    recipient = _storable(query.get("recipient", ""))
    since = time.time() - days * _DAY_SECONDS
    senders = permitted(store.messages.dag_ids(since=since), user)
    filters: dict[str, Any] = {
        "dag_ids": [sender for sender in senders if dag_id in ("", sender)],
        "recipient_hash": recipient or None,
    }
    counted_since = store.messages.start_of_newest(_MOST_LOOKED_AT, since=since, **filters)
    counts = store.messages.counts(since=counted_since, **filters)
    shown_since = since
    if status:  # which must be looked up for each that might be shown
        shown_since = store.messages.start_of_newest(_MOST_LOOKED_AT, since=since, before=before, **filters)
    found = store.messages.recent(
        since=shown_since, before=before, status=status or None, limit=_PAGE_ROWS + 1, **filters
    )
    chosen = {"dag": dag_id, "days": days, "status": status, "recipient": recipient}
    return render(
        "messages.html",
        chosen=chosen,
        periods=PERIODS,
        suggestions=[sender for sender in senders if sender != OUTSIDE][:_SUGGESTIONS],
        counts={name: counts[name] for name in sorted(counts, key=_place)},
        all_counted=counted_since == since,
        most=_MOST_LOOKED_AT,
        rows=[_row(message) for message in found[:_PAGE_ROWS]],
        first=before is None,
        older=_older(found) or (shown_since if shown_since > since else None),
        notices=[(notice, notice.explain()) for notice in store.notices.current(time.time())],
        here=page_path(),
        link=lambda **changes: page_path(query={**chosen, **changes}),
    )


def _search(store: Store, form: Mapping[str, str]) -> Response:
    """
    Lead to the messages to a recipient.

    The number comes in the body of a request, which nobody logs; the address that it leads to holds its hash.
    """
    number = form.get("number", "").strip()
    kind = "group" if any(ch.isalpha() for ch in number) else "individual"  # user ids are read alike
    try:
        recipient = store.ledger.hash("recipient", canonical(number, kind)) if number else None
    except D360RequestError as error:
        title, remedy = error.detail.title, error.detail.remedy
        raise NoticeError(400, f"This cannot be searched for: {title}", remedy) from None
    query = {"recipient": recipient, "days": max(PERIODS) if recipient else None}
    return RedirectResponse(page_path(query=query), 303)


def _message(store: Store, message: str, user: Any) -> Response:
    """Show one message of a DAG that the user may read, with all its statuses."""
    entry = _find(store, message, user)
    history = store.statuses.history(entry.message_id) if entry.message_id else []
    now = time.time()
    return render(
        "message.html",
        entry=entry,
        name=name_of(entry),
        here=page_path(name_of(entry)),
        task_link=task_path(entry),
        explanation=None if history else explain(entry, None, now),
        next_send=next_send(entry),
        unsettled=is_unsettled(entry, now),
        may_settle=entry.dag_id in permitted({entry.dag_id}, user, "PUT"),
        history=[(status, explain_status(status)) for status in history],
        pricing=next((status for status in reversed(history) if status.category), None),
        back=page_path(),
        dag_link=page_path(query={"dag": entry.dag_id}),
    )


def _settle(store: Store, message: str, outcome: str | None, user: Any) -> Response:
    """Settle a message as sent or not sent, for a user who may edit the runs of its DAG."""
    entry = _find(store, message, user)
    if entry.dag_id not in permitted({entry.dag_id}, user, "PUT"):
        raise NoticeError(
            403,
            "You may not settle this",
            "Nothing was changed. Ask somebody who may edit the runs of its DAG.",
        )
    if outcome not in ("sent", "not sent"):
        raise NoticeError(400, "That is no outcome", "Nothing was changed. Settle it as sent or as not sent.")
    # If somebody else was faster, the page shows what they chose.
    if store.ledger.resolve(entry.id, sent=outcome == "sent", older_than=time.time() - OLD_INTENT_SECONDS):
        log.info("Message %s was settled as %s by %s", entry.id, outcome, user.get_name())
    return RedirectResponse(page_path(name_of(entry)), 303)


def _find(store: Store, message: str, user: Any) -> Entry:
    entry = store.ledger.find(message)
    if entry is None or not permitted({entry.dag_id}, user):
        raise HTTPException(404)
    return entry


def _notice(request: Request, status: int) -> Response:
    title, text = _NOTICES.get(status, ("That did not work", ""))
    here = page_path(request.path_params.get("message"), request.query_params)
    login = login_path(here) if status == 401 else None
    return render("notice.html", status, title=title, text=text, login=login, back=None)


def _row(message: LedgerMessage) -> dict[str, Any]:
    status = message.status
    return {
        "entry": message.entry,
        "status": message.current,
        "explanation": explain(message.entry, status, time.time()),
        "pricing": status if status and status.category else None,
        "link": page_path(name_of(message.entry)),
        "task_link": task_path(message.entry),
    }


def _older(found: list[LedgerMessage]) -> float | None:
    """Say where the next page begins: what was sent in the same instant must not fall between two pages."""
    if len(found) <= _PAGE_ROWS:
        return None
    first, next_at = found[0].entry.at, found[_PAGE_ROWS].entry.at
    return next_at if next_at == first else math.nextafter(next_at, math.inf)


def _days(text: str | None) -> int:
    return next((days for days in PERIODS if str(days) == text), _DEFAULT_DAYS)


def _instant(text: str | None) -> float | None:
    try:
        instant = float(text or "")
    except ValueError:
        return None
    return instant if math.isfinite(instant) else None


def _storable(text: str) -> str:
    """Strip NUL characters, which PostgreSQL rejects."""
    return text.replace("\0", "")


def _place(status: str) -> tuple[int, str]:
    return (_ORDER.index(status) if status in _ORDER else len(_ORDER), status)

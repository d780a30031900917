"""The lists of messages: the page of all of them, and the tabs of DAGs, runs and tasks."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.pages.access import OUTSIDE, NoticeError, permitted, read_form
from airflow_provider_d360.pages.addresses import dag_path, name_of, page_path, task_path
from airflow_provider_d360.pages.explanations import explain, is_doubtful
from airflow_provider_d360.pages.filters import LONGEST_DAYS, PERIODS, SOURCES, Filters, instant, storable
from airflow_provider_d360.pages.lists import in_sequence, older
from airflow_provider_d360.pages.navigation import MESSAGES, around
from airflow_provider_d360.pages.rendering import render
from airflow_provider_d360.pages.routing import REFRESH_SECONDS, SAME_ORIGIN, Pages
from airflow_provider_d360.store import LedgerMessage, Selection, Store

_DAY_SECONDS = 86_400
_PAGE_ROWS = 100
_MOST_LOOKED_AT = 10_000  # what becomes of a message is looked up for each, so this is what a page costs
_SUGGESTIONS = 500
_ORDER = (  # those that need somebody come first
    *("failed", "refused", "unknown", "withheld", "held", "intended", "accepted", "sent", "delivered"),
    *("read", "played", "suppressed"),
)
_MESSAGE_ID = re.compile(r"m[0-9a-f]{16}|[0-9a-f]{32}")  # the short form of an id, or the id of a row
_WHATSAPP_ID = re.compile(r"wamid\.\S+|gBG\S+")


def add_routes(pages: Pages) -> None:
    """
    Add the routes.

    :param pages: The pages.
    """
    router = pages.router

    @router.get("/messages")
    async def messages(request: Request, user: GetUserDep) -> Response:
        filters, before = Filters.read(request.query_params), instant(request.query_params.get("before"))
        return await pages.show(lambda store: _messages(store, replace(filters, of=""), before, user))

    @router.post("/messages", dependencies=SAME_ORIGIN)
    async def search(request: Request, user: GetUserDep) -> Response:
        form = await read_form(request)
        text, source = storable(form.get("q", "").strip()), form.get("source", "")
        return await pages.show(lambda store: _search(store, text, source, user))

    @router.get("/dags/{dag_id}/messages")
    @router.get("/dags/{dag_id}/tasks/{task_id}/messages")
    @router.get("/dags/{dag_id}/runs/{run_id}/messages")
    @router.get("/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/messages")
    @router.get("/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/mapped/{map_index}/messages")
    async def tab(request: Request, user: GetUserDep) -> Response:
        path = {name: storable(value) for name, value in request.path_params.items()}
        return await pages.show(lambda store: _tab(store, path, request.query_params, user))


def _messages(store: Store, filters: Filters, before: float | None, user: Any) -> Response:
    """Show what WhatsApp reports as wrong, and the messages of the DAGs that the user may read."""
    senders = permitted(store.messages.dag_ids(since=_since(filters)), user)
    notices = [(notice, notice.explain()) for notice in store.notices.current(time.time())]
    suggestions = [sender for sender in senders if sender != OUTSIDE][:_SUGGESTIONS]
    return _list(
        store,
        filters,
        filters.selection(senders),
        before,
        whose="",
        notices=notices,
        suggestions=suggestions,
        **around(MESSAGES, user),
    )


def _tab(store: Store, path: Mapping[str, str], query: Mapping[str, str], user: Any) -> Response:
    """Show the messages of a DAG, a run, a task or a task instance, in Airflow's tab of it."""
    dag_id, map_index = path["dag_id"], path.get("map_index", "")
    if not permitted({dag_id}, user):
        raise HTTPException(404)
    kinds = {"dag_id": "dags", "run_id": "runs", "task_id": "tasks"}
    parts = [part for name, kind in kinds.items() if name in path for part in (kind, path[name])]
    if map_index.isdecimal():  # of a task that is not mapped, Airflow leaves the placeholder as it is
        parts += ["mapped", map_index]
    filters = replace(
        Filters.read({"days": str(LONGEST_DAYS), **query}),
        dag="",
        recipient="",
        of="/".join([*parts, "messages"]),
    )
    selection = replace(
        filters.selection([dag_id]),
        run_id=path.get("run_id"),
        task_id=path.get("task_id"),
        map_index=int(map_index) if map_index.isdecimal() else None,
    )
    whose = path.get("task_id") or path.get("run_id") or dag_id
    before = instant(query.get("before"))
    return _list(store, filters, selection, before, whose=whose, notices=[], suggestions=[])


def _list(
    store: Store, filters: Filters, selection: Selection, before: float | None, **values: Any
) -> Response:
    since = _since(filters)
    counted_since = store.messages.start_of_newest(_MOST_LOOKED_AT, since=since, selection=selection)
    counts = store.messages.counts(since=counted_since, selection=selection)
    shown_since = since
    if filters.status:  # which must be looked up for each that might be shown
        shown_since = store.messages.start_of_newest(
            _MOST_LOOKED_AT, since=since, before=before, selection=selection
        )
    found = store.messages.recent(
        since=shown_since,
        before=before,
        status=filters.status or None,
        limit=_PAGE_ROWS + 1,
        selection=selection,
    )
    chosen = {name: value for name, value in filters.query().items() if name != "of"}
    end = older([message.entry.at for message in found], _PAGE_ROWS)
    return render(
        "messages.html",
        chosen={**chosen, "days": filters.days},
        is_filtered=filters.are_set,
        nothing=filters.describe(),
        periods=PERIODS,
        longest=LONGEST_DAYS,
        sources=SOURCES,
        counts=in_sequence(counts, _ORDER),
        all_counted=counted_since == since,
        most=_MOST_LOOKED_AT,
        rows=[_row(message, filters) for message in found[:_PAGE_ROWS]],
        first=before is None,
        older=end or (shown_since if shown_since > since else None),
        here=filters.list_path(before),
        all=Filters(of=filters.of).list_path(),
        search=page_path("messages"),
        link=filters.list_path,
        now=time.time(),
        refresh=REFRESH_SECONDS if before is None else None,
        **values,
    )


def _search(store: Store, text: str, source: str, user: Any) -> Response:
    """
    Lead to a message by its id, or to the messages of a source to a recipient.

    The number comes in the body of a request, which nobody logs; the address that it leads to holds its hash.
    """
    if not text:
        return RedirectResponse(page_path("messages"), 303)
    if _MESSAGE_ID.fullmatch(text) or _WHATSAPP_ID.fullmatch(text):
        name = text if _MESSAGE_ID.fullmatch(text) else short_id(text)
        entry = store.ledger.find(name)
        if entry is None or not permitted({entry.dag_id}, user):
            raise HTTPException(404)
        return RedirectResponse(page_path("messages", name_of(entry)), 303)
    kind = "group" if any(ch.isalpha() for ch in text) else "individual"  # user ids are read alike
    try:
        recipient = store.ledger.hash("recipient", canonical(text, kind))
    except D360RequestError as error:
        title, remedy = error.detail.title, error.detail.remedy
        raise NoticeError(400, f"This cannot be searched for: {title}", remedy) from None
    filters = Filters(recipient=recipient, days=LONGEST_DAYS, source=source if source in SOURCES else "")
    return RedirectResponse(filters.list_path(), 303)


def _row(message: LedgerMessage, filters: Filters) -> dict[str, Any]:
    entry, status = message.entry, message.status
    return {
        "entry": entry,
        "status": message.current,
        "explanation": explain(entry, status, time.time()),
        "doubt": is_doubtful(entry, status),
        "pricing": status if status and status.category else None,
        "link": page_path("messages", name_of(entry), query=filters.query()),
        "dag_link": dag_path(entry),
        "task_link": task_path(entry),
    }


def _since(filters: Filters) -> float:
    return time.time() - filters.days * _DAY_SECONDS

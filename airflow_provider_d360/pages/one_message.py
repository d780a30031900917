"""The page of one message: its statuses, what to do, and the buttons that settle it."""

from __future__ import annotations

import logging
import time
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from airflow_provider_d360.pages.access import NoticeError, permitted, read_form
from airflow_provider_d360.pages.addresses import dag_path, name_of, page_path, run_path, task_path
from airflow_provider_d360.pages.explanations import explain, explain_status, is_doubtful, next_send
from airflow_provider_d360.pages.filters import Filters, storable
from airflow_provider_d360.pages.navigation import ALERTS, MESSAGES, around
from airflow_provider_d360.pages.rendering import render
from airflow_provider_d360.pages.routing import REFRESH_SECONDS, SAME_ORIGIN, Pages
from airflow_provider_d360.store import Entry, Store
from airflow_provider_d360.store.entries import OLD_INTENT_SECONDS, is_unsettled

log = logging.getLogger(__name__)


def add_routes(pages: Pages) -> None:
    """
    Add the routes.

    :param pages: The pages.
    """

    @pages.router.get("/messages/{message:path}")
    async def one_message(request: Request, message: str, user: GetUserDep) -> Response:
        filters = Filters.read(request.query_params)
        return await pages.show(lambda store: _message(store, storable(message), filters, user))

    @pages.router.post("/messages/{message:path}", dependencies=SAME_ORIGIN)
    async def settle(request: Request, message: str, user: GetUserDep) -> Response:
        form, filters = await read_form(request), Filters.read(request.query_params)
        outcome = form.get("settle")
        return await pages.show(lambda store: _settle(store, storable(message), outcome, filters, user))


def find(store: Store, message: str, user: Any) -> Entry:
    """
    Find a message of a DAG that the user may read.

    :param store: The store.
    :param message: The short form of its id, or the id of its row.
    :param user: The user.
    :raises HTTPException: 404 if there is no such message.
    """
    entry = store.ledger.find(message)
    if entry is None or not permitted({entry.dag_id}, user):
        raise HTTPException(404)
    return entry


def _message(store: Store, message: str, filters: Filters, user: Any) -> Response:
    entry = find(store, message, user)
    history = store.statuses.history(entry.message_id) if entry.message_id else []
    current = store.statuses.current([entry.message_id]).get(entry.message_id) if entry.message_id else None
    now = time.time()
    return render(
        "message.html",
        **({} if filters.is_tab else around(ALERTS if filters.of else MESSAGES, user)),
        refresh=REFRESH_SECONDS,
        entry=entry,
        name=name_of(entry),
        status=current.status if current else entry.state.value,
        here=page_path("messages", name_of(entry), query=filters.query()),
        back=filters.list_path(),
        list_name=ALERTS.name if filters.of == "alerts" else MESSAGES.name,
        dag_link=dag_path(entry),
        run_link=run_path(entry),
        task_link=task_path(entry),
        explanation=explain(entry, current, now),
        own_explanation=None if history else explain(entry, None, now),
        doubt=is_doubtful(entry, current),
        next_send=next_send(entry),
        unsettled=is_unsettled(entry, now),
        may_settle=entry.dag_id in permitted({entry.dag_id}, user, "PUT"),
        history=[(status, explain_status(status)) for status in history],
        pricing=next((status for status in reversed(history) if status.category), None),
    )


def _settle(store: Store, message: str, outcome: str | None, filters: Filters, user: Any) -> Response:
    """Settle a message as sent or not sent, for a user who may edit the runs of its DAG."""
    entry = find(store, message, user)
    if entry.dag_id not in permitted({entry.dag_id}, user, "PUT"):
        raise NoticeError(
            403,
            "You may not settle this",
            "Nothing was changed. Ask somebody who may edit the runs of its Dag.",
        )
    if outcome not in ("sent", "not sent"):
        raise NoticeError(400, "That is no outcome", "Nothing was changed. Settle it as sent or as not sent.")
    # If somebody else was faster, the page shows what they chose.
    if store.ledger.resolve(entry.id, sent=outcome == "sent", older_than=time.time() - OLD_INTENT_SECONDS):
        log.info("Message %s was settled as %s by %s", entry.id, outcome, user.get_name())
    return RedirectResponse(page_path("messages", name_of(entry), query=filters.query()), 303)

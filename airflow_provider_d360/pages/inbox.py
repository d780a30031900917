"""The inbox: what people wrote to our numbers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Request, Response

from airflow_provider_d360.api.privacy import mask_number, short_id
from airflow_provider_d360.pages.access import NoticeError, may_read_inbox, permitted
from airflow_provider_d360.pages.addresses import name_of, page_path
from airflow_provider_d360.pages.filters import instant
from airflow_provider_d360.pages.lists import older
from airflow_provider_d360.pages.navigation import INBOX, around
from airflow_provider_d360.pages.rendering import render
from airflow_provider_d360.pages.routing import REFRESH_SECONDS, Pages
from airflow_provider_d360.store import InboxMessage, Store

_DAYS = 30
_DAY_SECONDS = 86_400
_PAGE_ROWS = 100
_TEXTS = (  # where a message of each type has its words
    *(("text", "body"), ("button", "text"), ("reaction", "emoji")),
    *(("image", "caption"), ("video", "caption"), ("document", "caption"), ("document", "filename")),
    *(("interactive", "button_reply", "title"), ("interactive", "list_reply", "title")),
    *(("interactive", "nfm_reply", "body"), ("location", "name"), ("system", "body")),
)


def add_routes(pages: Pages) -> None:
    """
    Add the route.

    :param pages: The pages.
    """

    @pages.router.get("/inbox")
    async def inbox(request: Request, user: GetUserDep) -> Response:
        if not may_read_inbox(user):
            raise NoticeError(
                403,
                "Not for you",
                "What people write is shown to those who may edit Dag runs. Ask for that right.",
            )
        before = instant(request.query_params.get("before"))
        return await pages.show(lambda store: _inbox(store, before, user))


def _inbox(store: Store, before: float | None, user: Any) -> Response:
    since = time.time() - _DAYS * _DAY_SECONDS
    found = store.inbox.recent(since=since, before=before, limit=_PAGE_ROWS + 1)
    end = older([message.received_at for message in found], _PAGE_ROWS)
    return render(
        "inbox.html",
        **around(INBOX, user),
        refresh=REFRESH_SECONDS if before is None else None,
        rows=[_row(store, message, user) for message in found[:_PAGE_ROWS]],
        first=before is None,
        here=page_path("inbox", query={"before": before}),
        newest=page_path("inbox"),
        older=page_path("inbox", query={"before": end}) if end else None,
        now=time.time(),
    )


def _row(store: Store, message: InboxMessage, user: Any) -> dict[str, Any]:
    return {
        "at": message.at or message.received_at,
        "sender": mask_number(message.sender or message.sender_user_id or ""),
        "type": message.type,
        "text": text_of(message.content),
        "reply_link": _reply_link(store, message.reply_to, user),
    }


def text_of(content: object) -> str:
    """
    Return the words of a message; an empty text if it has none.

    :param content: The message as it came.
    """
    for path in _TEXTS:
        value = content
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value:
            return value
    return ""


def _reply_link(store: Store, reply_to: str | None, user: Any) -> str | None:
    """Return the page of the message of ours that somebody has replied to, if the user may read it."""
    entry = store.ledger.find(short_id(reply_to)) if reply_to else None
    if entry is None or not permitted({entry.dag_id}, user):
        return None
    return page_path("messages", name_of(entry))

"""What every page shares: errors are pages too, and the store is read in a few threads of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.routing import APIRoute

from airflow_provider_d360.pages.access import NoticeError, require_runs, require_same_origin
from airflow_provider_d360.pages.addresses import login_path, page_path
from airflow_provider_d360.pages.rendering import render
from airflow_provider_d360.store import Store, StoreError

log = logging.getLogger(__name__)

REFRESH_SECONDS = 10
SAME_ORIGIN = [Depends(require_same_origin)]

_AT_ONCE = 4  # threads that may wait for the store; Airflow's own pages need the others
_NOTICES = {
    401: ("Log in first", "These pages are for people who are logged in to Airflow."),
    403: (
        "Not for you",
        "Airflow does not let you view Dag runs, and so not what they sent. Ask for the right to view them.",
    ),
    404: (
        "No such message",
        "The store of this API server knows none with this id, or you may not read the Dag that sent it.",
    ),
    503: (
        "The store is not available",
        "No message is lost by that. This page tries again every 10 seconds; the API server's log says why.",
    ),
}


class Pages:
    """
    The routes of the pages.

    :ivar router: Routes are added here, for people who may view DAG runs.
    :param open_store: Returns the store that the pages show. Called for each page; it may block and raise.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self.router = APIRouter(route_class=_PageRoute, dependencies=[Depends(require_runs)])
        self._open_store = open_store
        self._limiter = CapacityLimiter(_AT_ONCE)

    async def show(self, work: Callable[[Store], Response]) -> Response:
        """
        Make a page of the store.

        :param work: Returns the page; it may block.
        """
        return await to_thread.run_sync(partial(self._work, work), limiter=self._limiter)

    def _work(self, work: Callable[[Store], Response]) -> Response:
        try:
            store = self._open_store()
        except Exception as problem:  # noqa: BLE001 - of a secrets backend, or of the configuration
            log.warning("The store of the WhatsApp pages cannot be opened: %s", type(problem).__name__)
        else:
            try:
                return work(store)
            except StoreError as problem:
                log.warning("A WhatsApp page cannot be shown. %s", problem)
        raise HTTPException(503)


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
                back = page_path("messages")
                return render(
                    "notice.html",
                    problem.status,
                    title=problem.title,
                    text=problem.text,
                    login=None,
                    back=back,
                )

        return respond


def _notice(request: Request, status: int) -> Response:
    title, text = _NOTICES.get(status, ("That did not work", ""))
    here = request.url.path.removeprefix(request.scope.get("root_path", "")).strip("/")
    login = None
    if status == 401:
        login = login_path(page_path(*here.split("/"), query=request.query_params))
    refresh = REFRESH_SECONDS if status == 503 else None
    back = page_path("messages") if status == 404 else None
    return render("notice.html", status, title=title, text=text, login=login, back=back, refresh=refresh)

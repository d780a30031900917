"""The receiver's routes in the API server: added as soon as the configuration allows it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from airflow_provider_d360.receiver.settings import SettingsError
from airflow_provider_d360.urls import URL_PREFIX

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0


async def mount(router: Router, make_routes: Callable[[], list[BaseRoute]]) -> None:
    """
    Add routes to a router, or, while they cannot be made, one that tries again when it is requested.

    :param router: The router of the mounted application. Routes that it has stay.
    :param make_routes: Makes the routes. Runs in a thread.
    """
    late = _LateRoutes(router, make_routes)
    if not await late.add():
        router.routes.append(late.route)


class _LateRoutes:
    """
    Replaces the routes while something is missing, such as a connection: responds 503, and tries to add them.

    It tries at a request, at most every 5 seconds, one at a time.

    :ivar route: The route that replaces them.
    :param router: The router that gets the routes.
    :param make_routes: Makes the routes. Runs in a thread.
    """

    def __init__(self, router: Router, make_routes: Callable[[], list[BaseRoute]]) -> None:
        self.route = Route("/{path:path}", self, methods=["GET", "POST"])
        self._router = router
        self._make_routes = make_routes
        self._adding: asyncio.Task[bool] | None = None
        self._tried_at = 0.0
        self._problem = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._adding is None and time.monotonic() - self._tried_at >= RETRY_SECONDS:
            self._adding = asyncio.create_task(self.add())
        if self._adding is not None and await asyncio.shield(self._adding):
            await self._router(scope, receive, send)
            return
        text = "The 360dialog webhook is not set up; the log of the API server says why."
        await Response(text, 503)(scope, receive, send)

    async def add(self) -> bool:
        """Add the routes and return True; if they cannot be made, log why and return False."""
        try:
            routes = await asyncio.to_thread(self._make_routes)
        except Exception as error:  # noqa: BLE001 - whatever is wrong, the rest of Airflow must work
            self._log(error)
            return False
        finally:
            self._tried_at, self._adding = time.monotonic(), None
        self._router.routes[:] = [route for route in self._router.routes if route is not self.route] + routes
        log.info("The 360dialog webhook accepts deliveries at %s/webhook", URL_PREFIX)
        return True

    def _log(self, error: Exception) -> None:
        """Log a problem when it is new: this is tried again for as long as it lasts."""
        problem = str(error) if isinstance(error, SettingsError) else type(error).__name__
        if problem != self._problem:
            log.error("The 360dialog webhook accepts no deliveries (503) yet: %s", problem)
        self._problem = problem

"""
Mounts the receiver in Airflow's API server under ``/d360``, when ``[d360] webhook_enabled`` says so.

Every process of Airflow imports this module, so nothing else of this package, and no FastAPI, may be
imported at its top.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

try:
    from airflow.sdk.plugins_manager import AirflowPlugin
except ImportError:  # before 3.2
    from airflow.plugins_manager import AirflowPlugin  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from starlette.routing import BaseRoute

URL_PREFIX = "/d360"


def wanted() -> bool:
    """Say whether this process is to take deliveries: an API server, with the webhook switched on."""
    if sys.argv[1:2] != ["api-server"]:
        return False
    from airflow.configuration import conf

    return conf.getboolean("d360", "webhook_enabled", fallback=False)


def build_app() -> FastAPI:
    """
    Make an application whose routes come when it starts: only then can connections be looked up.

    Airflow starts FastAPI applications only, but its request handling costs more than half of what one core
    can do, so the routes are plain ones.
    """
    from contextlib import asynccontextmanager

    from fastapi import FastAPI

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        import asyncio
        import gc

        app.router.routes.extend(await asyncio.to_thread(_routes))
        gc.collect()
        gc.freeze()  # searching all that Airflow imported stops every request for half a second
        yield

    return FastAPI(
        title="360dialog webhook",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )


def _routes() -> list[BaseRoute]:
    """Make the receiver's routes; if it must not start, say why, and let the rest of Airflow live."""
    import logging

    from starlette.responses import Response
    from starlette.routing import Route

    from airflow_provider_d360.webhook.settings import SettingsError, configured_routes

    log = logging.getLogger(__name__)
    try:
        return configured_routes(pages=True)
    except SettingsError as problem:
        log.error("The 360dialog webhook takes no deliveries: %s", problem)
    except Exception:
        log.exception("The 360dialog webhook takes no deliveries")

    async def unavailable(request: object) -> Response:
        return Response("The 360dialog webhook is not set up; the API server's log says why.", 503)

    return [Route("/{path:path}", unavailable, methods=["GET", "POST"])]


def messages_view() -> dict[str, str]:
    """Describe the page for Airflow's menu; Airflow may live below a path of its own."""
    from urllib.parse import urlsplit

    from airflow.configuration import conf

    base_path = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return {
        "name": "WhatsApp messages",
        "href": f"{base_path}{URL_PREFIX}/messages",
        "destination": "nav",
        "category": "browse",
        "url_route": "whatsapp-messages",
    }


class D360Plugin(AirflowPlugin):
    """What Airflow is given; nothing at all in processes that do not take deliveries."""

    name = "d360"
    fastapi_apps = (
        [{"app": build_app(), "url_prefix": URL_PREFIX, "name": "360dialog webhook"}] if wanted() else []
    )
    external_views = [messages_view()] if fastapi_apps else []

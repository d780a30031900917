"""
Mounts the pages, and with ``[d360] webhook_enabled`` the receiver, in Airflow's API server under ``/d360``.

With ``[d360] alert_to``, it also listens for broken DAG files, in the DAG processor.
Every process of Airflow imports this module, so nothing heavy, and no FastAPI, may be imported at its top.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

try:
    from airflow.sdk.plugins_manager import AirflowPlugin
except ImportError:  # before 3.2
    from airflow.plugins_manager import AirflowPlugin  # type: ignore[assignment]

from airflow_provider_d360.urls import URL_PREFIX, VIEW_ROUTE, base_path, messages_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from starlette.routing import Router

log = logging.getLogger(__name__)

_SERVER_MODULE = "airflow.api_fastapi.main"  # what every way to start an API server imports
_TABS = {  # Airflow fills in what stands in braces, and leaves the index of a task that is not mapped
    "dag": "/dags/{DAG_ID}",
    "dag_run": "/dags/{DAG_ID}/runs/{RUN_ID}",
    "task": "/dags/{DAG_ID}/tasks/{TASK_ID}",
    "task_instance": "/dags/{DAG_ID}/runs/{RUN_ID}/tasks/{TASK_ID}/mapped/{MAP_INDEX}",
}


def is_api_server() -> bool:
    """
    Return True if this process is an API server.

    That is ``airflow api-server``, also one that ``airflow standalone`` starts, with all its workers, and
    any other server (uvicorn, gunicorn, ``fastapi run``) of ``airflow.api_fastapi.main:app``.
    """
    return sys.argv[1:2] == ["api-server"] or _SERVER_MODULE in sys.modules


def receives() -> bool:
    """Return True if the receiver is mounted in API servers; logs it if not."""
    from airflow.configuration import conf

    enabled = conf.getboolean("d360", "webhook_enabled", fallback=False)
    if not enabled:
        log.info("The 360dialog webhook is not mounted: [d360] webhook_enabled is False")
    return enabled


def build_app() -> FastAPI:
    """
    Make an application whose routes are added when it starts: only then can connections be looked up.

    Airflow starts FastAPI applications only, but FastAPI's request handling costs more than half of what one
    core can do, so the receiver's routes are Starlette's.
    """
    from contextlib import asynccontextmanager

    from fastapi import FastAPI

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await _add_routes(app.router)
        yield

    return FastAPI(
        title="360dialog",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )


async def _add_routes(router: Router) -> None:
    """Add the pages, which open the store when they are requested, and the receiver if it is enabled."""
    from functools import cache

    from airflow_provider_d360.receiver.alert_delivery import deliver_alerts
    from airflow_provider_d360.receiver.mounting import mount
    from airflow_provider_d360.receiver.settings import configured_routes, open_store

    store = cache(open_store)  # an error is not kept, so it is tried again
    try:
        from airflow_provider_d360.pages.routes import page_routes

        router.routes.extend(page_routes(store))
    except Exception as error:  # noqa: BLE001 - it needs names of Airflow's API; the rest must work without
        log.error("The pages about WhatsApp are not served: %s", type(error).__name__)
    if receives():
        await mount(router, lambda: configured_routes(store=store()))
        deliver_alerts(store)


def views() -> list[dict[str, str]]:
    """Return the entry in Airflow's menu, and the tabs of DAGs, runs, tasks and task instances."""
    look = {"name": "WhatsApp", "icon": _icon("%23161d2d"), "icon_dark_mode": _icon("%23f8fafd")}
    menu = {"href": messages_path(), "destination": "nav", "category": "browse", "url_route": VIEW_ROUTE}
    tabs = [
        {
            "href": f"{base_path()}{URL_PREFIX}{path}/messages",
            "destination": destination,
            "url_route": f"{VIEW_ROUTE}-{destination.replace('_', '-')}",
        }
        for destination, path in _TABS.items()
    ]
    return [{**look, **view} for view in (menu, *tabs)]


def _icon(colour: str) -> str:
    """Draw a speech bubble, as an address that needs no request."""
    shape = "%3Cpath d='M4 4h16v12H9l-5 4z' fill='none' stroke-width='2' stroke-linejoin='round'"
    return (
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E"
        f"{shape} stroke='{colour}'/%3E%3C/svg%3E"
    )


def is_served() -> bool:
    """Return True if this process is an API server that can use the store; it logs the reason if not."""
    if not is_api_server():
        return False
    from airflow_provider_d360.compat import has_store

    if not has_store():
        log.warning("WhatsApp messages and the 360dialog webhook are not served: they need SQLAlchemy 2.0")
        return False
    return True


def listeners() -> list[object]:
    """
    Return the listener for broken DAG files, in the DAG processor, if ``[d360]`` asks for alerts about them.

    Other processes get none, because Airflow refuses some DAGs where there is a listener.
    """
    if sys.argv[1:2] != ["dag-processor"]:
        return []
    from airflow_provider_d360.notifications.configured import BROKEN_DAG_FILES, alert_settings

    settings = alert_settings()
    if settings is None or BROKEN_DAG_FILES not in settings.events:
        return []
    from airflow_provider_d360.notifications import dag_files

    return [dag_files]


class D360Plugin(AirflowPlugin):
    """What Airflow loads; empty in processes that neither serve pages nor read DAG files."""

    name = "d360"
    fastapi_apps = (
        [{"app": build_app(), "url_prefix": URL_PREFIX, "name": "360dialog"}] if is_served() else []
    )
    external_views = views() if fastapi_apps else []
    listeners = listeners()

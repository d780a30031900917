"""
All pages, in Airflow's API server, for those who may view DAG runs.

Importing this module imports Airflow's API, so nothing but its server may do so.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from airflow_provider_d360.pages import alerts, campaigns, inbox, messages, one_message, questions
from airflow_provider_d360.pages.rendering import ASSETS, asset
from airflow_provider_d360.pages.routing import Pages
from airflow_provider_d360.store import Store


def page_routes(open_store: Callable[[], Store]) -> list[BaseRoute]:
    """
    Make the routes of the pages. Whatever may block runs in a few threads of their own.

    :param open_store: Returns the store that the pages show. Called for each page; it may block and raise.
    """
    pages = Pages(open_store)
    for module in (messages, one_message, alerts, campaigns, questions, inbox):
        module.add_routes(pages)
    return [*pages.router.routes, *(Route(f"/static/{name}", _asset) for name in ASSETS)]


async def _asset(request: Request) -> Response:
    return asset(request.url.path.rpartition("/")[2])

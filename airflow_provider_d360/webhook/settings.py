"""How the section ``[d360]`` of Airflow's configuration and its connections set the receiver up."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf

from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.hooks.connections import webhook_login
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.webhook.admission import Admission
from airflow_provider_d360.webhook.app import MAX_BODY_BYTES, routes

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute


log = logging.getLogger(__name__)


class SettingsError(Exception):
    """The receiver cannot start like this; the text says what to set."""


def get_connection(conn_id: str) -> Any:
    """Look a connection up outside of tasks: in the environment, the secrets backend, Airflow's database."""
    from airflow.models.connection import Connection

    return Connection.get_connection_from_secrets(conn_id)


def configured_routes(
    conn_ids: Sequence[str] | None = None, store: Store | None = None, *, pages: bool = False
) -> list[BaseRoute]:
    """
    Make the receiver's routes as configured.

    :param conn_ids: Connections whose webhook user and password are accepted, instead of the configured ones.
    :param store: The store, instead of the configured one.
    :param pages: Whether people get the pages about messages too, which only Airflow's API server can serve.
    :raises SettingsError: when something is wrong, first of all when no credentials are configured.
    """
    from airflow.exceptions import AirflowConfigException
    from airflow.sdk.exceptions import AirflowException

    if conn_ids is None:
        conn_ids = conf.get("d360", "webhook_conn_ids", fallback="d360_default").split(",")
    secret = conf.get("d360", "webhook_platform_secret", fallback="").strip() or None
    try:
        credentials = [*_logins(conn_ids), *_configured_headers()]
        store = store or configured_store(get_connection)
        made = routes(
            store,
            Admission(credentials, secret),
            conf.getint("d360", "webhook_max_body_bytes", fallback=MAX_BODY_BYTES),
        )
    except D360Error as problem:
        raise SettingsError(problem.refusal.title) from None
    except (AirflowException, AirflowConfigException, ValueError) as problem:
        raise SettingsError(str(problem)) from None
    if pages:
        from airflow_provider_d360.webhook.page import page_routes

        made += page_routes(store)
    return made


def configured_app() -> Starlette:
    """
    Make the receiver as configured, for any ASGI server.

    ``uvicorn --factory airflow_provider_d360.webhook.settings:configured_app``
    """
    from starlette.applications import Starlette

    return Starlette(routes=configured_routes())


def _logins(conn_ids: Sequence[str]) -> Iterator[Mapping[str, str]]:
    for conn_id in filter(None, map(str.strip, conn_ids)):
        if login := webhook_login(get_connection(conn_id)):
            yield login
        else:
            log.warning("Connection %r has no webhook_username: its deliveries are not taken", conn_id)


def _configured_headers() -> list[Mapping[str, str]]:
    """Read ``webhook_headers``: one JSON object, or a list of them; its text is secret."""
    text = conf.get("d360", "webhook_headers", fallback="").strip()
    if not text:
        return []
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    sets = given if isinstance(given, list) else [given]
    for headers in sets:
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise SettingsError("[d360] webhook_headers must be a JSON object of header names and values")
    return sets

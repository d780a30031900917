"""The account of a bot, with which answers go back to Airflow: ``[d360] airflow_conn_id``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_d360.compat import conf
from airflow_provider_d360.transport.airflow_api import AirflowApi
from airflow_provider_d360.urls import base_url


class AirflowAccountError(ValueError):
    """The connection of ``[d360] airflow_conn_id`` lacks something. It quotes nothing."""


def is_account_configured() -> bool:
    """Return whether answers can go back to Airflow."""
    return bool(_conn_id())


def configured_account(get_connection: Callable[[str], Any]) -> AirflowApi | None:
    """
    Return Airflow's API with the bot's account; None without ``[d360] airflow_conn_id``.

    :param get_connection: Returns the connection with an id.
    :raises AirflowAccountError: The connection has no user or no password, or nobody says where Airflow is.
    """
    conn_id = _conn_id()
    if not conn_id:
        return None
    connection = get_connection(conn_id)
    url = _url(connection)
    if not connection.login or not connection.password or not url:
        raise AirflowAccountError(
            f"Connection {conn_id!r} of [d360] airflow_conn_id needs a host, unless [api] base_url is set, a "
            "login and a password"
        )
    return AirflowApi(url, connection.login, connection.password)


def _conn_id() -> str:
    return str(conf.get("d360", "airflow_conn_id", fallback="") or "").strip()


def _url(connection: Any) -> str:
    host = (connection.host or "").strip().rstrip("/")
    if not host:
        return base_url()
    if "://" in host:
        return str(host)
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{host}{port}"

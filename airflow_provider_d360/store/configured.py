"""The store that the section ``[d360]`` of Airflow's configuration names."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from airflow.configuration import AIRFLOW_HOME, conf
from airflow.sdk import BaseHook
from sqlalchemy import URL

from airflow_provider_d360.store.store import Store

# Of a PostgreSQL connection's extras, those that the driver needs to connect.
_DRIVER_EXTRAS = frozenset(
    {"sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs", "connect_timeout", "options"}
    | {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
_DAY_SECONDS = 86_400


class _Connection(Protocol):
    """What is read of Airflow's two connection classes, the SDK's and the API server's."""

    conn_id: str
    conn_type: str
    host: str | None
    schema: str | None
    login: str | None
    password: str | None
    port: int | None
    extra: Any  # read without Airflow's extra_dejson, which may not be asked in an event loop


def configured_store(
    get_connection: Callable[[str], Any] = BaseHook.get_connection, url: str | None = None
) -> Store:
    """
    Make the store of ``[d360] store_conn_id``, or else that of ``store_path``. It is not opened yet.

    :param get_connection: How to look a connection up here; tasks have their own way.
    :param url: Another database than the configured one.
    :raises ValueError: when the connection is not one to a database that can be the store.
    """
    synchronous = conf.get("d360", "store_synchronous", fallback="NORMAL").strip().upper()
    if url is not None:
        return Store(url, synchronous=synchronous)
    conn_id = conf.get("d360", "store_conn_id", fallback="").strip()
    if conn_id:
        return Store(store_url(get_connection(conn_id)), synchronous=synchronous)
    path = conf.get("d360", "store_path", fallback="").strip() or Path(AIRFLOW_HOME, "d360.sqlite")
    return Store(URL.create("sqlite", database=str(path)), synchronous=synchronous)


def store_url(connection: _Connection) -> URL:
    """
    Turn a connection into the URL of a database.

    :raises ValueError: when it is not of type ``postgres``, or ``sqlite`` with a path.
    """
    if connection.conn_type in ("postgres", "postgresql"):
        given = connection.extra or {}
        given = json.loads(given) if isinstance(given, str) else given
        extras = {name: str(value) for name, value in given.items() if name in _DRIVER_EXTRAS}
        return URL.create(
            "postgresql",
            connection.login or None,
            connection.password or None,
            connection.host or None,
            connection.port,
            connection.schema or None,
            extras,
        )
    if connection.conn_type == "sqlite" and connection.host:
        return URL.create("sqlite", database=connection.host)
    raise ValueError(
        f"Connection {connection.conn_id!r} cannot be the store: it must be of type postgres, or sqlite with "
        "a path as its host"
    )


def purge(store: Store, days: float | None = None) -> dict[str, int]:
    """
    Forget what is older than some days, by default ``[d360] store_retention_days``; return what was removed.

    :raises ValueError: when that is less than nothing.
    """
    if days is None:
        days = conf.getfloat("d360", "store_retention_days", fallback=30.0)
    if not days >= 0:
        raise ValueError(f"Days must not be negative, and this is {days}")
    return store.purge(time.time() - days * _DAY_SECONDS)

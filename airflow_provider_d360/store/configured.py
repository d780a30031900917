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
    extra: Any  # Airflow's extra_dejson cannot be used in an event loop


def configured_store(
    get_connection: Callable[[str], Any] = BaseHook.get_connection,
    url: str | None = None,
    *,
    retry_seconds: float = 3.0,
) -> Store:
    """
    Make the store of ``[d360] store_conn_id``, or else of ``store_path``. It is not opened yet.

    :param get_connection: Returns the connection with an id; by default in the way that works in tasks.
    :param url: The URL of a database to use instead of the configured one.
    :param retry_seconds: How long it retries while the database is locked or away.
    :raises ValueError: The connection is to no database that can be the store.
    """
    synchronous = conf.get("d360", "store_synchronous", fallback="NORMAL").strip().upper()
    if url is not None:
        return Store(url, synchronous=synchronous, retry_seconds=retry_seconds)
    conn_id = conf.get("d360", "store_conn_id", fallback="").strip()
    if conn_id:
        url_of_connection = store_url(get_connection(conn_id))
        return Store(url_of_connection, synchronous=synchronous, retry_seconds=retry_seconds)
    path = conf.get("d360", "store_path", fallback="").strip() or Path(AIRFLOW_HOME, "d360.sqlite")
    file = URL.create("sqlite", database=str(path))
    return Store(file, synchronous=synchronous, retry_seconds=retry_seconds)


def store_url(connection: _Connection, use: str = "the store") -> URL:
    """
    Return the URL of the database of a connection.

    :param connection: An Airflow connection. Of its extras, those that the driver needs are used.
    :param use: What the database is used for, for the error.
    :raises ValueError: It is not of type ``postgres``, or ``sqlite`` with a path as its host.
    """
    if connection.conn_type in ("postgres", "postgresql"):
        extra = _extra(connection)
        extras = {name: str(value) for name, value in extra.items() if name in _DRIVER_EXTRAS}
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
        f"Connection {connection.conn_id!r} cannot be {use}: it must be of type postgres, or sqlite with "
        """the path as its host, such as {"conn_type": "sqlite", "host": "/data/shop.db"}"""
    )


def _extra(connection: _Connection) -> dict[str, Any]:
    extra = connection.extra or {}
    try:
        extra = json.loads(extra) if isinstance(extra, str) else extra
    except ValueError:  # it holds the whole text
        extra = None
    if not isinstance(extra, dict):
        raise ValueError(
            f"Connection {connection.conn_id!r} cannot be the store: its extra is no JSON object"
        )
    return extra


def purge(store: Store, days: float | None = None) -> dict[str, int]:
    """
    Delete rows older than a number of days, and return the number of deleted rows by table.

    The age is measured with this machine's clock. If that shows more than a year later than at the last
    purge, nothing is deleted for 12 hours. While it is ahead by less, rows are deleted too early: the data
    cannot show that, because a store that was quiet for a month looks the same.

    :param store: The store.
    :param days: How many days to keep, 0 or more; ``[d360] store_retention_days`` by default. The ledger is
        kept for ``[d360] ledger_retention_days``, 365 by default, whatever this is.
    :raises ValueError: ``days`` is negative or not a number.
    :raises ClockError: The clock may be years ahead; nothing was deleted.
    """
    if days is None:
        days = conf.getfloat("d360", "store_retention_days", fallback=30.0)
    ledger_days = conf.getfloat("d360", "ledger_retention_days", fallback=365.0)
    for given in (days, ledger_days):
        if not given >= 0:
            raise ValueError(f"The days to keep must not be negative, but are {given}. Set 0 or more.")
    store.check_clock()
    now = time.time()
    return store.purge(now - days * _DAY_SECONDS, now - ledger_days * _DAY_SECONDS)

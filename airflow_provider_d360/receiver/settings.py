"""The receiver as the section ``[d360]`` of Airflow's configuration and the connections describe it."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.configuration import conf

from airflow_provider_d360 import metrics
from airflow_provider_d360.alerts.announcements import configured_notify
from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.opt_outs import START_WORDS, STOP_WORDS, Keywords, keywords
from airflow_provider_d360.api.privacy import explain
from airflow_provider_d360.hooks.connections import webhook_login
from airflow_provider_d360.receiver.admission import Admission
from airflow_provider_d360.receiver.app import MAX_BODY_BYTES, routes
from airflow_provider_d360.receiver.credentials import Credentials
from airflow_provider_d360.receiver.desk import background_desk
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.configured import configured_store

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute


T = TypeVar("T")
DEFAULT_WORDS = "default"
log = logging.getLogger(__name__)


class SettingsError(Exception):
    """The receiver cannot start with this configuration; the text says what to set."""


def get_connection(conn_id: str) -> Any:
    """
    Look a connection up outside of tasks: in the environment, the secrets backend, Airflow's database.

    :param conn_id: The id of the connection.
    :raises AirflowNotFoundException: if it does not exist.
    """
    from airflow.models.connection import Connection

    return Connection.get_connection_from_secrets(conn_id)


def open_store() -> Store:
    """
    Make the configured store.

    :raises SettingsError: if its connection or address cannot be used.
    """
    return _or_settings_error(lambda: configured_store(get_connection))


def configured_conn_ids() -> list[str]:
    """Return the connections whose webhook user and password are accepted (``[d360] webhook_conn_ids``)."""
    conn_ids = conf.get("d360", "webhook_conn_ids", fallback="d360_default").split(",")
    return [conn_id.strip() for conn_id in conn_ids if conn_id.strip()]


def configured_routes(conn_ids: Sequence[str] | None = None, store: Store | None = None) -> list[BaseRoute]:
    """
    Make the receiver's routes as configured.

    :param conn_ids: Connections whose webhook user and password are accepted. Default: the configured ones.
    :param store: The store. Default: the configured one.
    :raises SettingsError: if something is wrong, first of all if there are no credentials.
    """
    store = store or open_store()
    return _or_settings_error(
        lambda: routes(
            store,
            Credentials(_Lookup(configured_conn_ids() if conn_ids is None else conn_ids)),
            max_body_bytes=conf.getint("d360", "webhook_max_body_bytes", fallback=MAX_BODY_BYTES),
            address_header=conf.get("d360", "webhook_address_header", fallback="").strip() or None,
            notify=configured_notify(),
            measures=metrics.is_enabled(),
            words=configured_keywords(),
            desk=background_desk(store, get_connection),
        )
    )


def configured_keywords() -> Keywords:
    """
    Return the words by which people opt out and in: ``[d360] stop_words`` and ``start_words``.

    :raises SettingsError: ``stop_scope`` is neither ``marketing`` nor ``all``.
    """
    scope = conf.get("d360", "stop_scope", fallback="marketing").strip().lower()
    if scope not in ("marketing", "all"):
        raise SettingsError(f"[d360] stop_scope must be marketing or all, not {scope!r}")
    stop, start = (
        conf.get("d360", name, fallback=DEFAULT_WORDS).strip() for name in ("stop_words", "start_words")
    )
    return keywords(_words(stop, STOP_WORDS), _words(start, START_WORDS), stops_everything=scope == "all")


def _words(setting: str, defaults: Mapping[str, Sequence[str]]) -> list[str]:
    """Read a list of words; the word ``default`` adds this package's own list."""
    words = [word.strip() for word in setting.split(",")]
    return [
        each
        for word in words
        for each in (itertools.chain(*defaults.values()) if word.lower() == DEFAULT_WORDS else [word])
    ]


def configured_app() -> Starlette:
    """
    Make the receiver as configured, for any ASGI server.

    ``uvicorn --factory airflow_provider_d360.receiver.settings:configured_app``
    """
    from starlette.applications import Starlette

    return Starlette(routes=configured_routes())


class _Lookup:
    """
    Reads the accepted credentials: of the connections, and of ``[d360] webhook_headers``.

    A connection that was read before and is not found now keeps its last known credentials: Airflow reports a
    connection as missing also while its database is unavailable.

    :param conn_ids: The connections.
    """

    def __init__(self, conn_ids: Sequence[str]) -> None:
        self._conn_ids = [conn_id.strip() for conn_id in conn_ids if conn_id.strip()]
        self._known: dict[str, Mapping[str, str]] = {}
        self._problems: dict[str, str] = {}

    def __call__(self) -> Admission:
        """
        Look all connections up.

        :raises NoCredentialsError: if no credentials are found.
        """
        secret = conf.get("d360", "webhook_platform_secret", fallback="").strip() or None
        return Admission([*self._logins(), *_configured_headers()], secret)

    def _logins(self) -> Iterator[Mapping[str, str]]:
        for conn_id in self._conn_ids:
            self._warn(conn_id, self._read(conn_id))
            if login := self._known.get(conn_id):
                yield login

    def _read(self, conn_id: str) -> str:
        """Read a connection into the known ones; return what is wrong with it, or an empty text."""
        from airflow_provider_d360.compat import AirflowNotFoundException

        try:
            self._known[conn_id] = webhook_login(get_connection(conn_id))
        except (D360Error, AirflowNotFoundException) as error:
            if len(self._conn_ids) == 1 and not self._known:
                raise
            title = error.detail.title if isinstance(error, D360Error) else str(error)
            return f"{title}. Its deliveries are accepted only with credentials that were found before"
        if not self._known[conn_id]:
            return f"Connection {conn_id!r} has no webhook_username: its deliveries are rejected"
        return ""

    def _warn(self, conn_id: str, problem: str) -> None:
        """Log a problem when it is new: connections are looked up often."""
        if problem and self._problems.get(conn_id) != problem:
            log.warning("%s", problem)
        self._problems[conn_id] = problem


def _or_settings_error(work: Callable[[], T]) -> T:
    from airflow.exceptions import AirflowConfigException
    from airflow.sdk.exceptions import AirflowException

    try:
        return work()
    except D360Error as error:
        problem = error.detail.title
    except AirflowConfigException as error:  # it quotes the value
        problem = f"[d360] in Airflow's configuration: {explain(error)}"
    except (AirflowException, ValueError) as error:
        problem = str(error)
    raise SettingsError(problem)


def _configured_headers() -> list[Mapping[str, str]]:
    """Read ``[d360] webhook_headers``: one JSON object, or a list of them; its text is secret."""
    text = conf.get("d360", "webhook_headers", fallback="").strip()
    if not text:
        return []
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    sets = value if isinstance(value, list) else [value]
    for headers in sets:
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise SettingsError("[d360] webhook_headers must be a JSON object of header names and values")
    return sets

"""From an Airflow connection, in any spelling, to settings; a wrong field is an error that names it."""

from __future__ import annotations

import base64
import json
import logging
import math
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Protocol

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from airflow_provider_d360.api.checks.values import absent
from airflow_provider_d360.api.errors import (
    D360AuthError,
    D360RequestError,
    D360UnavailableError,
    ErrorDetail,
)
from airflow_provider_d360.api.hosting import CLOUD, HOSTINGS, ON_PREMISE, Hosting
from airflow_provider_d360.api.privacy import readable
from airflow_provider_d360.api.recipients import check_region
from airflow_provider_d360.api.restrictions import Restriction, read_restriction
from airflow_provider_d360.compat import AirflowNotFoundException, get_connection_async
from airflow_provider_d360.transport.client import Transport
from airflow_provider_d360.transport.settings import ConnectionSettings

log = logging.getLogger(__name__)

_EXTRAS = (
    "hosting",
    "timeout_seconds",
    "max_attempts",
    "messages_per_second",
    "incoming_share",
    "default_region",
    "only_to",
    "redirect_to",
    "webhook_username",
    "webhook_password",
)


class _Connection(Protocol):
    """The fields that are read of Airflow's two connection classes, the SDK's and the API server's."""

    conn_id: str
    host: str | None
    password: str | None
    port: int | None
    extra: Any  # a string; on Airflow 3.1 and 3.2, a dict if it comes from a URI


def read_settings(connection: _Connection) -> ConnectionSettings:
    """
    Read the settings from a connection.

    :param connection: The connection.
    :raises D360AuthError: when the password is not a usable API key.
    :raises D360RequestError: when another field is wrong; the error names it.
    """
    extras = _read_extras(connection)
    hosting = _hosting(connection, extras)
    try:
        return ConnectionSettings(
            hosting=hosting,
            api_key=_key(connection),
            base_url=_base_url(connection) or hosting.base_url,
            timeout_seconds=_number(
                connection, extras, "timeout_seconds", default=30.0, least=0.1, most=600.0
            ),
            max_attempts=int(
                _number(connection, extras, "max_attempts", default=3, least=1, most=10, whole=True)
            ),
            messages_per_second=_number(
                connection, extras, "messages_per_second", default=80.0, least=0.01, most=1000.0
            ),
            incoming_share=_number(connection, extras, "incoming_share", default=0.1, least=0.0, most=0.9),
            default_region=_region(connection, extras),
            restriction=_restriction(connection, extras),
            webhook_secrets=_webhook_secrets(extras),
        )
    except ValueError as problem:  # urllib's, of a host such as http://[::1
        why = readable(str(problem))  # it may quote a login
    raise _wrong(connection, "host", f"cannot be read: {why}")


def open_transport(connection: _Connection) -> Transport:
    """
    Make the transport of a connection. It opens nothing before its first call.

    :param connection: The connection.
    :raises D360AuthError: when the password is not a usable API key.
    :raises D360RequestError: when another field is wrong; the error names it.
    """
    settings = read_settings(connection)
    if settings.hosting is ON_PREMISE:
        _warn_of_on_premise()
    if settings.restriction is not None:
        log.warning("Connection %r is restricted: %s.", connection.conn_id, settings.restriction)
    return Transport(settings)


def find_connection(conn_id: str) -> Any:
    """
    Look a connection up.

    :param conn_id: Its id.
    :raises D360UnavailableError: when Airflow does not find it; retries apply, as for any other connection.
    """
    with suppress(AirflowNotFoundException):
        return BaseHook.get_connection(conn_id)
    raise _missing(conn_id)


async def afind_connection(conn_id: str) -> Any:
    """
    Do the same as :func:`find_connection` without blocking the event loop.

    :param conn_id: The id of the connection.
    """
    with suppress(AirflowNotFoundException):
        return await get_connection_async(conn_id)
    raise _missing(conn_id)


def _missing(conn_id: str) -> D360UnavailableError:
    title = f"Connection {conn_id!r} is not defined, or the secrets backend that holds it does not respond"
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    remedy = f"Add it in Airflow (Admin, Connections) with the number's API key, or set {variable}."
    return D360UnavailableError(ErrorDetail(title, remedy))


@cache
def _warn_of_on_premise() -> None:
    log.warning(
        "Meta switched the on-premise API off in October 2025: move this number to the cloud hosting."
    )


def end_of(budget_seconds: float | None) -> float | None:
    """
    Return when a budget of time that begins now is over, on the monotonic clock.

    :param budget_seconds: The budget; None for none.
    :raises ValueError: when it is no number.
    """
    if budget_seconds is None:
        return None
    if math.isnan(budget_seconds):  # whatever is compared with it counts as later
        raise ValueError("budget_seconds is no number (nan)")
    return time.monotonic() + budget_seconds


def webhook_login(connection: _Connection) -> dict[str, str]:
    """
    Return the ``Authorization`` header of the webhook, or no header when the connection has no webhook user.

    :param connection: The connection.
    :raises D360RequestError: when only one of user and password is set, or the user holds a colon.
    """
    extras = _read_extras(connection)
    username, password = extras.get("webhook_username"), extras.get("webhook_password")
    if not username and not password:
        return {}
    for name, value in (("webhook_username", username), ("webhook_password", password)):
        if not value:
            raise _wrong(connection, name, "is empty while its partner is set; set both or none")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _wrong(connection, name, f"must be a text, not {type(value).__name__}")
    if ":" in str(username):
        raise _wrong(connection, "webhook_username", "holds a colon, which Basic authorization cannot carry")
    return {"Authorization": f"Basic {_basic(username, password)}"}


def webhook_headers(connection: _Connection, headers: Mapping[str, str] | None) -> dict[str, str]:
    """
    Return the headers of the webhook: the caller's headers, and the connection's webhook login.

    From now on, Airflow masks their values in the logs of this process.

    :param connection: The connection.
    :param headers: The caller's headers.
    :raises D360RequestError: when the login is given a second time, or Basic authorization by hand.
    """
    if not isinstance(headers, Mapping | None):
        raise D360RequestError(ErrorDetail("headers is no mapping", "Give a dict of names and values."))
    texts = {str(name): _header(str(name), value) for name, value in (headers or {}).items()}
    login = webhook_login(connection)
    by_hand = next((value for name, value in texts.items() if name.lower() == "authorization"), None)
    if by_hand is not None and (login or by_hand.lower().startswith("basic")):
        title = f"headers hold Authorization, which belongs to the connection {connection.conn_id!r}"
        raise D360RequestError(ErrorDetail(title, "Use its webhook_username and webhook_password instead."))
    all_headers = {**texts, **login}
    for value in all_headers.values():
        mask_secret(value)
        mask_secret(value.removeprefix("Basic "))
    return all_headers


def _header(name: str, value: object) -> str:
    if isinstance(value, str) and value.strip() and absent(value) is None:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    title = f"headers[{readable(name)!r}] is missing, or no text ({type(value).__name__})"
    raise D360RequestError(ErrorDetail(title, "The task or variable that it comes from returned nothing."))


def _webhook_secrets(extras: Mapping[str, object]) -> frozenset[str]:
    password = extras.get("webhook_password")
    if not password:
        return frozenset()
    return frozenset({str(password), _basic(extras.get("webhook_username"), password)})


def _basic(username: object, password: object) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def _read_extras(connection: _Connection) -> dict[str, object]:
    """
    Read the extras without Airflow's ``extra_dejson``, which logs broken JSON and then ignores it.

    Empty values count as missing: the form sends them for untouched fields.
    """
    extras = connection.extra or {}
    try:
        extras = json.loads(extras) if isinstance(extras, str) else extras
    except ValueError:  # it holds the whole text
        extras = None
    if extras is None:
        raise _wrong(connection, "extra", "is not JSON")
    if not isinstance(extras, dict):
        raise _wrong(connection, "extra", "is not a JSON object")
    unknown = sorted(set(extras) - set(_EXTRAS))
    if unknown:
        raise _wrong(connection, f"extra {unknown[0]!r}", f"is unknown; there are {', '.join(_EXTRAS)}")
    return {name: value for name, value in extras.items() if value not in (None, "")}


def _hosting(connection: _Connection, extras: Mapping[str, object]) -> Hosting:
    name = str(extras.get("hosting", CLOUD.name)).strip().lower().replace("-", "_")
    if name not in HOSTINGS:
        raise _wrong(connection, "extra 'hosting'", f"must be one of {', '.join(HOSTINGS)}")
    return HOSTINGS[name]


def _region(connection: _Connection, extras: Mapping[str, object]) -> str | None:
    if "default_region" not in extras:
        return None
    try:
        return check_region(str(extras["default_region"]))
    except ValueError as error:
        problem = str(error)
    raise _wrong(connection, "extra 'default_region'", problem)


def _restriction(connection: _Connection, extras: Mapping[str, object]) -> Restriction | None:
    try:
        return read_restriction(extras.get("only_to"), extras.get("redirect_to"), _region(connection, extras))
    except D360RequestError as error:
        detail = error.detail
    title = f"Connection {connection.conn_id!r}: extra {detail.title}"
    raise D360RequestError(ErrorDetail(title, detail.remedy))


def _key(connection: _Connection) -> str:
    key = (connection.password or "").strip()
    if not key:
        title = f"Connection {connection.conn_id!r}: the password is empty"
        raise D360AuthError(ErrorDetail(title, "Put the number's 360dialog API key there."))
    if not (key.isascii() and key.isprintable()) or " " in key:
        title = f"Connection {connection.conn_id!r}: the password holds characters that no API key has"
        raise D360AuthError(ErrorDetail(title, "Copy the key again, without spaces and line breaks."))
    return key


def _base_url(connection: _Connection) -> str | None:
    host = (connection.host or "").strip().rstrip("/")
    if not host:
        return None
    url = host if "://" in host else f"https://{host}"
    return f"{url}:{connection.port}" if connection.port else url


def _number(
    connection: _Connection,
    extras: Mapping[str, object],
    name: str,
    *,
    default: float,
    least: float,
    most: float,
    whole: bool = False,
) -> float:
    extra = extras.get(name, default)
    written = "" if isinstance(extra, bool) else str(extra).strip()
    # Python also reads 1_0, digits of other scripts, nan and words for infinity as numbers.
    value = float(written) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", written, re.ASCII) else math.nan
    if not least <= value <= most or (whole and value % 1):
        kind = "whole number" if whole else "number"
        raise _wrong(connection, f"extra {name!r}", f"must be a {kind} from {least:g} to {most:g}")
    return value


def _wrong(connection: _Connection, field: str, problem: str) -> D360RequestError:
    return D360RequestError(
        ErrorDetail(f"Connection {connection.conn_id!r}: {field} {problem}", "Correct the connection.")
    )

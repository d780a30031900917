"""An Airflow connection, in any spelling, into an account; a wrong one into an error naming the field."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any, Protocol

from airflow_provider_d360.api.errors import D360AuthError, D360RequestError, Refusal
from airflow_provider_d360.api.hosting import CLOUD, HOSTINGS, Hosting
from airflow_provider_d360.transport import Account

_EXTRAS = (
    "hosting",
    "timeout_seconds",
    "max_attempts",
    "messages_per_second",
    "webhook_username",
    "webhook_password",
)


class _Connection(Protocol):
    """What is read of Airflow's two connection classes, the SDK's and the API server's."""

    conn_id: str
    host: str | None
    password: str | None
    port: int | None
    extra: Any  # text, but Airflow 3.1 and 3.2 leave the extras of a URI as they took them apart


def read_account(connection: _Connection) -> Account:
    """
    Read the account that a connection describes.

    :raises D360AuthError: when there is no usable key.
    :raises D360RequestError: when a field is wrong; the text names it.
    """
    extras = _read_extras(connection)
    hosting = _hosting(connection, extras)
    try:
        return Account(
            hosting=hosting,
            api_key=_key(connection),
            base_url=_base_url(connection) or hosting.base_url,
            timeout_seconds=_number(
                connection, extras, "timeout_seconds", default=30.0, least=0.1, most=600.0
            ),
            max_attempts=int(_number(connection, extras, "max_attempts", default=3, least=1, most=10)),
            messages_per_second=_number(
                connection, extras, "messages_per_second", default=80.0, least=0.01, most=1000.0
            ),
            webhook_secrets=_webhook_secrets(extras),
        )
    except ValueError as problem:  # urllib's, of a host such as http://[::1
        raise _wrong(connection, "host", str(problem)) from None


def webhook_login(connection: _Connection) -> dict[str, str]:
    """
    Read the header that deliveries shall carry; empty when the connection names no webhook user.

    :raises D360RequestError: when only one of user and password is there, or the user holds a colon.
    """
    extras = _read_extras(connection)
    username, password = extras.get("webhook_username"), extras.get("webhook_password")
    if not username and not password:
        return {}
    for name, value in (("webhook_username", username), ("webhook_password", password)):
        if not value:
            raise _wrong(connection, name, "is empty while its partner is set; set both or none")
    if ":" in str(username):
        raise _wrong(connection, "webhook_username", "holds a colon, which Basic authorization cannot carry")
    return {"Authorization": f"Basic {_basic(username, password)}"}


def _webhook_secrets(extras: Mapping[str, object]) -> frozenset[str]:
    password = extras.get("webhook_password")
    if not password:
        return frozenset()
    return frozenset({str(password), _basic(extras.get("webhook_username"), password)})


def _basic(username: object, password: object) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def _read_extras(connection: _Connection) -> dict[str, object]:
    """
    Read the extras without Airflow's ``extra_dejson``, which logs broken JSON and goes on with nothing.

    Empty values, as the form sends them for untouched fields, count as not given.
    """
    extras = connection.extra or {}
    try:
        extras = json.loads(extras) if isinstance(extras, str) else extras
    except ValueError:
        raise _wrong(connection, "extra", "is not JSON") from None
    if not isinstance(extras, dict):
        raise _wrong(connection, "extra", "is not a JSON object")
    unknown = sorted(set(extras) - set(_EXTRAS))
    if unknown:
        raise _wrong(connection, f"extra {unknown[0]!r}", f"is unknown; there are {', '.join(_EXTRAS)}")
    return {name: value for name, value in extras.items() if value not in (None, "")}


def _hosting(connection: _Connection, extras: Mapping[str, object]) -> Hosting:
    given = str(extras.get("hosting", CLOUD.name)).strip().lower().replace("-", "_")
    if given not in HOSTINGS:
        raise _wrong(connection, "extra 'hosting'", f"must be one of {', '.join(HOSTINGS)}")
    return HOSTINGS[given]


def _key(connection: _Connection) -> str:
    key = (connection.password or "").strip()
    if not key:
        title = f"Connection {connection.conn_id!r}: the password is empty"
        raise D360AuthError(Refusal(title, "Put the number's 360dialog API key there."))
    if not (key.isascii() and key.isprintable()) or " " in key:
        title = f"Connection {connection.conn_id!r}: the password holds characters that no API key has"
        raise D360AuthError(Refusal(title, "Copy the key again, without blanks and line breaks."))
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
) -> float:
    given = extras.get(name, default)
    try:
        value = math.nan if isinstance(given, bool) else float(str(given))
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise _wrong(connection, f"extra {name!r}", f"must be a number from {least:g} to {most:g}")
    return value


def _wrong(connection: _Connection, field: str, problem: str) -> D360RequestError:
    return D360RequestError(
        Refusal(f"Connection {connection.conn_id!r}: {field} {problem}", "Correct the connection.")
    )

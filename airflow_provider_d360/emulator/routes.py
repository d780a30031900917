"""How a request finds its handler: a table of methods, paths and the hostings that have them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote

from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.wire import Request, Response
from airflow_provider_d360.emulator.answers import RefusedError, gateway_error
from airflow_provider_d360.emulator.records import JSONObject, Number

if TYPE_CHECKING:
    from airflow_provider_d360.emulator.app import Emulator


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One request whose key and path are known to be right.

    :param emulator: The service that is asked; its lock is held.
    :param number: The number that the key belongs to.
    :param request: The request.
    :param parts: What stands in the path where the route has ``{name}``.
    """

    emulator: Emulator
    number: Number
    request: Request
    parts: Mapping[str, str]

    @property
    def hosting(self) -> Hosting:
        return self.number.hosting

    def json(self) -> JSONObject:
        """
        Read the body as a JSON object.

        :raises ValueError: when it is something else.
        """
        # A body that is not announced as JSON is no source of parameters for the real service either:
        # it then misses the first one that it requires.
        if not header(self.request, "content-type").lower().startswith("application/json"):
            return {}
        try:
            body = json.loads(self.request.body, parse_constant=_refuse_constant)
        except RecursionError:
            raise ValueError("The JSON is nested too deeply") from None
        if not isinstance(body, dict):
            raise ValueError("The JSON is not an object")
        return body


@dataclass(frozen=True, slots=True)
class Route:
    """
    One endpoint.

    :param method: The HTTP method.
    :param path: The path; ``{name}`` stands for one segment of it.
    :param hostings: Where the endpoint exists.
    :param handler: What answers; it may raise :class:`~airflow_provider_d360.emulator.answers.RefusedError`.
    """

    method: str
    path: str
    hostings: tuple[Hosting, ...]
    handler: Callable[[Asked], Response]


def find(routes: Iterable[Route], hosting: Hosting, request: Request) -> tuple[Route, dict[str, str]]:
    """
    Find the endpoint of this hosting, with the parts of its path.

    :raises RefusedError: when the hosting has none: the gateway blocks what it does not expose.
    """
    path = request.path.partition("?")[0]
    path = path.rstrip("/") or "/"
    found = [
        (route, match.groupdict())
        for route in routes
        if route.method == request.method and (match := _pattern(route.path).fullmatch(path))
    ]
    for route, parts in found:
        if hosting in route.hostings:
            return route, {name: unquote(part) for name, part in parts.items()}
    if found:
        raise RefusedError(
            gateway_error(403, f"This URL {path} is blocked. More info: https://docs.360dialog.com")
        )
    raise RefusedError(gateway_error(404, "Not Found"))


def header(request: Request, name: str) -> str:
    """Read a header whatever the case of its name; empty when it is missing."""
    for candidate, value in request.headers.items():
        if candidate.lower() == name.lower():
            return value
    return ""


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

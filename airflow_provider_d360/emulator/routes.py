"""How a request finds its handler: a table of methods, paths and hostings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NoReturn
from urllib.parse import parse_qs, unquote

from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.wire import Request, Response
from airflow_provider_d360.emulator.records import JSONObject, Number
from airflow_provider_d360.emulator.responses import INVALID_BODY, RejectedError, gateway_error
from airflow_provider_d360.emulator.state import State


@dataclass(frozen=True, slots=True)
class RequestContext:
    """
    A request with a valid API key and a known path.

    :param state: The state of the service; its lock is held.
    :param number: The number that the key belongs to.
    :param request: The request.
    :param path_values: The values of ``{name}`` in the path of the route.
    """

    state: State
    number: Number
    request: Request
    path_values: Mapping[str, str]

    @property
    def hosting(self) -> Hosting:
        """The hosting of the number."""
        return self.number.hosting

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query; of a repeated one, the first."""
        values = parse_qs(self.request.path.partition("?")[2])
        return {name: value[0] for name, value in values.items()}

    def json(self) -> JSONObject:
        """
        Read the body as a JSON object.

        A body without the content type ``application/json`` is not read, so that its first required
        parameter is missing.

        :raises InvalidError: when the body is not a JSON object.
        """
        if header(self.request, "content-type").partition(";")[0].strip().lower() != "application/json":
            return {}
        try:
            body = json.loads(self.request.body, parse_constant=_reject_constant)
        except (ValueError, RecursionError):
            INVALID_BODY.reject("The body is not JSON")
        if not isinstance(body, dict):
            INVALID_BODY.reject("The body is not a JSON object")
        return body


@dataclass(frozen=True, slots=True)
class Route:
    """
    One endpoint.

    :param method: The HTTP method.
    :param path: The path; ``{name}`` matches one segment of it.
    :param hostings: The hostings that have the endpoint.
    :param handler: Returns the response, or raises ``InvalidError`` or ``RejectedError``.
    """

    method: str
    path: str
    hostings: tuple[Hosting, ...]
    handler: Callable[[RequestContext], Response]


def find_route(routes: Iterable[Route], hosting: Hosting, request: Request) -> tuple[Route, dict[str, str]]:
    """
    Find the endpoint of a request, and the values in its path.

    :param routes: The endpoints; the first one that matches counts.
    :param hosting: The hosting of the number.
    :param request: The request.
    :raises RejectedError: when the hosting has no such endpoint; 403 when another hosting has it, else 404.
    """
    path = request.path.partition("?")[0]
    path = path.rstrip("/") or "/"
    matches = [
        (route, match.groupdict())
        for route in routes
        if route.method == request.method and (match := _pattern(route.path).fullmatch(path))
    ]
    for route, values in matches:
        if hosting in route.hostings:
            return route, {name: unquote(value) for name, value in values.items()}
    if matches:
        raise RejectedError(
            gateway_error(403, f"This URL {path} is blocked. More info: https://docs.360dialog.com")
        )
    raise RejectedError(gateway_error(404, "Not Found"))


def header(request: Request, name: str) -> str:
    """
    Read a header; empty when it is missing.

    :param request: The request.
    :param name: The name of the header, in any case.
    """
    for candidate, value in request.headers.items():
        if candidate.lower() == name.lower():
            return value
    return ""


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

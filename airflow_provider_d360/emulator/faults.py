"""
What goes wrong between a client and 360dialog, and whom it refuses: as ordered by a test.

Functions such as :func:`slow` make a :class:`Fault`; ``FAULTS`` has them by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.answers import answer, gateway_error


class AnswerLostError(ConnectionError):
    """The request was handled and its answer never arrived; over a socket, the connection is closed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One thing that goes wrong.

    :param answer: Answered in place of the real one.
    :param accepts: The request takes effect, whatever the client is told.
    :param delay_seconds: Waits before anything else happens.
    :param drip_seconds: The answer's body takes this long to arrive, byte by byte.
    :param halves_body: The body ends in the middle, and says that this is all.
    :param ending: How the connection fares: ``reset`` before the request is handled, ``cut_off`` after it and
        without an answer, ``cut_midway`` in the middle of the answer.
    """

    answer: Response | None = None
    accepts: bool = True
    delay_seconds: float = 0.0
    drip_seconds: float = 0.0
    halves_body: bool = False
    ending: Literal["answered", "reset", "cut_off", "cut_midway"] = "answered"

    def alter(self, real: Response) -> Response:
        """Turn the real answer into the one that is sent."""
        response = self.answer or real
        if self.halves_body:
            return replace(response, body=response.body[: len(response.body) // 2])
        return response


NO_FAULT = Fault()


@dataclass(slots=True)
class Order:
    """
    A fault that is to happen.

    :param fault: What goes wrong.
    :param times: For how many more requests.
    :param path: For which paths: one path, with ``*`` as in a shell, or any when it is ``None``.
    """

    fault: Fault
    times: int
    path: str | None

    def concerns(self, path: str) -> bool:
        return self.path is None or fnmatchcase(path.partition("?")[0], self.path)


@dataclass(slots=True)
class Rule:
    """
    Messages to refuse.

    :param code: The error code.
    :param to: The recipient, or everybody when it is ``None``.
    :param times: How many more messages; ``None`` for no end.
    """

    code: int
    to: str | None
    times: int | None

    def concerns(self, to: str) -> bool:
        return self.to in (None, to) and self.times != 0


def answers(status: int, body: object = "", *, accepts: bool = False, content_type: str = "") -> Fault:
    """Answer anything: a string goes out as it is, everything else as JSON."""
    if isinstance(body, str):
        headers = {"content-type": content_type or "text/plain; charset=utf-8"}
        return Fault(answer=Response(status, headers, body.encode()), accepts=accepts)
    headers = {"content-type": content_type or "application/json"}
    return Fault(answer=Response(status, headers, json.dumps(body).encode()), accepts=accepts)


def too_many_requests(*, retry_after: str | float | None = None) -> Fault:
    """Answer 429; ``retry_after`` is a number of seconds or an HTTP date."""
    response = gateway_error(429, "Too Many Requests")
    if retry_after is not None:
        response = replace(response, headers={**response.headers, "retry-after": str(retry_after)})
    return Fault(answer=response, accepts=False)


def rate_limit_400(*, old_wording: bool = False) -> Fault:
    """Answer the gateway's rate limit, which comes as a 400, in its present or its old wording."""
    if old_wording:
        message = "You have exceeded the limit of 1 request every 5 seconds. Try again later."
    else:
        message = "You have exceeded the endpoint rate limit."
    return Fault(answer=gateway_error(400, message), accepts=False)


def server_error(status: int = 500, *, plain: bool = False, accepts: bool = False) -> Fault:
    """Answer 500, 502 or 503 as the gateway does, in JSON or as plain text."""
    messages = {500: "Internal server error", 502: "WhatsApp for Business API not available"}
    message = messages.get(status, "Service unavailable")
    if plain:
        return answers(status, message, accepts=accepts)
    return Fault(answer=gateway_error(status, message), accepts=accepts)


def html_page(status: int = 502, *, accepts: bool = False) -> Fault:
    """Answer the error page of a proxy in between."""
    page = "<!DOCTYPE html>\n<html><head><title>Bad gateway</title></head><body><h1>Oops</h1></body></html>\n"
    return answers(status, page, accepts=accepts, content_type="text/html")


def truncated_json() -> Fault:
    """Handle the request and answer the first half of the JSON, as if it were all."""
    return Fault(halves_body=True)


def empty_body(status: int = 200) -> Fault:
    """Handle the request and answer with no body."""
    return Fault(answer=Response(status))


def slow(delay_seconds: float = 5.0) -> Fault:
    """Wait before the request is handled."""
    return Fault(delay_seconds=delay_seconds)


def slow_drip(drip_seconds: float = 5.0) -> Fault:
    """Handle the request at once and let the answer's body trickle."""
    return Fault(drip_seconds=drip_seconds)


def reset() -> Fault:
    """Reset the connection before the request is handled."""
    return Fault(ending="reset", accepts=False)


def accepted_and_cut_off() -> Fault:
    """Handle the request, then close the connection without an answer."""
    return Fault(ending="cut_off")


def cut_midway() -> Fault:
    """Handle the request, then close the connection in the middle of the answer."""
    return Fault(ending="cut_midway")


def redirect(location: str, status: int = 307) -> Fault:
    """Send the client elsewhere, where its key has no business."""
    response = answer(status, {"message": "Moved"})
    return Fault(answer=replace(response, headers={**response.headers, "location": location}), accepts=False)


FAULTS: dict[str, Callable[..., Fault]] = {
    make.__name__: make
    for make in (
        answers,
        too_many_requests,
        rate_limit_400,
        server_error,
        html_page,
        truncated_json,
        empty_body,
        slow,
        slow_drip,
        reset,
        accepted_and_cut_off,
        cut_midway,
        redirect,
    )
}


def fault_named(name: str, **arguments: Any) -> Fault:
    """
    Make a fault by its name.

    :raises ValueError: when there is none of that name, or it does not take these arguments.
    """
    if name not in FAULTS:
        raise ValueError(f"There is no fault {name!r}; there are {', '.join(FAULTS)}")
    try:
        return FAULTS[name](**arguments)
    except TypeError as error:
        raise ValueError(str(error)) from error

"""
Faults between a client and 360dialog, planned by a test.

Functions such as :func:`slow` make a :class:`Fault`; ``FAULTS`` has them by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.codes import meaning
from airflow_provider_d360.emulator.responses import cloud_error, gateway_error, json_response


class ResponseLostError(ConnectionError):
    """The request took effect and its response did not arrive. Over a socket, the connection is closed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One fault.

    :param response: Sent in place of the real response.
    :param accepts: The request takes effect.
    :param delay_seconds: The wait before the request is handled.
    :param drip_seconds: The time in which the body of the response arrives, byte by byte.
    :param halves_body: The body ends in the middle, and its length says that it is complete.
    :param ending: What happens to the connection: ``reset`` before the request is handled, ``cut_off`` after
        it and without a response, ``cut_midway`` in the middle of the response.
    """

    response: Response | None = None
    accepts: bool = True
    delay_seconds: float = 0.0
    drip_seconds: float = 0.0
    halves_body: bool = False
    ending: Literal["complete", "reset", "cut_off", "cut_midway"] = "complete"

    def apply(self, real: Response) -> Response:
        """
        Return the response that is sent.

        :param real: The response of the handler.
        """
        response = self.response or real
        if self.halves_body:
            return replace(response, body=response.body[: len(response.body) // 2])
        return response


NO_FAULT = Fault()


@dataclass(slots=True)
class PlannedFault:
    """
    A fault for requests to come.

    :param fault: The fault.
    :param times: The number of requests that it is still applied to.
    :param path: Their path, with ``*`` as in a shell; any path when it is ``None``.
    """

    fault: Fault
    times: int
    path: str | None

    def applies(self, path: str) -> bool:
        """
        Return True if the fault is for requests with this path.

        :param path: The path, with or without a query.
        """
        return self.path is None or fnmatchcase(path.partition("?")[0], self.path)


def any_response(status: int, body: object = "", *, accepts: bool = False, content_type: str = "") -> Fault:
    """
    Respond with anything.

    :param status: The HTTP status.
    :param body: A string is sent as it is, everything else as JSON.
    :param accepts: The request takes effect.
    :param content_type: The content type; one that suits the body when it is empty.
    """
    if isinstance(body, str):
        headers = {"content-type": content_type or "text/plain; charset=utf-8"}
        return Fault(response=Response(status, headers, body.encode()), accepts=accepts)
    headers = {"content-type": content_type or "application/json"}
    return Fault(response=Response(status, headers, json.dumps(body).encode()), accepts=accepts)


def whatsapp_error(
    code: int,
    *,
    details: str = "",
    status: int | None = None,
    envelope: Literal["plain", "gateway", "marketing"] = "plain",
) -> Fault:
    """
    Respond with one of WhatsApp's errors on any path, in an envelope in which clients have seen it on cloud.

    :param code: The error code, such as 80008.
    :param details: Its ``error_data.details``.
    :param status: The HTTP status; the documented one of the code when it is ``None``.
    :param envelope: ``plain`` is Meta's ``error`` object; ``gateway`` is that object, as JSON in the
        ``developer_message`` of 360dialog's gateway; ``marketing`` is that object under ``detail``.
    """
    status = meaning(code)[0] if status is None else status
    error = {"error": cloud_error(code, details)}
    if envelope == "gateway":
        message = f"Request to WhatsApp failed: {json.dumps(error)}, please check the request"
        return any_response(
            status, {"meta": {"success": False, "http_code": status, "developer_message": message}}
        )
    return any_response(status, {"detail": error} if envelope == "marketing" else error)


def template_not_found() -> Fault:
    """Respond with the gateway's 404 for a template that is not there."""
    return Fault(response=gateway_error(404, "Template not found"), accepts=False)


def too_many_requests(*, retry_after: str | float | None = None) -> Fault:
    """
    Respond with 429.

    :param retry_after: The ``Retry-After`` header: a number of seconds or an HTTP date.
    """
    response = gateway_error(429, "Too Many Requests")
    if retry_after is not None:
        response = replace(response, headers={**response.headers, "retry-after": str(retry_after)})
    return Fault(response=response, accepts=False)


def rate_limit_400(*, old_wording: bool = False) -> Fault:
    """
    Respond with the rate limit of 360dialog's gateway, which has the status 400.

    :param old_wording: Use the message of older documentation.
    """
    if old_wording:
        message = "You have exceeded the limit of 1 request every 5 seconds. Try again later."
    else:
        message = "You have exceeded the endpoint rate limit."
    return Fault(response=gateway_error(400, message), accepts=False)


def server_error(status: int = 500, *, plain: bool = False, accepts: bool = False) -> Fault:
    """
    Respond with a server error of the gateway.

    :param status: 500, 502 or 503.
    :param plain: Plain text in place of JSON.
    :param accepts: The request takes effect.
    """
    messages = {500: "Internal server error", 502: "WhatsApp for Business API not available"}
    message = messages.get(status, "Service unavailable")
    if plain:
        return any_response(status, message, accepts=accepts)
    return Fault(response=gateway_error(status, message), accepts=accepts)


def html_page(status: int = 502, *, accepts: bool = False) -> Fault:
    """
    Respond with the error page of a proxy.

    :param status: The HTTP status.
    :param accepts: The request takes effect.
    """
    page = "<!DOCTYPE html>\n<html><head><title>Bad gateway</title></head><body><h1>Oops</h1></body></html>\n"
    return any_response(status, page, accepts=accepts, content_type="text/html")


def truncated_json() -> Fault:
    """Handle the request and send the first half of the JSON as the complete body."""
    return Fault(halves_body=True)


def empty_body(status: int = 200) -> Fault:
    """
    Handle the request and respond with an empty body.

    :param status: The HTTP status.
    """
    return Fault(response=Response(status))


def slow(delay_seconds: float = 5.0) -> Fault:
    """
    Wait before the request is handled.

    :param delay_seconds: The wait.
    """
    return Fault(delay_seconds=delay_seconds)


def slow_drip(drip_seconds: float = 5.0) -> Fault:
    """
    Handle the request at once and send the body of the response byte by byte.

    :param drip_seconds: The time until the body is complete.
    """
    return Fault(drip_seconds=drip_seconds)


def reset() -> Fault:
    """Reset the connection before the request is handled."""
    return Fault(ending="reset", accepts=False)


def accepted_and_cut_off() -> Fault:
    """Handle the request, then close the connection without a response."""
    return Fault(ending="cut_off")


def cut_midway() -> Fault:
    """Handle the request, then close the connection in the middle of the response."""
    return Fault(ending="cut_midway")


def redirect(location: str, status: int = 307) -> Fault:
    """
    Redirect the client.

    :param location: The ``Location`` header.
    :param status: The HTTP status.
    """
    response = json_response(status, {"message": "Moved"})
    return Fault(
        response=replace(response, headers={**response.headers, "location": location}), accepts=False
    )


FAULTS: dict[str, Callable[..., Fault]] = {
    make.__name__: make
    for make in (
        any_response,
        whatsapp_error,
        template_not_found,
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

    :param name: A key of ``FAULTS``.
    :param arguments: The arguments of that function.
    :raises ValueError: when there is no such fault, or it does not take these arguments.
    """
    if name not in FAULTS:
        raise ValueError(f"There is no fault {name!r}; use one of {', '.join(FAULTS)}")
    try:
        return FAULTS[name](**arguments)
    except TypeError as error:
        problem = str(error)
    raise ValueError(problem)

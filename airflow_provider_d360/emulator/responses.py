"""Responses as the service writes them: 360dialog's gateway, WhatsApp on cloud, WhatsApp on-premise."""

from __future__ import annotations

import json
import secrets
from typing import NamedTuple, NoReturn

from airflow_provider_d360.api.hosting import ON_PREMISE, Hosting
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.codes import meaning

ON_PREMISE_META = {"api_status": "stable", "version": "2.35.4"}


class RejectedError(Exception):
    """
    A request that the gateway rejects.

    :param response: The response to send.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response


class InvalidError(Exception):
    """
    A request that WhatsApp rejects; the hosting of the number decides how the response looks.

    :param problem: The kind of mistake.
    :param details: What is wrong, and where.
    """

    def __init__(self, problem: Problem, details: str) -> None:
        super().__init__(problem, details)
        self.problem, self.details = problem, details

    def response(self, hosting: Hosting) -> Response:
        """
        Write the error in the envelope of a hosting.

        :param hosting: The hosting of the number.
        """
        code = self.problem.on_premise if hosting is ON_PREMISE else self.problem.cloud
        return whatsapp_error(hosting, code, self.details)


class Problem(NamedTuple):
    """
    One kind of mistake.

    :param cloud: Its error code on cloud and sandbox.
    :param on_premise: Its error code on-premise.
    """

    cloud: int
    on_premise: int

    def reject(self, details: str) -> NoReturn:
        """
        Reject the request.

        :param details: What is wrong, and where.
        :raises InvalidError: always.
        """
        raise InvalidError(self, details)


INVALID_BODY = Problem(100, 1009)
UNEXPECTED = Problem(100, 1010)
TOO_LONG = Problem(100, 1001)
WRONG_RECIPIENT_TYPE = Problem(100, 1002)
DUPLICATE = Problem(100, 1004)
UNKNOWN_ID = Problem(100, 1006)
MISSING = Problem(131008, 1008)
INVALID = Problem(131009, 1009)
NOT_A_USER = Problem(131009, 1013)
SENDER_IS_RECIPIENT = Problem(131021, 1009)
WINDOW_CLOSED = Problem(131047, 470)
UNSUPPORTED = Problem(131051, 501)
UPLOAD_FAILED = Problem(131053, 400)
BLOCKED = Problem(130403, 1005)
NUMBER_TOO_FAST = Problem(130429, 1015)
PERSON_TOO_FAST = Problem(131056, 1015)
COUNT_MISMATCH = Problem(132000, 2000)
NO_SUCH_TEMPLATE = Problem(132001, 2001)
TEMPLATE_TEXT_TOO_LONG = Problem(132005, 2005)
FORMAT_MISMATCH = Problem(132012, 2012)
TEMPLATE_PAUSED = Problem(132015, 2015)
TEMPLATE_DISABLED = Problem(132016, 2016)
WRONG_TEMPLATE_PARAMETERS = Problem(132018, 2012)


def json_response(status: int, body: object) -> Response:
    """
    Write a JSON response.

    :param status: The HTTP status.
    :param body: Anything that JSON holds.
    """
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


def gateway_error(status: int, message: str, *, http_code: int | None = None) -> Response:
    """
    Write an error in the envelope of 360dialog's gateway.

    :param status: The HTTP status.
    :param message: The gateway's words.
    :param http_code: The status that the body states; ``status`` when it is ``None``.
    """
    code = status if http_code is None else http_code
    return json_response(status, {"meta": {"httpCode": code, "developerMessage": message, "success": False}})


def whatsapp_error(hosting: Hosting, code: int, details: str) -> Response:
    """
    Write an error in WhatsApp's envelope.

    :param hosting: The hosting of the number, which decides about the envelope.
    :param code: WhatsApp's error code; it decides about HTTP status and title.
    :param details: What is wrong.
    """
    status, title = meaning(code)
    if hosting is ON_PREMISE:
        error: dict[str, object] = {"code": code, "title": title, "details": details}
        return json_response(status, {"errors": [error], "meta": ON_PREMISE_META})
    return json_response(status, {"error": cloud_error(code, details)})


def cloud_error(code: int, details: str) -> dict[str, object]:
    """
    Write Meta's error object.

    :param code: WhatsApp's error code.
    :param details: What is wrong.
    """
    return {
        "message": f"(#{code}) {meaning(code)[1]}",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": secrets.token_urlsafe(8),
    }

"""The shapes of 360dialog's answers: the gateway's own, Meta's for the cloud, and on-premise's."""

from __future__ import annotations

import json
import secrets

from airflow_provider_d360.api.hosting import ON_PREMISE, Hosting
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.codes import meaning

ON_PREMISE_META = {"api_status": "stable", "version": "2.35.4"}


class RefusedError(Exception):
    """
    A request that is answered with an error.

    :param response: That answer.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response


def answer(status: int, body: object) -> Response:
    """Answer with JSON."""
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


def gateway_error(status: int, message: str, *, http_code: int | None = None) -> Response:
    """Answer as 360dialog's gateway refuses; ``http_code`` where body and status disagree."""
    code = status if http_code is None else http_code
    return answer(status, {"meta": {"httpCode": code, "developerMessage": message, "success": False}})


def refusal(hosting: Hosting, code: int, details: str) -> Response:
    """Answer as WhatsApp refuses, in the words of the hosting."""
    status, title = meaning(code)
    if hosting is ON_PREMISE:
        error: dict[str, object] = {"code": code, "title": title, "details": details}
        return answer(status, {"errors": [error], "meta": ON_PREMISE_META})
    error = {
        "message": f"(#{code}) {title}",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": secrets.token_urlsafe(8),
    }
    return answer(status, {"error": error})

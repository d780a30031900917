"""Endpoints of health: whether the service, and on cloud the number, is able to send."""

from __future__ import annotations

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.answers import ON_PREMISE_META, answer
from airflow_provider_d360.emulator.records import JSONObject
from airflow_provider_d360.emulator.routes import Asked, Route
from airflow_provider_d360.emulator.webhooks import WABA_ID


def get_health_status(asked: Asked) -> Response:
    """Say whether the number is able to send, as ``emulator.can_send_message`` has it."""
    can_send = asked.emulator.can_send_message
    number: JSONObject = {
        "entity_type": "PHONE_NUMBER",
        "id": asked.number.digits,
        "can_send_message": can_send,
    }
    if can_send != "AVAILABLE":
        number["errors"] = [
            {
                "error_code": 141010,
                "error_description": "The number cannot send as it is.",
                "possible_solution": "See the number's status in the 360dialog Hub.",
            }
        ]
    account = {"entity_type": "WABA", "id": WABA_ID, "can_send_message": "AVAILABLE"}
    status = {"can_send_message": can_send, "entities": [number, account]}
    return answer(200, {"health_status": status, "id": asked.number.digits})


def get_gateway_health(asked: Asked) -> Response:
    """Say that the on-premise gateway is connected."""
    return answer(200, {"health": {"gateway_status": "connected"}, "meta": ON_PREMISE_META})


ROUTES = (
    Route("GET", "/health_status", (CLOUD,), get_health_status),
    Route("GET", "/v1/health", (ON_PREMISE,), get_gateway_health),
)

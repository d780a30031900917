"""Endpoints of health: whether the number or the gateway is able to send."""

from __future__ import annotations

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.records import WABA_ID, JSONObject
from airflow_provider_d360.emulator.responses import ON_PREMISE_META, json_response
from airflow_provider_d360.emulator.routes import RequestContext, Route


def _get_health_status(context: RequestContext) -> Response:
    """Return ``can_send_message`` of the emulator as the health of the number."""
    can_send = context.state.can_send_message
    number: JSONObject = {
        "entity_type": "PHONE_NUMBER",
        "id": context.number.digits,
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
    return json_response(200, {"health_status": status, "id": context.number.digits})


def _get_gateway_health(context: RequestContext) -> Response:
    """Return that the on-premise gateway is connected."""
    return json_response(200, {"health": {"gateway_status": "connected"}, "meta": ON_PREMISE_META})


ROUTES = (
    Route("GET", "/health_status", (CLOUD,), _get_health_status),
    Route("GET", "/v1/health", (ON_PREMISE,), _get_gateway_health),
)

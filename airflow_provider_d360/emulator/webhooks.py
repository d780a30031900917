"""Endpoints of webhooks: of one number, and of the whole account."""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX, Hosting
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.records import WABA_ID, JSONObject, Webhook
from airflow_provider_d360.emulator.responses import InvalidError, RejectedError, gateway_error, json_response
from airflow_provider_d360.emulator.routes import RequestContext, Route


def _get_webhook(context: RequestContext) -> Response:
    """Return the webhook of the number, with the credentials in its headers, as the service does."""
    return json_response(200, _webhook_json(context.number.webhook))


def _post_webhook(context: RequestContext) -> Response:
    """Set the webhook of the number."""
    context.number.webhook, _ = _read_webhook(context)
    return json_response(200, _webhook_json(context.number.webhook))


def _get_waba_webhook(context: RequestContext) -> Response:
    """Return the webhook of the account."""
    numbers, waba = context.state.numbers.values(), context.state.waba
    waba.settle(numbers)
    digits = [number.digits for number in numbers if number.hosting is CLOUD]
    return json_response(200, {"waba_id": WABA_ID, "phone_numbers": digits, **_webhook_json(waba.read())})


def _post_waba_webhook(context: RequestContext) -> Response:
    """Schedule a new webhook for the account."""
    state, waba = context.state, context.state.waba
    webhook, body = _read_webhook(context)
    overrides = body.get("override_all", False)
    if not isinstance(overrides, bool):
        raise RejectedError(gateway_error(400, "override_all must be true or false"))
    waba.settle(state.numbers.values())
    waba.before, waba.coming, waba.overrides = waba.webhook, webhook, overrides
    waba.due = time.monotonic() + state.waba_webhook_delay_seconds
    waba.unseen_reads = state.waba_webhook_unseen_reads
    message = "The webhook will be set within the next 15-20 seconds. Fetch it to confirm that it was."
    return json_response(200, {"message": message})


ROUTES = (
    Route("GET", "/v1/configs/webhook", (CLOUD, ON_PREMISE, SANDBOX), _get_webhook),
    Route("POST", "/v1/configs/webhook", (CLOUD, ON_PREMISE, SANDBOX), _post_webhook),
    Route("GET", "/waba_webhook", (CLOUD,), _get_waba_webhook),
    Route("POST", "/waba_webhook", (CLOUD,), _post_waba_webhook),
)


def _webhook_json(webhook: Webhook | None) -> JSONObject:
    if webhook is None:
        return {"url": None, "headers": {}}
    return {"url": webhook.url, "headers": dict(webhook.headers)}


def _read_webhook(context: RequestContext) -> tuple[Webhook, JSONObject]:
    try:
        body = context.json()
    except InvalidError as error:
        raise RejectedError(gateway_error(400, error.details)) from error
    url, headers = body.get("url"), body.get("headers") or {}
    if not isinstance(url, str):
        raise RejectedError(gateway_error(400, "url is required"))
    if not isinstance(headers, dict) or not all(_is_header(*item) for item in headers.items()):
        raise RejectedError(gateway_error(400, "headers must map names of headers to strings"))
    _check_url(context.hosting, url)
    return Webhook(url, headers), body


def _is_header(name: str, value: object) -> bool:
    token = re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name)
    return bool(token) and isinstance(value, str) and not re.search(r"[\r\n\0]", value)


def _check_url(hosting: Hosting, url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts = None
    if parts is None:
        raise RejectedError(gateway_error(400, "Invalid webhook URL"))
    if parts.scheme != "https" or not parts.hostname or re.search(r"\s", url):
        raise RejectedError(gateway_error(400, "Invalid webhook URL: only https is supported"))
    # https://docs.360dialog.com/docs/waba-basics/the-basics-overview: no "_" and no port in the domain.
    if hosting is CLOUD and ("_" in parts.hostname or port is not None):
        raise RejectedError(
            gateway_error(400, "Invalid webhook URL: '_' or a port in the domain is not supported")
        )

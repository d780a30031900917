"""Endpoints of webhooks: where the events of a number go, and those of a whole account."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX, Hosting
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.answers import RefusedError, answer, gateway_error
from airflow_provider_d360.emulator.records import JSONObject, Number, Webhook
from airflow_provider_d360.emulator.routes import Asked, Route

WABA_ID = "106540352242922"


@dataclass(slots=True)
class Account:
    """
    The WhatsApp Business Account of the cloud numbers, whose webhook changes some time after the answer.

    :param webhook: The webhook in force.
    :param before: The one that reads still show while ``unseen_reads`` lasts.
    :param unseen_reads: How many reads do not show the change yet.
    :param coming: The webhook that is to come.
    :param due: When it comes, on the monotonic clock.
    :param overrides: Whether the numbers lose their own webhooks then.
    """

    webhook: Webhook | None = None
    before: Webhook | None = None
    unseen_reads: int = 0
    coming: Webhook | None = None
    due: float = 0.0
    overrides: bool = False

    def settle(self, numbers: Iterable[Number]) -> None:
        """Put what is due into force."""
        if self.coming is None or time.monotonic() < self.due:
            return
        self.webhook, self.coming = self.coming, None
        for number in numbers:
            if self.overrides and number.hosting is CLOUD:
                number.webhook = None

    def look(self) -> Webhook | None:
        """Read the webhook the way the endpoint does: late."""
        if self.unseen_reads:
            self.unseen_reads -= 1
            return self.before
        return self.webhook


def get_webhook(asked: Asked) -> Response:
    """Read the webhook of the number, credentials in its headers and all, as the service does."""
    return answer(200, _shown(asked.number.webhook))


def post_webhook(asked: Asked) -> Response:
    """Set the webhook of the number."""
    asked.number.webhook, _ = _read(asked)
    return answer(200, _shown(asked.number.webhook))


def get_waba_webhook(asked: Asked) -> Response:
    """Read the webhook of the account."""
    numbers, account = asked.emulator.numbers.values(), asked.emulator.account
    account.settle(numbers)
    digits = [number.digits for number in numbers if number.hosting is CLOUD]
    return answer(200, {"waba_id": WABA_ID, "phone_numbers": digits, **_shown(account.look())})


def post_waba_webhook(asked: Asked) -> Response:
    """Set the webhook of the account: later, which is all that the answer says."""
    emulator, account = asked.emulator, asked.emulator.account
    webhook, body = _read(asked)
    overrides = body.get("override_all", False)
    if not isinstance(overrides, bool):
        raise RefusedError(gateway_error(400, "override_all must be true or false"))
    account.settle(emulator.numbers.values())
    account.before, account.coming, account.overrides = account.webhook, webhook, overrides
    account.due = time.monotonic() + emulator.waba_webhook_delay_seconds
    account.unseen_reads = emulator.waba_webhook_unseen_reads
    message = "The webhook will be set within the next 15-20 seconds. Fetch it to confirm that it was."
    return answer(200, {"message": message})


ROUTES = (
    Route("GET", "/v1/configs/webhook", (CLOUD, ON_PREMISE, SANDBOX), get_webhook),
    Route("POST", "/v1/configs/webhook", (CLOUD, ON_PREMISE, SANDBOX), post_webhook),
    Route("GET", "/waba_webhook", (CLOUD,), get_waba_webhook),
    Route("POST", "/waba_webhook", (CLOUD,), post_waba_webhook),
)


def _shown(webhook: Webhook | None) -> JSONObject:
    if webhook is None:
        return {"url": None, "headers": {}}
    return {"url": webhook.url, "headers": dict(webhook.headers)}


def _read(asked: Asked) -> tuple[Webhook, JSONObject]:
    try:
        body = asked.json()
    except ValueError:
        raise RefusedError(gateway_error(400, "The body is not a JSON object")) from None
    url, headers = body.get("url"), body.get("headers") or {}
    if not isinstance(url, str):
        raise RefusedError(gateway_error(400, "url is required"))
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise RefusedError(gateway_error(400, "headers must map names to strings"))
    _check_url(asked.hosting, url)
    return Webhook(url, headers), body


def _check_url(hosting: Hosting, url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedError(gateway_error(400, "Invalid webhook URL")) from None
    if parts.scheme != "https" or not parts.hostname:
        raise RefusedError(gateway_error(400, "Invalid webhook URL: only https is supported"))
    # https://docs.360dialog.com/docs/waba-basics/the-basics-overview: no "_" and no port in the domain.
    if hosting is CLOUD and ("_" in parts.hostname or port is not None):
        raise RefusedError(
            gateway_error(400, "Invalid webhook URL: '_' or a port in the domain is not supported")
        )

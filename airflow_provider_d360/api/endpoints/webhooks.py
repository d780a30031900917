"""Webhooks: where 360dialog delivers statuses and incoming messages."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from airflow_provider_d360.api.errors import request_error
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.reading import json_object, read_nothing, string
from airflow_provider_d360.api.wire import Call, Response, json_request

_URL_REMEDY = "Correct the webhook's url."


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """
    The webhook of a number or an account.

    :param url: The URL of deliveries; ``None`` when none is set.
    :param headers: Headers sent with each delivery, credentials among them, so ``repr`` does not show them.
    :param phone_numbers: Of a WABA-level webhook: the numbers of the account.
    """

    url: str | None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    phone_numbers: tuple[str, ...] = field(default=(), repr=False)


def get_webhook(hosting: Hosting) -> Call[WebhookConfig]:
    """
    Read the webhook of a number. The response repeats the headers, credentials included.

    :param hosting: The hosting of the number.
    """
    return Call(json_request("GET", hosting.webhook), read_webhook, repeatable=True, quotable=False)


def check_webhook_url(hosting: Hosting, url: str) -> None:
    """
    Check a webhook URL against 360dialog's rules, before it is set.

    :param hosting: The hosting of the number.
    :param url: The URL.
    :raises D360RequestError: unless it is an ``https`` URL of a public host with, on cloud, a (sub)domain
        without ``_`` and port.
    """
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None
    except ValueError:  # its text quotes the URL
        parts = None
    if parts is None:
        raise request_error("url cannot be read", _URL_REMEDY)
    if parts.scheme != "https" or not parts.hostname or any(ch.isspace() for ch in url):
        raise request_error(
            "url must be a whole https URL, such as https://hooks.example.com/d360", _URL_REMEDY
        )
    if _is_private(parts.hostname):
        raise request_error(
            "url is an address of this machine or of a private network, which 360dialog cannot reach",
            "Give a public address. To try it without one, use the emulator with --deliver-to.",
        )
    if parts.username or parts.password:
        raise request_error(
            "url holds a login", "Put it into the connection's webhook_username and webhook_password."
        )
    if hosting.plain_webhook_host and has_port:
        raise request_error("url holds a port, which cloud webhooks may not have", _URL_REMEDY)
    if hosting.plain_webhook_host and "_" in parts.hostname:
        raise request_error(
            "url holds an underscore in its (sub)domain, which cloud webhooks may not have", _URL_REMEDY
        )


def _is_private(host: str) -> bool:
    """Tell whether a host is certain to be out of reach from outside."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:  # a name
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))


def set_webhook(hosting: Hosting, url: str, headers: Mapping[str, str] | None = None) -> Call[WebhookConfig]:
    """
    Set the webhook of a number, in place of the one it has.

    :param hosting: The hosting of the number.
    :param url: See :func:`check_webhook_url`.
    :param headers: Headers that 360dialog sends with each delivery.
    """
    return Call(
        json_request("POST", hosting.webhook, _webhook(url, headers)),
        read_webhook,
        repeatable=True,
        private=lambda: frozenset((headers or {}).values()),
        quotable=False,
    )


def get_waba_webhook(hosting: Hosting) -> Call[WebhookConfig]:
    """
    Read the webhook of the whole WhatsApp Business Account.

    :param hosting: The hosting of the account; cloud only.
    """
    path = hosting.need(hosting.waba_webhook, "WABA-level webhook")
    return Call(json_request("GET", path), read_webhook, repeatable=True, quotable=False)


def set_waba_webhook(
    hosting: Hosting, url: str, headers: Mapping[str, str] | None = None, *, override_all: bool = False
) -> Call[None]:
    """
    Set the webhook of the whole account; cloud only.

    It takes effect some 15 to 20 seconds later: read it back.

    :param hosting: The hosting of the account; cloud only.
    :param url: See :func:`check_webhook_url`.
    :param headers: Headers that 360dialog sends with each delivery.
    :param override_all: Replace the webhooks of single numbers, too.
    """
    path = hosting.need(hosting.waba_webhook, "WABA-level webhook")
    if not isinstance(override_all, bool):
        raise request_error("override_all must be True or False", "A text is neither.")
    body = {**_webhook(url, headers), "override_all": override_all}
    request = json_request("POST", path, body)
    return Call(request, read_nothing, repeatable=True, private=lambda: frozenset((headers or {}).values()))


def read_webhook(response: Response) -> WebhookConfig:
    """
    Read the response about the webhook of a number or an account.

    :param response: The response.
    """
    body = json_object(response)
    headers, numbers = body.get("headers"), body.get("phone_numbers")
    return WebhookConfig(
        string(body.get("url")),
        {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {},
        tuple(str(number) for number in numbers) if isinstance(numbers, list) else (),
    )


def _webhook(url: str, headers: Mapping[str, str] | None) -> dict[str, object]:
    return {"url": url, "headers": dict(headers)} if headers else {"url": url}

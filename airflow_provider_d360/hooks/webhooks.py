"""Webhooks of both levels: of one number, and of the whole WhatsApp Business Account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_d360.api.endpoints import webhooks
from airflow_provider_d360.api.endpoints.webhooks import WebhookConfig
from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.wire import Call


def webhook_reading(hosting: Hosting, level: str) -> Call[WebhookConfig]:
    """
    Return the call that reads a webhook.

    :param hosting: The hosting of the number.
    :param level: ``number``, or ``waba`` for the whole account.
    :raises D360RequestError: when the level is another, or the hosting does not have it.
    """
    return webhooks.get_waba_webhook(hosting) if _is_waba(level) else webhooks.get_webhook(hosting)


def webhook_setting(
    hosting: Hosting, url: str, headers: Mapping[str, str], *, level: str, override_all: bool
) -> Call[Any]:
    """
    Return the call that sets a webhook.

    :param hosting: The hosting of the number.
    :param url: An ``https`` URL.
    :param headers: All headers that 360dialog sends with each delivery.
    :param level: ``number``, or ``waba`` for the whole account.
    :param override_all: On the ``waba`` level: replace the webhooks of single numbers as well.
    :raises D360RequestError: when the level is another, or the hosting does not have it.
    """
    if _is_waba(level):
        return webhooks.set_waba_webhook(hosting, url, headers, override_all=override_all)
    return webhooks.set_webhook(hosting, url, headers)


def _is_waba(level: str) -> bool:
    if level not in ("number", "waba"):
        raise D360RequestError(ErrorDetail(f"level is {level!r}", "Use 'number' or 'waba'."))
    return level == "waba"

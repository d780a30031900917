"""What the emulator knows: its numbers, their webhooks, what was sent and what was delivered. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_d360.api.hosting import Hosting

JSONObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Webhook:
    """
    Where events go.

    :param url: The configured URL.
    :param headers: Sent with every delivery, usually to prove where it comes from.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Number:
    """
    One WhatsApp number, which is what a key stands for.

    :param key: The key that sends as this number.
    :param hosting: Where the number lives.
    :param digits: The number itself.
    :param webhook: Its own webhook, which beats the one of its account. Set it here to skip the URL rules,
        for a receiver on ``http://127.0.0.1:…``.
    """

    key: str
    hosting: Hosting
    digits: str
    webhook: Webhook | None = None


@dataclass(frozen=True, slots=True)
class SentMessage:
    """
    One message that "WhatsApp" accepted.

    :param message_id: The id in the answer (the sandbox answers without) and in every status.
    :param to: Digits, a business-scoped user id or a group id: as WhatsApp understood the recipient.
    :param hosting: Name of the hosting it came through.
    :param key: The key it was sent with.
    :param body: The JSON body of the request.
    :param statuses: What became of it so far, in order.
    """

    message_id: str
    to: str
    hosting: str
    key: str
    body: JSONObject
    statuses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    One event on its way to a webhook.

    :param message_id: The message that it is about.
    :param url: Where it is posted to: after ``deliver_to`` was applied.
    :param headers: The configured headers.
    :param body: The event.
    :param attempts: What each attempt came to: an HTTP status, or why there was none.
    :param state: ``not_sent`` when the URL would have left this machine and no ``deliver_to`` allows it.
    """

    message_id: str
    url: str
    headers: Mapping[str, str]
    body: JSONObject
    attempts: tuple[int | str, ...] = ()
    state: Literal["waiting", "delivered", "given_up", "not_sent"] = "waiting"

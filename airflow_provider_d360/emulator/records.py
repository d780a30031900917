"""Values that the emulator records: numbers, webhooks, sent messages, deliveries, profiles."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_d360.api.hosting import CLOUD, Hosting

JSONObject = dict[str, Any]

WABA_ID = "106540352242922"


@dataclass(frozen=True, slots=True)
class Webhook:
    """
    Where events are delivered.

    :param url: The configured URL.
    :param headers: Headers of every delivery; a receiver authenticates by them.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Number:
    """
    One WhatsApp number. An API key belongs to exactly one.

    :param key: The API key of the number.
    :param hosting: The hosting of the number.
    :param digits: The number in digits.
    :param webhook: The webhook of the number; it takes precedence over the one of the account. Set here, it
        may be any URL, such as ``http://127.0.0.1:…``.
    """

    key: str
    hosting: Hosting
    digits: str
    webhook: Webhook | None = None


@dataclass(frozen=True, slots=True)
class SentMessage:
    """
    One accepted message.

    :param message_id: The id in the response (the sandbox leaves it out) and in every status.
    :param to: The recipient: digits of a phone number, a business-scoped user id, or a group id.
    :param hosting: The name of the hosting.
    :param key: The API key that it was sent with.
    :param body: The JSON body of the request.
    :param statuses: The statuses so far, in order.
    :param held: It is held to assess the quality of its template.
    :param accepted_at: When it was accepted, in Unix seconds.
    """

    message_id: str
    to: str
    hosting: str
    key: str
    body: JSONObject
    statuses: tuple[str, ...] = ()
    held: bool = False
    accepted_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    One event and its delivery to a webhook.

    :param message_id: The id of the message that the event is about.
    :param url: The URL that it is posted to, with ``deliver_to`` applied.
    :param headers: The configured headers.
    :param body: The event.
    :param attempts: One entry an attempt: the HTTP status of the response, or the error.
    :param state: ``not_sent`` when the URL is not on this machine and ``deliver_to`` is not set.
    """

    message_id: str
    url: str
    headers: Mapping[str, str]
    body: JSONObject
    attempts: tuple[int | str, ...] = ()
    state: Literal["waiting", "delivered", "given_up", "not_sent"] = "waiting"


@dataclass(slots=True)
class AccountSettings:
    """
    The settings of one number.

    :param profile: The business profile.
    :param blocked: The blocked users, by digits or user id.
    """

    profile: JSONObject = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)


@dataclass(slots=True)
class WabaWebhook:
    """
    The webhook of the WhatsApp Business Account of the cloud numbers; a change takes effect after a while.

    :param webhook: The webhook in force.
    :param before: The webhook that reads show while ``unseen_reads`` lasts.
    :param unseen_reads: How many more reads do not show the change.
    :param coming: The webhook that takes effect next.
    :param due: When it takes effect, on the monotonic clock.
    :param overrides: Remove the webhooks of the numbers then.
    """

    webhook: Webhook | None = None
    before: Webhook | None = None
    unseen_reads: int = 0
    coming: Webhook | None = None
    due: float = 0.0
    overrides: bool = False

    def settle(self, numbers: Iterable[Number]) -> None:
        """
        Apply the change if it is due.

        :param numbers: The numbers, whose own webhooks it may remove.
        """
        if self.coming is None or time.monotonic() < self.due:
            return
        self.webhook, self.coming = self.coming, None
        for number in numbers:
            if self.overrides and number.hosting is CLOUD:
                number.webhook = None

    def read(self) -> Webhook | None:
        """Return the webhook as the endpoint shows it, which may be the one before the change."""
        if self.unseen_reads:
            self.unseen_reads -= 1
            return self.before
        return self.webhook


@dataclass(slots=True)
class Rule:
    """
    Messages to reject.

    :param code: The error code.
    :param to: The recipient; everybody when it is ``None``.
    :param times: How many more messages; all when it is ``None``.
    """

    code: int
    to: str | None
    times: int | None

    def applies(self, to: str) -> bool:
        """
        Return True if a message to this recipient is rejected.

        :param to: The recipient.
        """
        return self.to in (None, to) and self.times != 0

"""One function for each endpoint. Each builds a ``Call``; none of them sends anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import quote, urlsplit

from airflow_provider_d360.api import results
from airflow_provider_d360.api.errors import D360RequestError, Refusal
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.privacy import private_strings
from airflow_provider_d360.api.recipients import address
from airflow_provider_d360.api.wire import Call, Request, json_request

_ENVELOPE = ("to", "recipient", "recipient_type")
_DEEPEST = 50
_URL_REMEDY = "Correct the webhook's url."


def send_message(
    hosting: Hosting,
    to: object,
    message: Mapping[str, object],
    *,
    recipient_type: str = "individual",
    reply_to: str | None = None,
    biz_opaque_callback_data: str | None = None,
) -> Call[results.Sent]:
    """
    Send one message. Not repeatable: WhatsApp has no idempotency key, so sent twice is received twice.

    :param to: The recipient, see :func:`~airflow_provider_d360.api.recipients.address`.
    :param message: The content, without recipient; a ``messaging_product`` in it is the hosting's business.
    :param reply_to: The id of the message that this one quotes.
    :param biz_opaque_callback_data: Comes back in each status of the message; at most 512 characters; cloud
        only.
    :raises D360RequestError: when the recipient or the content cannot be sent.
    """
    for field in _ENVELOPE:
        if field in message:
            raise _wrong(f"message holds {field!r}", "Give the recipient beside the message, not inside it.")
    body: dict[str, object] = {**hosting.product, **address(to, recipient_type), **message}
    if not hosting.names_product:
        body.pop("messaging_product", None)
    if reply_to is not None:
        if "context" in message:
            raise _wrong("message holds 'context' and reply_to is given", "Give one of the two.")
        body["context"] = {"message_id": reply_to}
    if biz_opaque_callback_data is not None and hosting.names_product:
        body["biz_opaque_callback_data"] = biz_opaque_callback_data
    return Call(
        _json_or_refuse("POST", hosting.messages, body),
        partial(results.read_sent, id_required=hosting.always_answers_id),
        repeatable=False,
        private=private_strings(body),
    )


def mark_as_read(hosting: Hosting, message_id: str, *, typing: bool = False) -> Call[None]:
    """
    Tell the sender of a message that it was read.

    :param typing: Show *typing…* as well, for at most 25 seconds or until a reply; not on on-premise.
    """
    if not hosting.reads_by_put:
        body: dict[str, object] = {**hosting.product, "status": "read", "message_id": message_id}
        if typing:
            body["typing_indicator"] = {"type": "text"}
        request = json_request("POST", hosting.messages, body)
    else:
        if typing:
            hosting.need(None, "typing indicator")
        request = json_request("PUT", f"{hosting.messages}/{quote(message_id, safe='')}", {"status": "read"})
    return Call(request, results.read_nothing, repeatable=True)


def check_contacts(
    hosting: Hosting, numbers: Sequence[str], *, blocking: str = "wait", force_check: bool = False
) -> Call[tuple[results.ContactCheck, ...]]:
    """
    Ask which numbers are on WhatsApp; on-premise only.

    :param numbers: Numbers with a leading ``+`` and country code.
    :param blocking: ``wait`` for the outcome, or ``no_wait`` and see ``processing`` for numbers still
        unknown.
    :param force_check: Do not answer from what is known from before.
    """
    path = hosting.need(hosting.contacts, "contact check")
    body = {"blocking": blocking, "contacts": list(numbers), "force_check": force_check}
    request = json_request("POST", path, body)
    return Call(request, results.read_contacts, repeatable=True, private=frozenset(numbers))


def get_webhook(hosting: Hosting) -> Call[results.WebhookConfig]:
    """Read the webhook of this number. The answer repeats the headers, credentials included."""
    return Call(json_request("GET", hosting.webhook), results.read_webhook, repeatable=True, quotable=False)


def check_webhook_url(hosting: Hosting, url: str) -> None:
    """
    Check a webhook URL against 360dialog's rules, before it is set.

    :raises D360RequestError: unless it is an ``https`` URL with, on cloud, a (sub)domain without ``_`` and
        port.
    """
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None
    except ValueError:
        raise _wrong("url cannot be read", _URL_REMEDY) from None
    if parts.scheme != "https" or not parts.hostname or any(ch.isspace() for ch in url):
        raise _wrong("url must be a whole https URL, such as https://hooks.example.com/d360", _URL_REMEDY)
    if parts.username or parts.password:
        raise _wrong(
            "url holds a login", "Put it into the connection's webhook_username and webhook_password."
        )
    if hosting.plain_webhook_host and has_port:
        raise _wrong("url holds a port, which cloud webhooks may not have", _URL_REMEDY)
    if hosting.plain_webhook_host and "_" in parts.hostname:
        raise _wrong(
            "url holds an underscore in its (sub)domain, which cloud webhooks may not have", _URL_REMEDY
        )


def set_webhook(
    hosting: Hosting, url: str, headers: Mapping[str, str] | None = None
) -> Call[results.WebhookConfig]:
    """Set the webhook of this number, in place of the one it has."""
    return Call(
        json_request("POST", hosting.webhook, _webhook(url, headers)),
        results.read_webhook,
        repeatable=True,
        private=frozenset((headers or {}).values()),
        quotable=False,
    )


def get_waba_webhook(hosting: Hosting) -> Call[results.WebhookConfig]:
    """Read the webhook of the whole WhatsApp Business Account; cloud only."""
    path = hosting.need(hosting.waba_webhook, "WABA-level webhook")
    return Call(json_request("GET", path), results.read_webhook, repeatable=True, quotable=False)


def set_waba_webhook(
    hosting: Hosting, url: str, headers: Mapping[str, str] | None = None, *, override_all: bool = False
) -> Call[None]:
    """
    Set the webhook of the whole account; cloud only.

    It takes effect some 15 to 20 seconds later: read it back.

    :param override_all: Take the place of the webhooks of single numbers too.
    """
    path = hosting.need(hosting.waba_webhook, "WABA-level webhook")
    body = {**_webhook(url, headers), "override_all": override_all}
    request = json_request("POST", path, body)
    return Call(request, results.read_nothing, repeatable=True, private=frozenset((headers or {}).values()))


def health(hosting: Hosting) -> Call[results.Health]:
    """Ask whether this number is able to send; on on-premise, whether the server is connected."""
    path = hosting.need(hosting.health, "health endpoint")
    return Call(json_request("GET", path), results.read_health, repeatable=True)


def _webhook(url: str, headers: Mapping[str, str] | None) -> dict[str, object]:
    return {"url": url, "headers": dict(headers)} if headers else {"url": url}


def _json_or_refuse(method: str, path: str, body: dict[str, object]) -> Request:
    try:
        return json_request(method, path, body)
    except (TypeError, ValueError, RecursionError):
        raise _wrong(
            f"message holds {_unsendable(body) or 'itself'}",
            "Render it to text or a plain number before sending.",
        ) from None


def _unsendable(value: object, path: str = "", depth: int = 0) -> str:
    """Find the first thing that JSON cannot express, and say where it stands."""
    if isinstance(value, Mapping) and depth < _DEEPEST:
        found = (
            _unsendable(item, f"{path}.{key}" if path else str(key), depth + 1) for key, item in value.items()
        )
        return next(filter(None, found), "")
    if isinstance(value, list | tuple) and depth < _DEEPEST:
        found = (_unsendable(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value))
        return next(filter(None, found), "")
    try:
        json_request("POST", "/", value)
    except (TypeError, ValueError, RecursionError):
        return f"a value of type {type(value).__name__} at {path}"
    return ""


def _wrong(title: str, remedy: str) -> D360RequestError:
    return D360RequestError(Refusal(title=title, remedy=remedy))

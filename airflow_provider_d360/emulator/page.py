"""The emulator's start page: what was sent, and a field to reply as the person who got it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from airflow_provider_d360.api.wire import Request, Response
from airflow_provider_d360.emulator.app import Emulator
from airflow_provider_d360.emulator.events import button_reply
from airflow_provider_d360.emulator.records import JSONObject, SentMessage
from airflow_provider_d360.emulator.routes import header

PATH = "/"

_NEWEST = 100
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}


def is_for_people(request: Request) -> bool:
    """
    Return whether a request asks for the page: without an API key, which every call of 360dialog has.

    :param request: The request.
    """
    is_ours = request.method in ("GET", "POST") and request.path.partition("?")[0] == PATH
    return is_ours and not header(request, "D360-API-KEY")


def respond(emulator: Emulator, request: Request, url: str) -> Response:
    """
    Show what was sent, or deliver a reply.

    :param emulator: The emulator.
    :param request: The request.
    :param url: The base URL of the emulator.
    """
    if request.method == "GET":
        return _page(emulator, url, "")
    if header(request, "Sec-Fetch-Site") not in ("", "same-origin", "none"):  # a page of somebody else
        return Response(403)
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    problem = _reply(emulator, form)
    return _page(emulator, url, problem) if problem else Response(303, {"location": PATH})


def _reply(emulator: Emulator, form: Mapping[str, str]) -> str:
    """Deliver a reply, and return what is wrong with it."""
    text, to = form.get("text", "").strip(), form.get("to", "")
    message: str | JSONObject = text
    if "button" in form:
        message = button_reply(form["button"], form.get("title", ""))
    elif not text:
        return "Type something to reply."
    try:
        emulator.receive(
            message, sender=to, reply_to=form.get("reply_to") or None, key=form.get("key") or None
        )
    except LookupError:
        return (
            "Nobody was told: this number has no webhook. Set one with D360ConfigureWebhookOperator, or "
            "hook.configure_webhook(…). The 24-hour window of this person is open now."
        )
    except ValueError as error:
        return str(error)
    return ""


def _page(emulator: Emulator, url: str, problem: str) -> Response:
    chats: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for sent in reversed(emulator.sent[-_NEWEST:]):
        chats.setdefault((sent.key, sent.to), []).insert(0, _describe(sent))
    for delivery in emulator.deliveries:
        for key, sender, words in _replies(emulator, delivery.body):
            if (key, sender) in chats:
                chats[key, sender].append({"reply": words, "state": delivery.state})
    body = _template().render(
        chats=chats,
        url=url,
        problem=problem,
        numbers=emulator.numbers,
        has_webhook=any(number.webhook for number in emulator.numbers.values()) or emulator.waba.webhook,
    )
    return Response(200, _HEADERS, body.encode())


def _describe(sent: SentMessage) -> dict[str, Any]:
    kind = str(sent.body.get("type", "text"))
    content = sent.body.get(kind)
    content = content if isinstance(content, Mapping) else {}
    return {
        "id": sent.message_id,
        "type": kind,
        "text": _text(kind, content),
        "buttons": _buttons(content) if kind == "interactive" else [],
        "statuses": sent.statuses,
    }


def _text(kind: str, content: Mapping[str, Any]) -> str:
    if kind == "template":
        values = [
            str(parameter.get("text", parameter.get("type", "")))
            for component in content.get("components") or []
            for parameter in component.get("parameters") or []
        ]
        return ": ".join(filter(None, [str(content.get("name", "")), ", ".join(values)]))
    inner = content.get("body")
    text = inner.get("text") if isinstance(inner, Mapping) else inner
    return str(text or content.get("caption") or content.get("filename") or content.get("emoji") or "")


def _buttons(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return id and title of the buttons that can be tapped."""
    buttons = (content.get("action") or {}).get("buttons") or []
    return [
        (button["reply"]["id"], button["reply"]["title"])
        for button in buttons
        if button.get("type") == "reply"
    ]


def _replies(emulator: Emulator, event: JSONObject) -> list[tuple[str, str, str]]:
    """Return API key, sender and words of the messages in an event."""
    values = [change["value"] for entry in event.get("entry", []) for change in entry.get("changes", [])]
    return [
        (_key_of(emulator, value), message.get("from") or message.get("from_user_id", ""), _words(message))
        for value in (values or [event])
        for message in value.get("messages", [])
    ]


def _key_of(emulator: Emulator, value: JSONObject) -> str:
    """Return the API key of the number that an event is about; on-premise, events do not name it."""
    digits = value.get("metadata", {}).get("display_phone_number")
    on_premise = next(key for key, number in emulator.numbers.items() if number.hosting.name == "on_premise")
    return next((key for key, number in emulator.numbers.items() if number.digits == digits), on_premise)


def _words(message: JSONObject) -> str:
    if message["type"] == "text":
        return str(message["text"]["body"])
    reply = message.get("interactive", {})
    return str(reply.get(reply.get("type"), {}).get("title") or f"({message['type']})")


@cache
def _template() -> Any:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))

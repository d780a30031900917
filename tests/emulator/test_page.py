"""The emulator's start page, as the person at the other end of the chat uses it."""

from __future__ import annotations

import html
import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_d360.api.wire import Request
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, Webhook
from airflow_provider_d360.emulator.server import EmulatorServer
from tests.emulator.services import TEXT, eventually, over_http

PERSON = "4915112345678"


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(delay_seconds=0)


@pytest.fixture
def port(emulator: Emulator) -> Iterator[int]:
    with EmulatorServer(emulator) as server:
        yield int(server.url.rpartition(":")[2])


def send(port: int, body: object, key: str = CLOUD_KEY) -> None:
    headers = {"D360-API-KEY": key, "Content-Type": "application/json"}
    assert over_http(port, Request("POST", "/messages", headers, json.dumps(body).encode())).status == 200


def visit(port: int, form: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
    """Open the page, or send its form; return the status and what a person reads."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as client:
        body = urlencode(form) if form is not None else None
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        client.request("POST" if form is not None else "GET", "/", body, {**kind, **headers})
        response = client.getresponse()
        text = re.sub(r"(?s)<(style|script)>.*?</\\1>", "", response.read().decode())
        return response.status, " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def inbound(emulator: Emulator) -> list[Any]:
    """List the messages of people that a webhook was to get."""
    values = [delivery.body["entry"][0]["changes"][0]["value"] for delivery in emulator.deliveries]
    return [message for value in values for message in value.get("messages", [])]


def test_before_anything_is_sent_it_says_how_to_send_something(port: int) -> None:
    status, text = visit(port)
    assert status == 200
    assert f'"host": "http://127.0.0.1:{port}"' in text
    assert "airflow d360 check --to" in text
    assert "No webhook is set" in text


def test_it_shows_what_was_sent_and_what_became_of_it(port: int, emulator: Emulator) -> None:
    send(port, TEXT)
    eventually(lambda: emulator.sent[0].statuses == ("sent", "delivered", "read"))
    assert f"{PERSON} cloud Hi text, sent, delivered, read" in visit(port)[1]


def test_it_shows_the_words_of_other_kinds(port: int) -> None:
    body = {"type": "body", "parameters": [{"type": "text", "text": "Ann"}, {"type": "text", "text": "42"}]}
    template = {"name": "order_update", "language": {"code": "en"}, "components": [body]}
    send(port, {**TEXT, "type": "template", "template": template})
    send(port, {**TEXT, "type": "image", "image": {"id": "1", "caption": "Yesterday"}})
    send(port, {**TEXT, "type": "sticker", "sticker": {"id": "1"}})
    text = visit(port)[1]
    for words in ("order_update: Ann, 42 template", "Yesterday image", "(sticker) sticker"):
        assert words in text


def test_a_reply_goes_to_the_webhook_and_opens_the_window(port: int, emulator: Emulator) -> None:
    number = emulator.numbers[CLOUD_KEY]
    number.webhook = Webhook("https://elsewhere.example/webhook")
    send(port, TEXT)
    assert visit(port, {"key": CLOUD_KEY, "to": PERSON, "text": " Where is it? "})[0] == 303
    [message] = inbound(emulator)
    assert (message["from"], message["text"]) == (PERSON, {"body": "Where is it?"})
    assert emulator.window_is_open(number, PERSON)
    assert "Where is it? reply, not sent: your webhook is on another machine" in visit(port)[1]


def test_a_button_is_tapped(port: int, emulator: Emulator) -> None:
    emulator.numbers[CLOUD_KEY].webhook = Webhook("https://elsewhere.example/webhook")
    buttons = [{"type": "reply", "reply": {"id": "yes", "title": "Yes, please"}}]
    content = {"type": "button", "body": {"text": "Deploy?"}, "action": {"buttons": buttons}}
    send(port, {**TEXT, "type": "interactive", "interactive": content})
    assert "Deploy? interactive" in visit(port)[1]
    sent = emulator.sent[0].message_id
    form = {"key": CLOUD_KEY, "to": PERSON, "button": "yes", "title": "Yes, please", "reply_to": sent}
    assert visit(port, form)[0] == 303
    [message] = inbound(emulator)
    assert message["interactive"]["button_reply"] == {"id": "yes", "title": "Yes, please"}
    assert message["context"]["id"] == sent
    assert "Yes, please reply" in visit(port)[1]


def test_without_a_webhook_it_says_that_nobody_was_told(port: int) -> None:
    send(port, TEXT)
    status, text = visit(port, {"key": CLOUD_KEY, "to": PERSON, "text": "Hi"})
    assert status == 200
    assert "Nobody was told: this number has no webhook." in text


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"to": PERSON, "text": " "}, "Type something to reply."),
        ({"to": "x", "text": "Hi"}, "x"),
        ({"to": PERSON, "text": "Hi", "key": "nobody"}, "Nobody was told"),
    ],
)
def test_a_reply_that_cannot_be_is_explained(port: int, form: dict[str, str], problem: str) -> None:
    status, text = visit(port, form)
    assert (status, problem in text) == (200, True)


def test_a_form_of_another_site_is_refused(port: int, emulator: Emulator) -> None:
    emulator.numbers[CLOUD_KEY].webhook = Webhook("https://elsewhere.example/webhook")
    form = {"key": CLOUD_KEY, "to": PERSON, "text": "Hi"}
    assert visit(port, form, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert inbound(emulator) == []


def test_what_was_sent_is_text_and_never_markup(port: int) -> None:
    send(port, {**TEXT, "text": {"body": "<img src=x>"}})
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as client:
        client.request("GET", "/")
        page = client.getresponse().read().decode()
    assert "<img" not in page
    assert "&lt;img src=x&gt;" in page


def test_the_page_is_no_request_of_the_service(port: int, emulator: Emulator) -> None:
    visit(port)
    assert emulator.requests == []
    headers = {"D360-API-KEY": CLOUD_KEY}
    assert over_http(port, Request("GET", "/", headers, b"")).status == 404
    assert len(emulator.requests) == 1

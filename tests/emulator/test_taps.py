"""A person who taps: what is there to tap on, and what it makes."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, Webhook
from airflow_provider_d360.messages import buttons, list_picker, quick_reply_button, template, text
from tests.emulator.services import Receiver, Service

TO = "4915112345678"


@pytest.fixture
def connected(service: Service, receiver: Receiver) -> Service:
    service.emulator.numbers[CLOUD_KEY].webhook = Webhook(receiver.url)
    service.emulator.set_statuses([])
    return service


def send(service: Service, message: Any, **change: object) -> str:
    status, body = service.send({"messaging_product": "whatsapp", "to": TO, **message, **change})
    assert status == 200, body
    return str(body["messages"][0]["id"])


def heard(service: Service, receiver: Receiver) -> dict[str, Any]:
    service.emulator.wait_for_deliveries()
    (message,) = receiver.bodies[-1]["entry"][0]["changes"][0]["value"]["messages"]
    assert isinstance(message, dict)
    return message


CHOICES = {"a": "Approve", "r": "Reject"}
MESSAGES = {
    "buttons": (
        buttons("Deploy?", CHOICES),
        {"type": "button_reply", "button_reply": {"id": "r", "title": "Reject"}},
    ),
    "list": (
        list_picker("Deploy?", "Choose", CHOICES),
        {"type": "list_reply", "list_reply": {"id": "r", "title": "Reject"}},
    ),
}


@pytest.mark.parametrize("choice", ["r", "Reject", 1])
@pytest.mark.parametrize(("message", "reply"), MESSAGES.values(), ids=MESSAGES)
def test_a_tap_comes_from_the_recipient_and_names_the_message(connected, receiver, message, reply, choice):
    message_id = send(connected, message)
    connected.emulator.tap(message_id, choice)
    tap = heard(connected, receiver)
    assert (tap["from"], tap["context"]["id"], tap["interactive"]) == (TO, message_id, reply)


def test_a_quick_reply_brings_back_the_payload_of_this_very_message(connected, receiver):
    connected.emulator.templates.add(
        {
            "name": "approve", "language": "en", "category": "UTILITY",
            "components": [
                {"type": "BODY", "text": "Deploy?"},
                {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": one} for one in ("Yes", "No")]},
            ],
        },
        status="approved",
    )  # fmt: skip
    payloads = [quick_reply_button("yes-1"), quick_reply_button("no-1")]
    message_id = send(connected, template("approve", "en", buttons=payloads))
    connected.emulator.tap(message_id, "No")
    assert heard(connected, receiver)["button"] == {"payload": "no-1", "text": "No"}


@pytest.mark.parametrize("choice", ["Nothing", 2, -1])
def test_what_is_not_there_cannot_be_tapped(connected, choice):
    message_id = send(connected, buttons("Deploy?", CHOICES))
    with pytest.raises(LookupError, match="no button or row"):
        connected.emulator.tap(message_id, choice)
    with pytest.raises(LookupError, match="no button or row"):
        connected.emulator.tap(send(connected, text("Hello")), 0)


def test_nobody_taps_on_a_message_that_did_not_arrive(connected):
    emulator: Emulator = connected.emulator
    with pytest.raises(LookupError, match="no such message"):
        emulator.tap("wamid.none", 0)
    emulator.set_statuses(["failed"])
    message_id = send(connected, buttons("Deploy?", CHOICES))
    emulator.wait_for_statuses(message_id, "failed")
    with pytest.raises(LookupError, match="failed"):
        emulator.tap(message_id, 0)


def test_nobody_taps_in_a_group(connected):
    message_id = send(connected, text("Hello"), to="Y2FwaV9ncm91cDoxMjM", recipient_type="group")
    with pytest.raises(LookupError, match="group"):
        connected.emulator.quote(message_id, "Hi")


def test_a_quote_opens_the_window_and_names_the_message(connected, receiver):
    message_id = send(connected, text("Where to?"))
    connected.emulator.quote(message_id, "Home")
    reply = heard(connected, receiver)
    assert (reply["text"]["body"], reply["context"]["id"]) == ("Home", message_id)
    assert connected.emulator.window_is_open(connected.emulator.numbers[CLOUD_KEY], TO)

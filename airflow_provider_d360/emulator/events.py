"""What goes to a webhook: statuses of messages that were sent, and messages that people send."""

from __future__ import annotations

import secrets
import time
from base64 import b64encode
from collections.abc import Sequence

from airflow_provider_d360.api.hosting import ON_PREMISE, Hosting
from airflow_provider_d360.emulator.codes import meaning
from airflow_provider_d360.emulator.records import JSONObject, Number, SentMessage
from airflow_provider_d360.emulator.webhooks import WABA_ID


def new_message_id(hosting: Hosting) -> str:
    """Make an id as the hosting would; unique, as receivers keep ids longer than an emulator runs."""
    if hosting is ON_PREMISE:
        return "gBGG" + secrets.token_hex(10).upper()
    return "wamid.HBgL" + b64encode(secrets.token_hex(18).upper().encode()).decode()


def parse_status(status: str) -> tuple[str, int | None]:
    """Split ``failed:131026``; ``failed`` alone means that code, and other statuses have none."""
    name, _, code = status.partition(":")
    return name, int(code or 131026) if name == "failed" else None


def check_statuses(statuses: Sequence[str]) -> tuple[str, ...]:
    """
    Take statuses in while whoever wrote them is still there to be told.

    :raises ValueError: when ``failed:…`` names something that is not a code.
    """
    for status in statuses:
        parse_status(status)
    return tuple(statuses)


def button_reply(button_id: str, title: str) -> JSONObject:
    """Make the message of somebody who pressed a reply button."""
    reply = {"type": "button_reply", "button_reply": {"id": button_id, "title": title}}
    return {"type": "interactive", "interactive": reply}


def status_event(number: Number, sent: SentMessage, status: str, code: int | None) -> JSONObject:
    """Make the event that says what became of a message."""
    told: JSONObject = {"id": sent.message_id, "status": status, "timestamp": _now()}
    if number.hosting is ON_PREMISE:
        told |= {"type": "message", "recipient_id": sent.to}
    else:
        told |= _cloud_recipient(sent)
        if "biz_opaque_callback_data" in sent.body:
            told["biz_opaque_callback_data"] = sent.body["biz_opaque_callback_data"]
    if code is not None:
        told["errors"] = [_error(number.hosting, code)]
    return _event(number, {"statuses": [told]})


def message_event(
    number: Number, message_id: str, message: JSONObject, sender: str, name: str, reply_to: str | None
) -> JSONObject:
    """Make the event of a message that somebody sent to the number."""
    hides_number = not sender.isdecimal()
    contact: JSONObject = {"profile": {"name": name}, "user_id" if hides_number else "wa_id": sender}
    told: JSONObject = {"from_user_id" if hides_number else "from": sender, "id": message_id}
    told |= {"timestamp": _now(), **message}
    if reply_to is not None:
        told["context"] = {"from": number.digits, "id": reply_to}
    return _event(number, {"contacts": [contact], "messages": [told]})


def _event(number: Number, value: JSONObject) -> JSONObject:
    """Wrap what happened: cloud (and, we assume, sandbox) in Meta's envelope, on-premise in none."""
    if number.hosting is ON_PREMISE:
        return value
    metadata = {"display_phone_number": number.digits, "phone_number_id": f"1065{number.digits[-11:]}"}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    return {"object": "whatsapp_business_account", "entry": [{"id": WABA_ID, "changes": [change]}]}


def _cloud_recipient(sent: SentMessage) -> JSONObject:
    if sent.body.get("recipient_type") == "group":
        return {"recipient_id": sent.to, "recipient_type": "group"}
    return {"recipient_id" if sent.to.isdecimal() else "recipient_user_id": sent.to}


def _error(hosting: Hosting, code: int) -> JSONObject:
    _, title = meaning(code)
    details = "Refused by the emulator, as it was told to"
    error: JSONObject = {"code": code, "title": title}
    if hosting is ON_PREMISE:
        return {**error, "details": details}
    return {**error, "message": title, "error_data": {"details": details}}


def _now() -> str:
    return str(int(time.time()))

"""The events that a webhook gets: statuses of sent messages, and inbound messages."""

from __future__ import annotations

import time
from collections.abc import Sequence

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, Hosting
from airflow_provider_d360.emulator.codes import meaning
from airflow_provider_d360.emulator.records import WABA_ID, JSONObject, Number, SentMessage

_PRICE: JSONObject = {"billable": True, "pricing_model": "PMP", "type": "regular"}


def parse_status(status: str) -> tuple[str, int | None]:
    """
    Split a status into its name and its error code.

    :param status: Such as ``sent`` or ``failed:131026``; the code of ``failed`` alone is 131026.
    :raises ValueError: when the code is not a number.
    """
    name, _, code = status.partition(":")
    return name, int(code or 131026) if name == "failed" else None


def check_statuses(statuses: Sequence[str]) -> tuple[str, ...]:
    """
    Check statuses and return them.

    :param statuses: Statuses as :func:`parse_status` reads them.
    :raises ValueError: when the code of ``failed:…`` is not a number.
    """
    for status in statuses:
        parse_status(status)
    return tuple(statuses)


def button_reply(button_id: str, title: str) -> JSONObject:
    """
    Make the message of a person who taps a reply button.

    :param button_id: The id of the button.
    :param title: The title of the button.
    """
    reply = {"type": "button_reply", "button_reply": {"id": button_id, "title": title}}
    return {"type": "interactive", "interactive": reply}


def status_event(
    number: Number, sent: SentMessage, status: str, code: int | None, category: str
) -> JSONObject:
    """
    Make the event of a status. ``sent`` has the price, and so has the first of ``delivered`` and ``read``.

    :param number: The number that sent the message.
    :param sent: The message.
    :param status: The status.
    :param code: The error code; ``None`` for a status without one.
    :param category: What the message is charged as.
    """
    event: JSONObject = {"id": sent.message_id, "status": status, "timestamp": _now()}
    if number.hosting is ON_PREMISE:
        event |= {"type": "message", "recipient_id": sent.to}
    else:
        event |= _cloud_recipient(sent)
        if "biz_opaque_callback_data" in sent.body:
            event["biz_opaque_callback_data"] = sent.body["biz_opaque_callback_data"]
        if number.hosting is CLOUD and _tells_price(sent.statuses, status):
            event["pricing"] = {**_PRICE, "category": category}
    if code is not None:
        event["errors"] = [_error(number.hosting, code)]
    return _event(number, {"statuses": [event]})


def _tells_price(statuses: Sequence[str], status: str) -> bool:
    """Return whether a status, the last one so far, carries the price."""
    arrivals = [one for one in statuses if one in ("delivered", "read")]
    return status == "sent" or (status in ("delivered", "read") and len(arrivals) == 1)


def preference_event(number: Number, person: str, *, stops: bool) -> JSONObject:
    """
    Make the event of a person who stops or resumes marketing messages.

    :param number: The number whose messages it is about.
    :param person: Digits, or the user id of a person who hides the number.
    :param stops: Whether they are stopped.
    """
    word = "stop" if stops else "resume"
    hides_number = not person.isdecimal()
    item = {
        "user_id" if hides_number else "wa_id": person,
        "detail": f"User requested to {word} marketing messages",
        "category": "marketing_messages",
        "value": word,
        "timestamp": int(time.time()),
    }
    contact = {"user_id" if hides_number else "wa_id": person}
    return _event(number, {"contacts": [contact], "user_preferences": [item]}, field="user_preferences")


def message_event(
    number: Number, message_id: str, message: JSONObject, sender: str, name: str, reply_to: str | None
) -> JSONObject:
    """
    Make the event of an inbound message.

    :param number: The number that the message was sent to.
    :param message_id: The id of the message.
    :param message: Its type and content.
    :param sender: Digits, or the user id of a person who hides the number.
    :param name: The name in the sender's profile.
    :param reply_to: The id of the message that it responds to.
    """
    hides_number = not sender.isdecimal()
    contact: JSONObject = {"profile": {"name": name}, "user_id" if hides_number else "wa_id": sender}
    event: JSONObject = {"from_user_id" if hides_number else "from": sender, "id": message_id}
    event |= {"timestamp": _now(), **message}
    if reply_to is not None:
        event["context"] = {"from": number.digits, "id": reply_to}
    return _event(number, {"contacts": [contact], "messages": [event]})


def _event(number: Number, value: JSONObject, field: str = "messages") -> JSONObject:
    """Wrap a value in Meta's envelope on cloud and, by assumption, on the sandbox; on-premise has none."""
    if number.hosting is ON_PREMISE:
        return value
    metadata = {"display_phone_number": number.digits, "phone_number_id": f"1065{number.digits[-11:]}"}
    change = {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    return {"object": "whatsapp_business_account", "entry": [{"id": WABA_ID, "changes": [change]}]}


def _cloud_recipient(sent: SentMessage) -> JSONObject:
    if sent.body.get("recipient_type") == "group":
        return {"recipient_id": sent.to, "recipient_type": "group"}
    return {"recipient_id" if sent.to.isdecimal() else "recipient_user_id": sent.to}


def _error(hosting: Hosting, code: int) -> JSONObject:
    _, title = meaning(code)
    details = "Failed in the emulator, as its statuses say"
    error: JSONObject = {"code": code, "title": title}
    if hosting is ON_PREMISE:
        return {**error, "details": details}
    return {**error, "message": title, "error_data": {"details": details}}


def _now() -> str:
    return str(int(time.time()))

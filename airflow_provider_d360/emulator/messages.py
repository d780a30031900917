"""Endpoints of messages: send, mark as read, show that somebody is typing, check contacts."""

from __future__ import annotations

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.answers import ON_PREMISE_META, answer
from airflow_provider_d360.emulator.bodies import (
    INVALID,
    INVALID_BODY,
    MISSING,
    check_message,
    check_product,
    plain_digits,
    recipient_of,
)
from airflow_provider_d360.emulator.records import JSONObject
from airflow_provider_d360.emulator.routes import Asked, Route
from airflow_provider_d360.emulator.templates import check_sent


def post_message(asked: Asked) -> Response:
    """Send a message; or, on cloud, mark one as read, which goes by the same path."""
    body = _body(asked)
    check_product(asked.hosting, body)
    if "status" in body and asked.hosting is not ON_PREMISE:
        return _mark_as_read(asked, body)
    to = recipient_of(asked.hosting, body)
    check_message(asked.hosting, body)
    if body.get("type") == "template":
        check_sent(asked, body["template"])
    asked.emulator.raise_if_refused(asked.hosting, to)
    message_id = asked.emulator.accept(asked.number, to, body).message_id
    if asked.hosting is CLOUD:
        return answer(200, _cloud_answer(body, to, message_id))
    if asked.hosting is ON_PREMISE:
        return answer(201, {"messages": [{"id": message_id}], "meta": ON_PREMISE_META})
    # "does not yet provide response information": https://docs.360dialog.com/docs/sandbox
    return answer(201, {})


def put_message(asked: Asked) -> Response:
    """Mark a message as read, the on-premise way."""
    if _body(asked).get("status") != "read":
        INVALID.refuse(asked.hosting, "status must be read")
    return answer(200, {"meta": ON_PREMISE_META})


def post_contacts(asked: Asked) -> Response:
    """Check contacts: since version 2.39 every number that could be one is on WhatsApp."""
    contacts = _body(asked).get("contacts")
    if not isinstance(contacts, list) or not all(isinstance(contact, str) for contact in contacts):
        MISSING.refuse(asked.hosting, "Parameter 'contacts' is required: an array of numbers")
    return answer(200, {"contacts": [_contact(contact) for contact in contacts], "meta": ON_PREMISE_META})


ROUTES = (
    Route("POST", "/messages", (CLOUD,), post_message),
    Route("POST", "/v1/messages", (ON_PREMISE, SANDBOX), post_message),
    Route("PUT", "/v1/messages/{message_id}", (ON_PREMISE,), put_message),
    Route("POST", "/v1/contacts", (ON_PREMISE,), post_contacts),
)


def _body(asked: Asked) -> JSONObject:
    try:
        return asked.json()
    except ValueError:
        INVALID_BODY.refuse(asked.hosting, "The body is not a JSON object")


def _mark_as_read(asked: Asked, body: JSONObject) -> Response:
    if body["status"] != "read":
        INVALID.refuse(asked.hosting, "status must be read")
    if not isinstance(body.get("message_id"), str) or not body["message_id"]:
        MISSING.refuse(asked.hosting, "The parameter message_id is required")
    if "typing_indicator" in body and body["typing_indicator"] != {"type": "text"}:
        INVALID.refuse(asked.hosting, "typing_indicator must be of type text")
    return answer(200, {"success": True})


def _cloud_answer(body: JSONObject, to: str, message_id: str) -> JSONObject:
    # A business-scoped user id stands for somebody who hides the number, so there is no wa_id.
    contact = {"input": body["to"], "wa_id": to} if body.get("to") else {"input": to, "user_id": to}
    message = {"id": message_id}
    if body["type"] == "template":
        message["message_status"] = "accepted"
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]}


def _contact(number: str) -> dict[str, str]:
    digits = plain_digits(number)
    if not digits.isdecimal():
        return {"input": number, "status": "invalid"}
    return {"input": number, "status": "valid", "wa_id": digits}

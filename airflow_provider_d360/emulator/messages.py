"""Endpoints of messages: send, mark as read, show a typing indicator."""

from __future__ import annotations

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.message_rules import (
    check_message,
    check_product,
    check_read_mark,
    message_type,
    recipient_of,
)
from airflow_provider_d360.emulator.records import JSONObject, SentMessage
from airflow_provider_d360.emulator.responses import (
    BLOCKED,
    INVALID,
    INVALID_BODY,
    ON_PREMISE_META,
    SENDER_IS_RECIPIENT,
    WINDOW_CLOSED,
    json_response,
)
from airflow_provider_d360.emulator.routes import RequestContext, Route
from airflow_provider_d360.emulator.templates import check_template_message


def _post_message(context: RequestContext) -> Response:
    """Send a message or, on cloud and sandbox, mark one as read: both have the same path."""
    body = context.json()
    check_product(context.hosting, body)
    if "status" in body and context.hosting is not ON_PREMISE:
        check_read_mark(body)
        return json_response(200, {"success": True})
    to = recipient_of(context.hosting, body)
    check_message(context.hosting, body)
    _check_recipient(context, to)
    kind = message_type(context.hosting, body)
    if kind == "template":
        check_template_message(context, body["template"])
    elif context.state.strict:
        _check_strictly(context, to, body[kind])
    context.state.raise_if_rejected(to)
    sent = context.state.accept(context.number, to, body)
    if context.hosting is CLOUD:
        return json_response(200, _cloud_response(sent))
    if context.hosting is ON_PREMISE:
        return json_response(201, {"messages": [{"id": sent.message_id}], "meta": ON_PREMISE_META})
    # "does not yet provide response information": https://docs.360dialog.com/docs/sandbox
    return json_response(201, {})


def _put_message(context: RequestContext) -> Response:
    """Mark a message as read on-premise."""
    if context.json().get("status") != "read":
        INVALID.reject("Param status must be one of {read}")
    return json_response(200, {"meta": ON_PREMISE_META})


ROUTES = (
    Route("POST", "/messages", (CLOUD,), _post_message),
    Route("POST", "/v1/messages", (ON_PREMISE, SANDBOX), _post_message),
    Route("PUT", "/v1/messages/{message_id}", (ON_PREMISE,), _put_message),
)


def _check_recipient(context: RequestContext, to: str) -> None:
    if to == context.number.digits:
        SENDER_IS_RECIPIENT.reject("Recipient and sender are the same number")
    if to in context.state.settings[context.number.key].blocked:
        BLOCKED.reject("The recipient is blocked by this number")


def _check_strictly(context: RequestContext, to: str, content: object) -> None:
    """Check that the file of a message is there, and that the recipient wrote within 24 hours."""
    media_id = content.get("id") if isinstance(content, dict) else None
    if media_id is not None and media_id not in context.state.media.stored:
        INVALID_BODY.reject("Param id is not a valid whatsapp business account media attachment ID")
    if not context.state.window_is_open(context.number, to):
        WINDOW_CLOSED.reject("More than 24 hours have passed since the recipient last wrote to this number")


def _cloud_response(sent: SentMessage) -> JSONObject:
    body, to = sent.body, sent.to
    # A business-scoped user id stands for a hidden number, so there is no wa_id.
    contact = {"input": body["to"], "wa_id": to} if body.get("to") else {"input": to, "user_id": to}
    message = {"id": sent.message_id}
    if body.get("type") == "template":
        message["message_status"] = "held_for_quality_assessment" if sent.held else "accepted"
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]}

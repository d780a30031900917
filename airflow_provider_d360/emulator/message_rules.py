"""Rules for the body of a message: who gets it, and what its type asks for."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_d360.api.hosting import ON_PREMISE, SANDBOX, Hosting
from airflow_provider_d360.emulator.content_rules import CONTENT, MESSAGE_ID, ON_PREMISE_CONTENT
from airflow_provider_d360.emulator.interactive_rules import DIRECT_INTERACTIVE, INTERACTIVE
from airflow_provider_d360.emulator.records import JSONObject
from airflow_provider_d360.emulator.responses import (
    INVALID,
    INVALID_BODY,
    MISSING,
    NOT_A_USER,
    UNEXPECTED,
    UNSUPPORTED,
    WRONG_RECIPIENT_TYPE,
)
from airflow_provider_d360.emulator.schema import choice, expect_object, record, string
from airflow_provider_d360.emulator.template_rules import ON_PREMISE_TEMPLATE, TEMPLATE

_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,140}")
_PUNCTUATED = re.compile(r"\+?[0-9 ()-]+")
_PHONE_NUMBER = re.compile(r"[1-9][0-9]{6,14}")  # https://www.itu.int/rec/T-REC-E.164
_CONTEXT = record({"message_id": MESSAGE_ID})
_CALLBACK_DATA = string(512, least=0)
_MEDIA_TYPES = frozenset({"image", "video", "audio", "document", "sticker"})


def check_product(hosting: Hosting, body: JSONObject) -> None:
    """
    Check ``messaging_product``, which cloud and sandbox require and on-premise does not know.

    :param hosting: The hosting of the number.
    :param body: The body of the request.
    :raises InvalidError: when it is missing, wrong, or not known.
    """
    if hosting is ON_PREMISE:
        if "messaging_product" in body:
            UNEXPECTED.reject("Parameter 'messaging_product' is not required")
    elif body.get("messaging_product") != "whatsapp":
        INVALID_BODY.reject("The parameter messaging_product is required")


def recipient_of(hosting: Hosting, body: JSONObject) -> str:
    """
    Read the recipient: the digits of a phone number, a business-scoped user id, or a group id.

    :param hosting: The hosting of the number that sends.
    :param body: The body of the message.
    :raises InvalidError: when it is missing or invalid.
    """
    choice("individual", "group", problem=WRONG_RECIPIENT_TYPE)(
        body.get("recipient_type") or "individual", "recipient_type"
    )
    to, user_id = body.get("to"), body.get("recipient")
    if to is None and isinstance(user_id, str) and hosting is not ON_PREMISE:
        if not _USER_ID.fullmatch(user_id):
            NOT_A_USER.reject("Param recipient must be a business-scoped user id")
        return user_id
    if to is None or to == "":
        MISSING.reject("The parameter to is required.")
    if not isinstance(to, str):
        INVALID.reject("Param to must be a string")
    if body.get("recipient_type") == "group":
        return to
    # On-premise takes a wa_id, which is digits only.
    digits = to if hosting is ON_PREMISE else canonical(to)
    if not _PHONE_NUMBER.fullmatch(digits):
        NOT_A_USER.reject("Param to is not a valid WhatsApp phone number")
    return digits


def message_type(hosting: Hosting, body: JSONObject) -> str:
    """
    Read the type of a message; without one, a message with ``text`` is a text.

    :param hosting: The hosting of the number that sends.
    :param body: The body of the message.
    :raises InvalidError: when the type is missing or not known.
    """
    if "type" not in body and (hosting is ON_PREMISE or body.get("text") is not None):
        return "text"
    if "type" not in body:
        MISSING.reject("The parameter type is required.")
    kind = body["type"]
    if not isinstance(kind, str) or kind not in (*CONTENT, "interactive", "template"):
        UNSUPPORTED.reject("Param type is not a supported message type")
    return kind


def check_message(hosting: Hosting, body: JSONObject) -> None:
    """
    Check a message, apart from its recipient.

    :param hosting: The hosting of the number that sends.
    :param body: The body of the message.
    :raises InvalidError: when the service would reject it.
    """
    kind = message_type(hosting, body)
    content = body.get(kind)
    if content is None:
        MISSING.reject(f"Parameter '{kind}' is mandatory for type '{kind}'")
    for name, check in (("context", _CONTEXT), ("biz_opaque_callback_data", _CALLBACK_DATA)):
        if body.get(name) is not None:
            check(body[name], name)
    if kind == "reaction" and body.get("context") is not None:
        INVALID.reject("Param context is not allowed for type reaction")
    if kind == "interactive" and body.get("recipient_type") == "group":
        UNSUPPORTED.reject("Interactive messages cannot be sent to groups")
    _check_content(hosting, kind, content, direct=body.get("category") is not None)


def _check_content(hosting: Hosting, kind: str, content: Any, *, direct: bool) -> None:
    if kind == "interactive":
        (DIRECT_INTERACTIVE if direct else INTERACTIVE)(content, kind)
    elif kind == "template":
        (ON_PREMISE_TEMPLATE if hosting is ON_PREMISE else TEMPLATE)(content, kind)
    else:
        (ON_PREMISE_CONTENT if hosting is ON_PREMISE else CONTENT)[kind](content, kind)
    if hosting is SANDBOX and kind in _MEDIA_TYPES and "id" in content:
        # "No media upload": https://docs.360dialog.com/docs/sandbox
        INVALID.reject(f"Param {kind}['id'] is not supported by the sandbox; use link")


def _typing(value: Any, path: str) -> None:
    expect_object(value, path)
    choice("text")(value.get("type"), f"{path}['type']")


_READ = record(
    {"status": choice("read"), "message_id": MESSAGE_ID},
    {"typing_indicator": _typing},
)


def check_read_mark(body: JSONObject) -> None:
    """
    Check a read mark, with or without a typing indicator.

    :param body: The body of the request.
    :raises InvalidError: when the service would reject it.
    """
    # Keys that are not known are ignored at the top level, as in a message.
    _READ({name: body[name] for name in ("status", "message_id", "typing_indicator") if name in body}, "")


def canonical(recipient: str) -> str:
    """
    Reduce a phone number to its digits; user ids and group ids stay as they are.

    :param recipient: A phone number with or without ``+``, spaces, brackets and hyphens, or an id.
    """
    return re.sub(r"[^0-9]", "", recipient) if _PUNCTUATED.fullmatch(recipient) else recipient

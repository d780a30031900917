"""What makes WhatsApp refuse a message at once. What it only finds out later belongs to the statuses."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, NoReturn

from airflow_provider_d360.api.hosting import ON_PREMISE, Hosting
from airflow_provider_d360.emulator.answers import RefusedError, refusal
from airflow_provider_d360.emulator.records import JSONObject

MEDIA_TYPES = frozenset({"image", "video", "audio", "document", "sticker"})
MESSAGE_TYPES = MEDIA_TYPES | {
    "text",
    "template",
    "interactive",
    "location",
    "contacts",
    "reaction",
}
LONGEST_TEXT = 4096
LONGEST_CALLBACK_DATA = 512

_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]+")


class Problem(NamedTuple):
    """
    One kind of mistake, by the code each dialect has for it.

    :param cloud: The code on cloud and sandbox.
    :param on_premise: The code on on-premise.
    """

    cloud: int
    on_premise: int

    def refuse(self, hosting: Hosting, details: str) -> NoReturn:
        raise RefusedError(
            refusal(hosting, self.on_premise if hosting is ON_PREMISE else self.cloud, details)
        )


INVALID_BODY = Problem(100, 1009)
MISSING = Problem(131008, 1008)
INVALID = Problem(131009, 1009)
UNKNOWN = Problem(100, 1010)
TOO_LONG = Problem(100, 1001)
NOT_A_USER = Problem(131009, 1013)
NOT_A_RECIPIENT_TYPE = Problem(100, 1002)
UNSUPPORTED = Problem(131051, 501)


def check_product(hosting: Hosting, body: JSONObject) -> None:
    """Check what tells the two dialects apart."""
    if hosting is ON_PREMISE:
        if "messaging_product" in body:
            UNKNOWN.refuse(hosting, "Parameter 'messaging_product' is not required")
    elif body.get("messaging_product") != "whatsapp":
        INVALID_BODY.refuse(hosting, "The parameter messaging_product is required")


def recipient_of(hosting: Hosting, body: JSONObject) -> str:
    """Read the recipient as WhatsApp understands it: digits, a business-scoped user id, or a group id."""
    recipient_type = body.get("recipient_type", "individual")
    if recipient_type not in ("individual", "group"):
        NOT_A_RECIPIENT_TYPE.refuse(hosting, "recipient_type must be individual or group")
    to, user_id = body.get("to"), body.get("recipient")
    if to is None and isinstance(user_id, str) and hosting is not ON_PREMISE:
        if not _USER_ID.fullmatch(user_id):
            NOT_A_USER.refuse(hosting, "recipient is not a business-scoped user id")
        return user_id
    if not to:
        MISSING.refuse(hosting, "The parameter to is required")
    if not isinstance(to, str):
        INVALID.refuse(hosting, "to must be a string")
    return to if recipient_type == "group" else _phone_number(hosting, to)


def check_message(hosting: Hosting, body: JSONObject) -> None:
    """Check the content: a known type, its object beside it, and what that object cannot do without."""
    if "type" not in body and hosting is not ON_PREMISE:
        MISSING.refuse(hosting, "The parameter type is required")
    kind = body.get("type", "text")
    if not isinstance(kind, str) or kind not in MESSAGE_TYPES:
        UNSUPPORTED.refuse(hosting, f"Message type {str(kind)[:40]!r} is not supported")
    if not body.get(kind) or not isinstance(body[kind], list if kind == "contacts" else dict):
        MISSING.refuse(hosting, f"Parameter '{kind}' is mandatory for type '{kind}'")
    content = body[kind]
    data = body.get("biz_opaque_callback_data", "")
    if not isinstance(data, str) or len(data) > LONGEST_CALLBACK_DATA:
        INVALID.refuse(hosting, "biz_opaque_callback_data must be a string of at most 512 characters")
    if kind in MEDIA_TYPES:
        _check_media(hosting, kind, content)
    elif kind == "text":
        _check_text(hosting, content)
    elif kind == "template":
        _check_template(hosting, content)
    else:
        _check_required(hosting, kind, content)


def plain_digits(number: str) -> str:
    """Drop the punctuation that people write into a number."""
    return re.sub(r"[\s()+.-]", "", number)


def canonical(recipient: str) -> str:
    """Write a recipient as messages are recorded: digits for a phone number, ids as they are."""
    digits = plain_digits(recipient)
    return digits if digits.isdecimal() else recipient


def _phone_number(hosting: Hosting, to: str) -> str:
    # On-premise wants the id that POST /v1/contacts answers, not a number as people write it.
    digits = to if hosting is ON_PREMISE else plain_digits(to)
    if not (digits.isascii() and digits.isdecimal()):
        NOT_A_USER.refuse(hosting, "to is not a phone number")
    return digits


def _check_media(hosting: Hosting, kind: str, content: JSONObject) -> None:
    if ("id" in content) == ("link" in content):
        MISSING.refuse(hosting, f"Parameter '{kind}' needs either id or link")


def _check_text(hosting: Hosting, content: JSONObject) -> None:
    text = content.get("body")
    if not text or not isinstance(text, str):
        MISSING.refuse(hosting, "Parameter text['body'] is required")
    if len(text) > LONGEST_TEXT:
        TOO_LONG.refuse(hosting, f"Param text['body'] must be at most {LONGEST_TEXT} characters long.")


def _check_template(hosting: Hosting, content: JSONObject) -> None:
    language = content.get("language")
    if not content.get("name"):
        MISSING.refuse(hosting, "Parameter template['name'] is required")
    if not isinstance(language, dict) or not language.get("code"):
        MISSING.refuse(hosting, "Parameter template['language']['code'] is required")
    if hosting is ON_PREMISE and not content.get("namespace"):
        MISSING.refuse(hosting, "Parameter template['namespace'] is required")


def _check_required(hosting: Hosting, kind: str, content: Any) -> None:
    required = {
        "interactive": ("type", "action"),
        "location": ("latitude", "longitude"),
        "reaction": ("message_id", "emoji"),
    }
    for name in required.get(kind, ()):
        if name not in content:
            MISSING.refuse(hosting, f"Parameter {kind}['{name}'] is required")

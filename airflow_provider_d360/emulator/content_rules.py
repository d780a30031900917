"""Rules for the content of messages: texts, media, places, contacts, reactions. Each table names its page."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from airflow_provider_d360.emulator.responses import INVALID, MISSING, TOO_LONG
from airflow_provider_d360.emulator.schema import (
    ANYTHING,
    Check,
    array,
    every,
    exactly_one,
    flag,
    matching,
    number,
    record,
    string,
)

URL = every(string(2000), matching(r"(?i)https?://[^\s/?#:]+\S*", "a valid URL"))
IDENTIFIER = string()
MESSAGE_ID = every(string(empty=MISSING), matching(r"\S*", "a message id"))


def media(**optional: Check) -> Check:
    """
    Check for a media object: an id or a link.

    :param optional: Keys that this kind of media may have, such as ``caption``.
    """
    return record(None, {"id": IDENTIFIER, "link": URL, **optional}, exactly_one("id", "link"))


_CAPTION = string(1024, least=0)
_FILENAME = string(240, least=0)
_PROVIDER = {"provider": record({"name": string()})}  # authenticated links, on-premise only


def _no_blank_text(value: Any, path: str) -> None:
    if not value.strip():
        MISSING.reject(f"Param {path} is required")


def _name_part(value: Any, path: str) -> None:
    if not any(value.get(part) for part in _NAME_PARTS):
        MISSING.reject(f"Param {path} needs one of {', '.join(_NAME_PARTS)}")


_NAME_PARTS = ("first_name", "last_name", "middle_name", "suffix", "prefix")
_PART = string(least=0)


def _entries(*keys: str) -> Check:
    return array(record(None, dict.fromkeys(keys, _PART)))


# https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/location-messages
LOCATION = record(
    {"latitude": number(-90, 90), "longitude": number(-180, 180)},
    {"name": string(1000, least=0), "address": string(1000, least=0)},
)

# https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/contacts-messages
_CONTACT = record(
    {"name": record({"formatted_name": string()}, dict.fromkeys(_NAME_PARTS, _PART), _name_part)},
    {
        "phones": _entries("phone", "type", "wa_id"),
        "emails": _entries("email", "type"),
        "urls": _entries("url", "type"),
        "addresses": _entries("street", "city", "state", "zip", "country", "country_code", "type"),
        "org": record(None, dict.fromkeys(("company", "department", "title"), _PART)),
        "birthday": matching(r"(\d{4}-\d\d-\d\d)?", "a date as YYYY-MM-DD"),
        "origin": ANYTHING,
    },
)


def _some_contacts(value: Any, path: str) -> None:
    if not value:
        MISSING.reject(f"Param {path} is required")


def _one_emoji(value: Any, path: str) -> None:
    joined = re.sub(r"[\u200d\ufe0f\ufe0e\u20e3]|[\U0001f3fb-\U0001f3ff]|[\U000e0020-\U000e007f]", "", value)
    joiners = value.count("\u200d")
    flags = re.fullmatch(r"[\U0001f1e6-\U0001f1ff]{2}", joined)
    keycap = "\u20e3" in value and re.fullmatch(r"[0-9#*]", joined)
    symbols = all(unicodedata.category(one) in ("So", "Sm", "Po", "Pd") or one == "\u2139" for one in joined)
    single = symbols and len(joined) == joiners + 1 and not re.search("[\U0001f1e6-\U0001f1ff]", joined)
    if value and not (flags or keycap or single):
        INVALID.reject(f"Param {path} must be one emoji, or empty")


# https://developers.facebook.com/documentation/business-messaging/whatsapp/messages
CONTENT: dict[str, Check] = {
    "text": record(
        {"body": every(string(4096, empty=MISSING, too_long=TOO_LONG), _no_blank_text)},
        {"preview_url": flag},
    ),
    "image": media(caption=_CAPTION),
    "video": media(caption=_CAPTION),
    "audio": media(voice=flag),
    "document": media(caption=_CAPTION, filename=_FILENAME),
    "sticker": media(),
    "location": LOCATION,
    "contacts": array(_CONTACT, 0, 257, _some_contacts),
    "reaction": record({"message_id": MESSAGE_ID, "emoji": every(string(least=0), _one_emoji)}),
}
ON_PREMISE_CONTENT: dict[str, Check] = {
    **CONTENT,
    "image": media(caption=_CAPTION, **_PROVIDER),
    "video": media(caption=_CAPTION, **_PROVIDER),
    "audio": media(voice=flag, **_PROVIDER),
    "document": media(caption=_CAPTION, filename=_FILENAME, **_PROVIDER),
    "sticker": media(**_PROVIDER),
}

# What may stand in a header, of an interactive message or of a template: without a caption.
HEADER_MEDIA: dict[str, Check] = {
    "image": media(**_PROVIDER),
    "video": media(**_PROVIDER),
    "document": media(filename=_FILENAME, **_PROVIDER),
}

"""Text, media, locations, contacts and reactions: the object under the name of a message's type."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_provider_d360.api.checks.grammar import (
    every,
    exactly_one,
    items,
    record,
    sourced,
    tagged,
    without,
)
from airflow_provider_d360.api.checks.spots import Check, Spot, Violation, look
from airflow_provider_d360.api.checks.values import fitting, flag, identifier, message_id, number, text

META = "https://developers.facebook.com/documentation/business-messaging/whatsapp"
MESSAGES = f"{META}/messages"

URL = every(
    text(),
    fitting(re.compile(r"(?i)\s*https?://\S").match, "must start with http:// or https://"),
    fitting(lambda value: not re.search(r"\s", value), "holds a space or a newline: write %20 for a space"),
    fitting(lambda value: not re.match(r"(?i)https?://[/?#:]", value), "has no host after http(s)://"),
)

_MEDIA_KEYS: dict[str, Check] = {
    "caption": text(1024, least=0),
    "filename": text(least=0),
    "voice": flag,
}


def media(*optional: str) -> Check:
    """
    Check a media object: ``id`` or ``link``, and what else is allowed at this place.

    :param optional: ``caption``, ``filename`` or ``voice``; WhatsApp refuses the others.
    """
    return sourced(
        f"{META}/business-phone-numbers/media",
        record(
            None,
            {"id": identifier, "link": URL, **{key: _MEDIA_KEYS[key] for key in optional}},
            exactly_one("id", "link"),
            without(*(key for key in _MEDIA_KEYS if key not in optional)),
        ),
    )


LOCATION = sourced(
    f"{MESSAGES}/location-messages",
    record(
        {"latitude": number(-90, 90), "longitude": number(-180, 180)},
        {"name": text(least=0), "address": text(least=0)},
    ),
)

_NAME_PARTS = ("first_name", "last_name", "middle_name", "suffix", "prefix")


def _some_part(value: object, spot: Spot) -> Iterator[Violation]:
    if all(look(value, part) in (None, "") for part in _NAME_PARTS):
        yield spot.bad(f"needs one of {', '.join(_NAME_PARTS)}")


def _details(*keys: str) -> Check:
    return items(record(None, dict.fromkeys(keys, text(least=0))))


_CONTACT = record(
    {"name": record({"formatted_name": text()}, dict.fromkeys(_NAME_PARTS, text(least=0)), _some_part)},
    {
        "phones": _details("phone", "wa_id", "type"),
        "emails": _details("email", "type"),
        "urls": _details("url", "type"),
        "addresses": _details("street", "city", "state", "zip", "country", "country_code", "type"),
        "org": record(None, dict.fromkeys(("company", "department", "title"), text(least=0))),
        "birthday": every(
            text(least=0), fitting(re.compile(r"\d{4}-\d\d-\d\d\Z").match, "must look like YYYY-MM-DD")
        ),
    },
)


def _no_blank(value: object, spot: Spot) -> Iterator[Violation]:
    if isinstance(value, str) and value and not value.strip():
        yield spot.bad("blank: give an emoji, or an empty text to take the reaction back")


# A flag, a keycap, or signs that joiners make one; each with what changes its colour or form.
_SIGN = r"[^\w\s\x00-\x7f\u200d\u20e3\ufe0e\ufe0f\U0001f1e6-\U0001f1ff\U000e0020-\U000e007f]|\u2139"
_FORM = r"[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?[\ufe0e\ufe0f]?[\U000e0020-\U000e007f]*"
_ONE_EMOJI = re.compile(
    rf"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3|(?:{_SIGN}){_FORM}(?:\u200d(?:{_SIGN}){_FORM})*"
)
_EMOJI = every(
    _no_blank, text(least=0, label=True), fitting(_ONE_EMOJI.fullmatch, "must be one emoji, such as 👍")
)

CURRENCY = every(text(), fitting(re.compile(r"[A-Z]{3}\Z").match, "must be three capital letters"))

CONTENT: dict[str, Check] = {
    "text": sourced(f"{MESSAGES}/text-messages", record({"body": text(4096)}, {"preview_url": flag})),
    "image": media("caption"),
    "video": media("caption"),
    "document": media("caption", "filename"),
    "audio": media("voice"),
    "sticker": media(),
    "location": LOCATION,
    "contacts": sourced(f"{MESSAGES}/contacts-messages", items(_CONTACT, 1)),
    "reaction": sourced(f"{MESSAGES}/reaction-messages", record({"message_id": message_id, "emoji": _EMOJI})),
}

HEADER = tagged(
    {"text": text(60), "image": media(), "video": media(), "document": media("filename")}, closed=True
)
TEXT_HEADER = tagged({"text": text(60)}, closed=True)
CARD_HEADER = tagged({"image": media(), "video": media()}, closed=True)

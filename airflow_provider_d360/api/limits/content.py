"""Text, media, places, contacts, reactions: what stands under the name of a message's type."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_provider_d360.api.limits.grammar import (
    Check,
    Spot,
    Violation,
    every,
    exactly_one,
    fitting,
    flag,
    identifier,
    items,
    look,
    number,
    record,
    sourced,
    tagged,
    text,
    without,
)

META = "https://developers.facebook.com/documentation/business-messaging/whatsapp"
MESSAGES = f"{META}/messages"

URL = every(text(), fitting(re.compile(r"(?i)https?://\S").match, "must start with http:// or https://"))

MEDIA = sourced(
    f"{META}/business-phone-numbers/media",
    record(
        None,
        {"id": identifier, "link": URL, "caption": text(1024, least=0), "filename": text(least=0)},
        exactly_one("id", "link"),
    ),
)

PLACE = sourced(
    f"{MESSAGES}/location-messages",
    record(
        {"latitude": number(-90, 90), "longitude": number(-180, 180)},
        {"name": text(least=0), "address": text(least=0)},
    ),
)

_NAME_PARTS = ("first_name", "last_name", "middle_name", "suffix", "prefix")


def _some_part(value: object, spot: Spot) -> Iterator[Violation]:
    if all(look(value, part) is None for part in _NAME_PARTS):
        yield spot.bad(f"needs one of {', '.join(_NAME_PARTS)}")


_DETAILS = items(record())
_CONTACT = record(
    {"name": record({"formatted_name": text()}, dict.fromkeys(_NAME_PARTS, text(least=0)), _some_part)},
    {
        "phones": _DETAILS,
        "emails": _DETAILS,
        "urls": _DETAILS,
        "addresses": _DETAILS,
        "org": record(),
        "birthday": every(
            text(least=0), fitting(re.compile(r"\d{4}-\d\d-\d\d\Z").match, "must look like YYYY-MM-DD")
        ),
    },
)

CONTENT: dict[str, Check] = {
    "text": sourced(f"{MESSAGES}/text-messages", record({"body": text(4096)}, {"preview_url": flag})),
    "image": MEDIA,
    "video": MEDIA,
    "document": MEDIA,
    "audio": every(
        MEDIA, sourced(f"{MESSAGES}/audio-messages", record(None, {"voice": flag}, without("caption")))
    ),
    "sticker": every(MEDIA, sourced(f"{MESSAGES}/sticker-messages", without("caption"))),
    "location": PLACE,
    "contacts": sourced(f"{MESSAGES}/contacts-messages", items(_CONTACT, 1)),
    "reaction": sourced(
        f"{MESSAGES}/reaction-messages", record({"message_id": text(), "emoji": text(least=0)})
    ),
}

HEADER = tagged({"text": text(60), "image": MEDIA, "video": MEDIA, "document": MEDIA}, closed=True, fold=True)
TEXT_HEADER = tagged({"text": text(60)}, closed=True, fold=True)
MEDIA_HEADER = tagged({"image": MEDIA, "video": MEDIA}, closed=True, fold=True)

"""What a person sets in WhatsApp: no more marketing messages of this business, or marketing again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_d360.api.reading import elements, event_time, mapping, text

NAME = "user_preferences"

_LONGEST_ID = 256
_VALUES = {"stop": True, "resume": False}


@dataclass(frozen=True, slots=True)
class PreferenceEvent:
    """
    Somebody stopped or resumed the marketing messages of this business.

    :param recipient: The person's number, or the user id of a person who hides it.
    :param stops: True for *stop*, False for *resume*.
    :param at: When, in Unix seconds; ``None`` without a readable time.
    :param user_id: The person's business-scoped user id; ``None`` when not stated.
    """

    recipient: str = field(repr=False)
    stops: bool
    at: float | None = None
    user_id: str | None = field(default=None, repr=False)


def read_preferences(value: Mapping[str, object]) -> tuple[list[PreferenceEvent], list[object]]:
    """
    Read the preferences of a change; return them, and the items that are something else.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/user_preferences

    :param value: The value of the change.
    """
    events: list[PreferenceEvent] = []
    others: list[object] = []
    for item in elements(value.get(NAME)):
        event = _read(mapping(item))
        if event is None:
            others.append(item)
        else:
            events.append(event)
    return events, others


def _read(item: Mapping[str, object]) -> PreferenceEvent | None:
    number, user_id = text(item.get("wa_id")), text(item.get("user_id"))
    recipient, value = number or user_id, item.get("value")
    is_known = item.get("category") == "marketing_messages" and isinstance(value, str) and value in _VALUES
    if recipient is None or len(recipient) > _LONGEST_ID or not is_known:
        return None
    return PreferenceEvent(recipient, _VALUES[str(value)], event_time(item.get("timestamp")), user_id)

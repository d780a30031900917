"""Rules for interactive messages, one table of types. Each type names its page."""

from __future__ import annotations

import unicodedata
from typing import Any

from airflow_provider_d360.emulator.content_rules import HEADER_MEDIA, URL
from airflow_provider_d360.emulator.responses import INVALID
from airflow_provider_d360.emulator.schema import (
    ANYTHING,
    Check,
    array,
    choice,
    distinct,
    every,
    exactly_one,
    matching,
    not_allowed,
    number,
    record,
    string,
    switch,
    tagged,
)

_TEXT = string(60)
_ANY_HEADER = tagged({"text": _TEXT, **HEADER_MEDIA})
_TEXT_HEADER = tagged({"text": _TEXT})


def _interactive(
    action: Check,
    *,
    most: int = 1024,
    body: bool = True,
    header: Check = _ANY_HEADER,
    header_required: bool = False,
    footer: bool = True,
) -> Check:
    """Check one type: ``most`` characters in the body, which may be left out when ``body`` is false."""
    text = {"body": record({"text": string(most)})}
    head = {"header": header}
    required = {
        "type": ANYTHING,
        "action": action,
        **(text if body else {}),
        **(head if header_required else {}),
    }
    foot = record({"text": string(60, least=0)}) if footer else not_allowed
    return record(required, {**text, **head, "footer": foot})


def _named(name: str, parameters: Check = ANYTHING, *, required: bool = False) -> Check:
    needed = {"name": choice(name), **({"parameters": parameters} if required else {})}
    return record(needed, {} if required else {"parameters": parameters})


_REPLY = record(
    {"id": every(string(256), matching(r"(?s)\S(.*\S)?", "without spaces around it")), "title": string(20)}
)
_LINK = _named("cta_url", record({"display_text": string(20), "url": URL}), required=True)


def _replies(each: Check, most: int) -> Check:
    return record(
        {
            "buttons": array(
                each,
                1,
                most,
                distinct(lambda one: one.get("reply", {}).get("id"), "button id"),
                distinct(lambda one: one.get("reply", {}).get("title"), "button title"),
            )
        }
    )


def _sections(key: str, most: int) -> Check:
    """Check all sections together: ``most`` items under ``key``, and a title as soon as there are two."""

    def check(value: Any, path: str) -> None:
        count = sum(len(section[key]) for section in value)
        if count > most:
            INVALID.reject(f"Total {key} count in {path} is {count}. Max allowed: {most}")
        if len(value) > 1 and not all(section.get("title") for section in value):
            INVALID.reject(f"Param {path}: a title is required when there is more than one section")

    return check


_ROW = record({"id": string(200), "title": string(24)}, {"description": string(72, least=0)})
_ROWS = array(_ROW, 1, None, distinct(lambda row: row["id"], "row id"))
_SECTION_TITLE = {"title": string(24, least=0)}
_LIST = record(
    {
        "button": string(20),
        "sections": array(record({"rows": _ROWS}, _SECTION_TITLE), 1, 10, _sections("rows", 10)),
    }
)
_PRODUCT = {"catalog_id": string(), "product_retailer_id": string()}
_PRODUCTS = array(record({"product_retailer_id": string()}), 1)
PRODUCT_SECTIONS = array(
    record({"product_items": _PRODUCTS}, _SECTION_TITLE), 1, 10, _sections("product_items", 30)
)


def _no_emoji(value: Any, path: str) -> None:
    if any(unicodedata.category(one) == "So" for one in value):
        INVALID.reject(f"Param {path} may hold no emoji")


def _flow_action(value: Any, path: str) -> None:
    if value.get("flow_id") is not None and value.get("flow_name") is not None:
        INVALID.reject(f"Param {path} may have flow_id or flow_name, not both")
    exactly_one("flow_id", "flow_name")(value, path)
    payload = value.get("flow_action_payload")
    if value.get("flow_action", "navigate") == "data_exchange" and payload is not None:
        INVALID.reject(f"Param {path}['flow_action_payload'] is for flow_action navigate only")


def filled(value: Any, path: str) -> None:
    """
    Check for an object with at least one key.

    :param value: The value.
    :param path: Its place.
    """
    if not isinstance(value, dict) or not value:
        INVALID.reject(f"Param {path} must be a non-empty object")


_FLOW = record(
    {"flow_message_version": choice("3"), "flow_cta": every(string(30), _no_emoji)},
    {
        "flow_id": string(),
        "flow_name": string(),
        "flow_token": string(least=0),
        "mode": choice("draft", "published"),
        "flow_action": choice("navigate", "data_exchange"),
        "flow_action_payload": record({"screen": string()}, {"data": filled}),
    },
    _flow_action,
)

_CARD_BODY = record({"text": every(string(160), matching(r"[^\n]*(\n[^\n]*){0,2}", "at most 3 lines"))})
_QUICK_REPLIES = record({"buttons": array(tagged({"quick_reply": _REPLY}), 1, 3)})


def _card_action(value: Any, path: str) -> None:
    replies = isinstance(value, dict) and "buttons" in value
    (_QUICK_REPLIES if replies else _LINK)(value, path)


_CARD = switch(
    "type",
    {
        "cta_url": record(
            {
                "card_index": number(0, 9, whole=True),
                "type": ANYTHING,
                "header": tagged({name: HEADER_MEDIA[name] for name in ("image", "video")}),
                "action": _card_action,
            },
            {"body": _CARD_BODY},
        ),
        "product": record(
            {"card_index": number(0, 9, whole=True), "type": ANYTHING, "action": record(_PRODUCT)},
        ),
    },
)


def _alike(value: Any, path: str) -> None:
    if len({len(card["action"].get("buttons", ())) for card in value}) > 1:
        INVALID.reject(f"Param {path}: all cards need the same number of buttons")


_CARDS = record(
    {"cards": array(_CARD, 2, 10, distinct(lambda card: int(card["card_index"]), "card_index"), _alike)}
)
_CALL = record(
    None,
    {
        "display_text": string(20),
        "ttl_minutes": number(1, 43200, whole=True),
        "payload": string(512, least=0),
    },
)
_AMOUNT = record(
    {"value": number(0, 1e18, whole=True), "offset": number(1, 1e6, whole=True)}, {"description": ANYTHING}
)
_ORDER_KEYS = ("type", "payment_settings", "payment_type", "payment_configuration", "order", "beneficiaries")
_ORDER = record(
    {"reference_id": string(35), "currency": matching("[A-Z]{3}", "a currency"), "total_amount": _AMOUNT},
    dict.fromkeys(_ORDER_KEYS, ANYTHING),
)
_ORDER_STATES = ("pending", "processing", "partially_shipped", "shipped", "completed", "canceled")
_ORDER_STATUS = record(
    {"reference_id": string(35)},
    {"order": record(None, {"status": choice(*_ORDER_STATES), "description": ANYTHING}), "payment": ANYTHING},
)
_NO_HEADER = not_allowed


def _interactives(buttons: Check) -> Check:
    return switch(
        "type",
        {
            "button": _interactive(buttons),
            "list": _interactive(_LIST, most=4096, header=_TEXT_HEADER),
            "cta_url": _interactive(_LINK),
            "flow": _interactive(_named("flow", _FLOW, required=True)),
            "product": _interactive(record(_PRODUCT), body=False, header=_NO_HEADER),
            "product_list": _interactive(
                record({"catalog_id": string(), "sections": PRODUCT_SECTIONS}),
                header=_TEXT_HEADER,
                header_required=True,
            ),
            "catalog_message": _interactive(
                _named("catalog_message", record(None, {"thumbnail_product_retailer_id": string()})),
                header=_NO_HEADER,
            ),
            "location_request_message": _interactive(
                record({"name": choice("send_location")}), header=_NO_HEADER, footer=False
            ),
            "address_message": _interactive(
                _named(
                    "address_message",
                    record({"country": matching("[A-Z]{2}", "a country")}, _ADDRESS),
                    required=True,
                )
            ),
            "carousel": _interactive(_CARDS, header=_NO_HEADER, footer=False),
            "call_permission_request": _interactive(_named("call_permission_request"), body=False),
            "voice_call": _interactive(_named("voice_call", _CALL), body=False),
            "order_details": _interactive(_named("review_and_pay", _ORDER, required=True)),
            "order_status": _interactive(_named("review_order", _ORDER_STATUS, required=True)),
        },
    )


_ADDRESS = dict.fromkeys(("values", "saved_addresses", "validation_errors"), ANYTHING)

# https://developers.facebook.com/documentation/business-messaging/whatsapp/messages (one page for each type)
INTERACTIVE = _interactives(_replies(tagged({"reply": _REPLY}), 3))
# Direct Send, which the key "category" asks for, takes up to ten buttons of several kinds.
DIRECT_INTERACTIVE = _interactives(
    _replies(record({"type": string()}, {"reply": _REPLY, "url": ANYTHING}), 10)
)

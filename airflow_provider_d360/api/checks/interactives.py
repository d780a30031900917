"""Interactive messages: buttons, lists, links, flows, products, carousels, orders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from airflow_provider_d360.api.checks.content import (
    CARD_HEADER,
    CURRENCY,
    HEADER,
    MESSAGES,
    META,
    TEXT_HEADER,
    URL,
)
from airflow_provider_d360.api.checks.grammar import (
    alike,
    distinct,
    every,
    exactly_one,
    items,
    record,
    sourced,
    switch,
    tagged,
    without,
)
from airflow_provider_d360.api.checks.spots import Check, Spot, Violation, elements, look
from airflow_provider_d360.api.checks.values import fitting, identifier, number, one_of, text

_PRODUCTS_PAGE = (
    "https://docs.360dialog.com/docs/waba-messaging/interactive-messages/single-and-multi-product-messages"
)

# Meta responds "Footer text length invalid. Min length: 0, Max length: 60", so an empty one passes.
_FOOTER = record({"text": text(60, least=0)})
_BODY = record({"text": text(1024)})

_REPLY = record(
    {
        "id": every(
            text(256, label=True),
            fitting(lambda value: value == value.strip(), "starts or ends with a space"),
        ),
        "title": text(20, label=True),
    }
)
_LINK = record(
    {
        "name": one_of("cta_url"),
        "parameters": record({"display_text": text(20), "url": URL}),
    }
)


def _listed(key: str, most: int) -> Check:
    """
    Check the sections of a list together: their items, and titles as soon as there are two sections.

    :param key: The key of a section's items.
    :param most: The most items in all sections.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        sections = elements(value)
        total = sum(len(elements(look(section, key))) for section in sections)
        if total > most:
            yield spot.bad(f"{total} {key} in all sections, at most {most}")
        for index, section in enumerate(sections):
            if len(sections) > 1 and look(section, "title") in (None, ""):
                yield spot.item(index).key("title").bad("missing, as there are more sections than one")

    return check


def _sections(key: str, each: Check, most: int) -> Check:
    section = record({key: each}, {"title": text(24, least=0, label=True)})
    return items(section, 1, 10, _listed(key, most))


_ROW = record(
    {"id": text(200, label=True), "title": text(24, label=True)},
    {"description": text(72, least=0, label=True)},
)
PRODUCTS = _sections("product_items", items(record({"product_retailer_id": identifier}), 1), 30)
_PRODUCT = {"catalog_id": identifier, "product_retailer_id": identifier}


def _card_action(value: object, spot: Spot) -> Iterator[Violation]:
    replies = record({"buttons": items(tagged({"quick_reply": _REPLY}), 1)})
    yield from (_LINK if look(value, "buttons") is None else replies)(value, spot)


_MEDIA_CARD = record(
    {"header": CARD_HEADER, "action": _card_action},
    {
        "body": record(
            {"text": every(text(160), fitting(lambda value: value.count("\n") <= 2, "at most 2 line breaks"))}
        )
    },
)
_CARDS = items(
    every(
        record({"card_index": number(0, 9, whole=True)}),
        switch({"cta_url": _MEDIA_CARD, "product": record({"action": record(_PRODUCT)})}),
    ),
    2,
    10,
    distinct("card_index"),
    alike(lambda card: len(elements(look(card, "action", "buttons"))), "action"),
)

# Meta: "flow_cta: … Maximum 30 characters recommended (no emoji)".
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf]")


def _not_empty(value: object, spot: Spot) -> Iterator[Violation]:
    if isinstance(value, Mapping) and not value:
        yield spot.bad("empty: leave it out")


FLOW_DATA = record(None, None, _not_empty)


def _no_payload_of_an_exchange(value: object, spot: Spot) -> Iterator[Violation]:
    if look(value, "flow_action") == "data_exchange" and look(value, "flow_action_payload") is not None:
        yield spot.key("flow_action_payload").bad("is for navigate only: your endpoint chooses the screen")


_FLOW = record(
    {
        "flow_message_version": identifier,
        "flow_cta": every(text(30), fitting(lambda value: not _EMOJI.search(value), "holds an emoji")),
    },
    {
        "flow_id": identifier,
        "flow_name": text(),
        "flow_token": text(least=0),
        "mode": one_of("draft", "published"),
        "flow_action": one_of("navigate", "data_exchange"),
        "flow_action_payload": record({"screen": text()}, {"data": FLOW_DATA}),
    },
    exactly_one("flow_id", "flow_name"),
    _no_payload_of_an_exchange,
)
_AMOUNT = record({"value": number(0, 1e18, whole=True), "offset": number(1, 1e6, whole=True)})
_REFERENCE = text(35)
_COUNTRY = every(text(), fitting(re.compile(r"[A-Z]{2}\Z").match, "must be two capital letters"))
_ORDER = record(
    {"reference_id": _REFERENCE, "currency": CURRENCY, "total_amount": _AMOUNT},
    {
        "type": one_of("digital-goods", "physical-goods"),
        "payment_settings": items(record()),
        "order": record(),
    },
)
_ORDER_STATUS = record(
    {"reference_id": _REFERENCE},
    {
        "order": record(
            None,
            {
                "status": one_of(
                    "pending", "processing", "partially_shipped", "shipped", "completed", "canceled"
                )
            },
        )
    },
)
_CALL = {"display_text": text(20), "ttl_minutes": number(1, 43200, whole=True), "payload": text(512, least=0)}


def _kind(
    page: str, action: Check, *, body: Check = _BODY, bodiless: bool = False, header: Check = HEADER
) -> Check:
    required = {"action": action} if bodiless else {"body": body, "action": action}
    optional = {"header": header, "footer": _FOOTER, **({"body": body} if bodiless else {})}
    return sourced(page, record(required, optional))


def _named(name: str, parameters: Check | None = None, *, needed: bool = False) -> Check:
    more = {} if parameters is None else {"parameters": parameters}
    required: Mapping[str, Check] = {"name": one_of(name), **(more if needed else {})}
    return record(required, {} if needed else more)


def interactive(*, direct: bool) -> Check:
    """
    Check the object under ``interactive``.

    :param direct: The message goes by Direct Send, which allows more buttons, and other kinds.
    """
    replies = items(
        tagged({"reply": _REPLY}, closed=not direct),
        1,
        10 if direct else 3,
        distinct("reply", "id"),
        distinct("reply", "title"),
    )
    rows = items(_ROW, 1, None, distinct("id"))
    return switch(
        {
            "button": _kind(f"{MESSAGES}/interactive-reply-buttons-messages", record({"buttons": replies})),
            "list": _kind(
                f"{MESSAGES}/interactive-list-messages",
                record({"button": text(20), "sections": _sections("rows", rows, 10)}),
                body=record({"text": text(4096)}),
                header=TEXT_HEADER,
            ),
            "cta_url": _kind(f"{MESSAGES}/interactive-cta-url-messages", _LINK),
            "flow": _kind(f"{META}/flows/guides/sendingaflow", _named("flow", _FLOW, needed=True)),
            "product": every(
                _kind(_PRODUCTS_PAGE, record(_PRODUCT), bodiless=True),
                sourced(_PRODUCTS_PAGE, without("header")),
            ),
            "product_list": every(
                _kind(
                    _PRODUCTS_PAGE,
                    record({"catalog_id": identifier, "sections": PRODUCTS}),
                    header=TEXT_HEADER,
                ),
                sourced(_PRODUCTS_PAGE, record({"header": record()})),
            ),
            "catalog_message": _kind(
                _PRODUCTS_PAGE,
                _named("catalog_message", record(None, {"thumbnail_product_retailer_id": identifier})),
            ),
            "location_request_message": every(
                _kind(f"{MESSAGES}/location-request-messages", _named("send_location")),
                sourced(f"{MESSAGES}/location-request-messages", without("header", "footer")),
            ),
            "address_message": _kind(
                f"{MESSAGES}/address-messages",
                _named("address_message", record({"country": _COUNTRY}), needed=True),
            ),
            "carousel": every(
                _kind(f"{MESSAGES}/interactive-media-carousel-messages", record({"cards": _CARDS})),
                sourced(f"{MESSAGES}/interactive-media-carousel-messages", without("header", "footer")),
            ),
            "call_permission_request": _kind(
                f"{META}/calling/user-call-permissions", _named("call_permission_request"), bodiless=True
            ),
            "voice_call": _kind(
                f"{META}/calling/call-button-messages-deep-links",
                _named("voice_call", record(None, _CALL)),
                bodiless=True,
            ),
            "order_details": _kind(
                f"{META}/payments/payments-br/orders", _named("review_and_pay", _ORDER, needed=True)
            ),
            "order_status": _kind(
                f"{META}/payments/payments-br/orders",
                _named("review_order", _ORDER_STATUS, needed=True),
            ),
        }
    )

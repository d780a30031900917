"""Carousels: cards side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from airflow_provider_d360.messages.interactives import (
    InteractiveMessage,
    Pairs,
    interactive,
    link_action,
    reply_buttons,
)
from airflow_provider_d360.messages.media import ImageMessage, VideoMessage
from airflow_provider_d360.messages.values import String


class _Card(TypedDict):
    type: String


class Card(_Card, total=False):
    """One card, without its place in the row."""

    header: ImageMessage | VideoMessage
    body: Mapping[str, String]
    action: Mapping[str, object]


def carousel(body: String, cards: Sequence[Card]) -> InteractiveMessage:
    """
    Build a message with 2 to 10 cards side by side.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you. Each card has an image
    or a video, and all have as many buttons of the same kind. The message itself has no header and no footer.

    :param body: At most 1024 characters.
    :param cards: What :func:`link_card`, :func:`reply_card` or :func:`product_card` return.
    """
    numbered: object = cards
    if isinstance(cards, (list, tuple)):
        numbered = [{"card_index": index, **card} for index, card in enumerate(cards)]
    return interactive("carousel", {"cards": numbered}, body)


def link_card(
    header: ImageMessage | VideoMessage, display_text: String, url: String, *, body: String | None = None
) -> Card:
    """
    Build a card of :func:`carousel` with a button that opens a link.

    :param header: What :func:`image` or :func:`video` return.
    :param display_text: The button's text; at most 20 characters.
    :param url: The ``http(s)`` address to open.
    :param body: At most 160 characters, with at most two line breaks.
    """
    return _card(header, link_action(display_text, url), body)


def reply_card(header: ImageMessage | VideoMessage, choices: Pairs, *, body: String | None = None) -> Card:
    """
    Build a card of :func:`carousel` with reply buttons.

    :param header: What :func:`image` or :func:`video` return.
    :param choices: What a reply brings back and what the button says; at most 256 and 20 characters.
    :param body: At most 160 characters, with at most two line breaks.
    """
    return _card(header, {"buttons": reply_buttons("quick_reply", choices)}, body)


def product_card(catalog_id: String, product_retailer_id: String) -> Card:
    """
    Build a card of :func:`carousel` that shows one product. All cards must name the same catalogue.

    :param catalog_id: The catalogue that is connected to your number.
    :param product_retailer_id: The product's id in it.
    """
    return {
        "type": "product",
        "action": {"product_retailer_id": product_retailer_id, "catalog_id": catalog_id},
    }


def _card(header: ImageMessage | VideoMessage, action: Mapping[str, object], body: String | None) -> Card:
    # Meta's examples say cta_url for cards with reply buttons, too.
    card: Card = {"type": "cta_url", "header": header}
    if body is not None:
        card["body"] = {"text": body}
    card["action"] = action
    return card

"""Products, catalogues and orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, TypedDict

from airflow_provider_d360.messages.interactives import InteractiveMessage, Title, interactive, without_none
from airflow_provider_d360.messages.values import String

ProductSections: TypeAlias = "Mapping[str, Sequence[str]]"


class Amount(TypedDict):
    """A sum of money: ``value`` divided by ``offset``, so 12.30 is ``{"value": 1230, "offset": 100}``."""

    value: int
    offset: int


def product(
    catalog_id: String,
    product_retailer_id: String,
    *,
    body: String | None = None,
    footer: String | None = None,
) -> InteractiveMessage:
    """
    Build a message that shows one product. It has no header.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param catalog_id: The catalogue that is connected to your number.
    :param product_retailer_id: The product's id in it.
    :param body: At most 1024 characters.
    :param footer: At most 60 characters.
    """
    action = {"catalog_id": catalog_id, "product_retailer_id": product_retailer_id}
    return interactive("product", action, body, None, footer)


def product_list(
    header: String,
    body: String,
    catalog_id: String,
    sections: ProductSections,
    *,
    footer: String | None = None,
) -> InteractiveMessage:
    """
    Build a message that shows up to 30 products in up to 10 sections.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param header: A text of at most 60 characters; this one is not optional.
    :param body: At most 1024 characters.
    :param catalog_id: The catalogue that is connected to your number.
    :param sections: ``{title: [product id, …]}``. Titles have at most 24 characters.
    :param footer: At most 60 characters.
    """
    action = {"catalog_id": catalog_id, "sections": product_sections(sections)}
    return interactive("product_list", action, body, header, footer)


def catalog_message(
    body: String, *, thumbnail_product_retailer_id: String | None = None, footer: String | None = None
) -> InteractiveMessage:
    """
    Build a message with a button that opens your catalogue.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param body: At most 1024 characters.
    :param thumbnail_product_retailer_id: The product whose picture is shown; the first one without it.
    :param footer: At most 60 characters.
    """
    parameters = without_none(thumbnail_product_retailer_id=thumbnail_product_retailer_id)
    action = {"name": "catalog_message", **without_none(parameters=parameters or None)}
    return interactive("catalog_message", action, body, None, footer)


def order_details(
    body: String,
    *,
    reference_id: String,
    goods: Literal["digital-goods", "physical-goods"],
    currency: String,
    total_amount: Amount,
    payment_settings: Sequence[Mapping[str, object]] | None = None,
    payment_type: String | None = None,
    order: Mapping[str, object] | None = None,
    header: Title | None = None,
    footer: String | None = None,
) -> InteractiveMessage:
    """
    Build a bill to be paid inside WhatsApp, in Brazil, India and Singapore.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param body: At most 1024 characters.
    :param reference_id: Your number of the order: at most 35 characters, new for each order.
    :param goods: ``digital-goods`` or ``physical-goods``.
    :param currency: Three letters, such as ``BRL``.
    :param total_amount: The sum to pay.
    :param payment_settings: How to pay; the shape differs by country.
    :param payment_type: ``br`` in Brazil.
    :param order: The items; optional in Brazil.
    :param header: A text of at most 60 characters, or what :func:`image`, :func:`video` or :func:`document`
        return.
    :param footer: At most 60 characters.
    """
    parameters = {
        "reference_id": reference_id,
        "type": goods,
        **without_none(payment_type=payment_type, payment_settings=payment_settings),
        "currency": currency,
        "total_amount": total_amount,
        **without_none(order=order),
    }
    return interactive(
        "order_details", {"name": "review_and_pay", "parameters": parameters}, body, header, footer
    )


def order_status(
    body: String,
    *,
    reference_id: String,
    status: String | None = None,
    description: String | None = None,
    payment: Mapping[str, object] | None = None,
    footer: String | None = None,
) -> InteractiveMessage:
    """
    Build a message about the status of an order that :func:`order_details` opened.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param body: At most 1024 characters.
    :param reference_id: The ``reference_id`` of that order.
    :param status: ``pending``, ``processing``, ``partially_shipped``, ``shipped``, ``completed`` or
        ``canceled``.
    :param description: Why.
    :param payment: The payment, with ``status`` and ``timestamp``; Brazil only.
    :param footer: At most 60 characters.
    """
    order = without_none(status=status, description=description)
    parameters = {"reference_id": reference_id, **without_none(order=order or None, payment=payment)}
    return interactive("order_status", {"name": "review_order", "parameters": parameters}, body, None, footer)


def product_sections(sections: object) -> object:
    """
    Build the sections of a product list, and of a template's products button.

    :param sections: ``{title: [product id, …]}``; anything else is returned as it is.
    """
    if isinstance(sections, Mapping):
        return [{"title": title, "product_items": _items(products)} for title, products in sections.items()]
    return sections


def _items(products: object) -> object:
    if isinstance(products, (list, tuple)):
        return [{"product_retailer_id": product} for product in products]
    return products

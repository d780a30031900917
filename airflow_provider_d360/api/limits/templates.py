"""Templates, and what fills their blanks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_provider_d360.api.limits.content import MEDIA, META, PLACE
from airflow_provider_d360.api.limits.grammar import (
    Check,
    Spot,
    Violation,
    distinct,
    elements,
    every,
    fitting,
    identifier,
    items,
    number,
    one_of,
    record,
    sourced,
    switch,
    tagged,
    text,
)
from airflow_provider_d360.api.limits.interactives import PRODUCTS

TEMPLATES = f"{META}/templates"

_UNFIT = re.compile(r"[\r\n\t]| {5}")
_FIT = fitting(
    lambda value: not _UNFIT.search(value),
    'holds a newline, a tab or more than 4 spaces in a row: flatten it with on_newline="flatten"',
)
_MONEY = record({"fallback_value": text(), "code": text(), "amount_1000": number(-1e18, 1e18)})
_VALUES: dict[str, Check] = {
    "currency": _MONEY,
    "date_time": record({"fallback_value": text()}),
    "image": MEDIA,
    "video": MEDIA,
    "document": MEDIA,
    "location": PLACE,
    "product": record({"product_retailer_id": identifier, "catalog_id": identifier}),
    "payload": text(),
    "coupon_code": text(),
    "action": record(None, {"sections": PRODUCTS}),
    "limited_time_offer": record({"expiration_time_ms": number(0, 1e15)}),
}


def _blanks(most: int | None) -> Check:
    return items(
        every(
            tagged({**_VALUES, "text": every(text(most), _FIT)}, fold=True),
            record(None, {"parameter_name": text()}),
        )
    )


_BUTTON = record(
    {"sub_type": text(), "index": number(0, 9, whole=True)},
    {"parameters": items(tagged({**_VALUES, "text": text()}, fold=True))},
)


def _component(most: int) -> dict[str, Check]:
    """List the components, where a text of the body has so many characters at most."""
    return {
        "header": record(None, {"parameters": _blanks(60)}),
        "body": record(None, {"parameters": _blanks(most)}),
        "button": _BUTTON,
        "limited_time_offer": record({"parameters": items(tagged(_VALUES, fold=True), 1)}),
    }


_CARD = record(
    {
        "card_index": number(0, 9, whole=True),
        "components": items(switch(_component(1024), fold=True)),
    }
)
_CAROUSEL = sourced(
    f"{TEMPLATES}/marketing-templates/media-card-carousel-templates",
    record({"cards": items(_CARD, 1, 10, distinct("card_index"))}),
)


def _components(value: object, spot: Spot) -> Iterator[Violation]:
    # Meta: 1024 characters when other components are there, 32768 when the body is alone.
    most = 32768 if len(elements(value)) == 1 else 1024
    yield from items(switch({**_component(most), "carousel": _CAROUSEL}, fold=True))(value, spot)


def template(*, namespaced: bool) -> Check:
    """
    Check what stands under ``template``.

    :param namespaced: The hosting wants to be told the template's namespace.
    """
    required = {
        "name": text(512),
        "language": record({"code": text()}, {"policy": one_of("deterministic")}),
        **({"namespace": text()} if namespaced else {}),
    }
    return sourced(f"{TEMPLATES}/components", record(required, {"components": _components}))

"""Template messages: the parameters of header, body, buttons and cards."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_provider_d360.api.checks import positions
from airflow_provider_d360.api.checks.content import CURRENCY, LOCATION, META, media
from airflow_provider_d360.api.checks.grammar import (
    distinct,
    every,
    inside,
    items,
    record,
    refused,
    sourced,
    switch,
    tagged,
)
from airflow_provider_d360.api.checks.interactives import FLOW_DATA, PRODUCTS
from airflow_provider_d360.api.checks.spots import Check, Spot, Violation, elements, look
from airflow_provider_d360.api.checks.values import fitting, identifier, number, one_of, text

TEMPLATES = f"{META}/templates"

_UNFIT = re.compile(r"[\r\n\t]| {5}")
_FIT = fitting(
    lambda value: not _UNFIT.search(value),
    'holds a newline, a tab or more than 4 spaces in a row: flatten it with on_newline="flatten"',
)
_CODE = fitting(
    re.compile(r"[A-Za-z]{2,3}(_[A-Za-z0-9]{2,4})?").fullmatch,
    "must be written like en_US, with an underscore",
)


def _titled(value: object, spot: Spot) -> Iterator[Violation]:
    if not look(value, "filename"):
        yield spot.key("filename").bad("missing: without one the document arrives as Untitled")


_TEXTS: dict[str, Check] = {
    "currency": record(
        {"fallback_value": text(), "code": CURRENCY, "amount_1000": number(-1e18, 1e18, whole=True)}
    ),
    "date_time": record({"fallback_value": text()}),
}
_MEDIA: dict[str, Check] = {
    "image": media(),
    "video": media(),
    "document": every(media("filename"), _titled),
    "location": LOCATION,
    "product": record({"product_retailer_id": identifier, "catalog_id": identifier}),
}
_BUTTON_VALUES = ("payload", "coupon_code", "action", "limited_time_offer")


def _milliseconds(value: object, spot: Spot) -> Iterator[Violation]:
    if isinstance(value, int) and 0 <= value < 1e12:  # before September 2001
        yield spot.bad("is in the past: give milliseconds since 1970, not seconds")


_EXPIRY = inside("expiration_time_ms", every(number(0, 1e15, whole=True), _milliseconds))


def _misplaced(kinds: tuple[str, ...], component: str) -> dict[str, Check]:
    return {kind: refused("type", f"{kind} is no parameter of a {component}") for kind in kinds}


def _parameters(component: str, most_characters: int) -> Check:
    """Check the parameters of a header, which takes one, or of a body."""
    kinds = {**_TEXTS, "text": every(text(most_characters), _FIT)}
    misplaced = _misplaced((*_BUTTON_VALUES, *(() if component == "header" else _MEDIA)), component)
    content = tagged({**kinds, **(_MEDIA if component == "header" else {})}, capitals=True, flat=True)
    wrong = switch(misplaced, capitals=True)
    is_header = component == "header"
    each = every(content, wrong, record(None, {"parameter_name": text(label=True)}))
    naming = positions.only_parameter if is_header else positions.parameter
    most = 1 if is_header else None
    return inside(
        "parameters",
        items(each, 0, most, distinct("parameter_name"), _all_named, spot_of=naming),
        optional=True,
    )


def _all_named(value: object, spot: Spot) -> Iterator[Violation]:
    """Refuse parameters of which some have a name and some have none."""
    names = [look(item, "parameter_name") for item in elements(value)]
    if any(names) and not all(names):
        for index, item in enumerate(elements(value)):
            if not names[index]:
                yield positions.parameter(spot, index, item).bad("has no parameter_name, and others have one")


def _one(kind: str, check: Check) -> Check:
    """Expect one parameter of this kind."""
    each = tagged({kind: check}, closed=True, capitals=True, flat=True)
    return inside("parameters", items(each, 1, 1, spot_of=positions.only_parameter))


def _at_most_one_action(check: Check) -> Check:
    each = tagged({"action": check}, closed=True, capitals=True, flat=True)
    return inside("parameters", items(each, 0, 1, spot_of=positions.only_parameter), optional=True)


_SUB_TYPES: dict[str, Check] = {
    "url": _one("text", text()),
    "quick_reply": _one("payload", text()),
    "copy_code": _one("coupon_code", text(20)),
    "mpm": _one("action", record({"thumbnail_product_retailer_id": identifier, "sections": PRODUCTS})),
    "flow": _at_most_one_action(
        record(None, {"flow_token": text(least=0), "flow_action_data": FLOW_DATA}),
    ),
    "catalog": _at_most_one_action(record(None, {"thumbnail_product_retailer_id": identifier})),
    "phone_number": refused("sub_type", "phone_number buttons take no parameters: leave this button out"),
}
_ANY_BUTTON = inside(
    "parameters",
    items(tagged({"text": text()}, capitals=True, flat=True), spot_of=positions.only_parameter),
    optional=True,
)


def _button(value: object, spot: Spot) -> Iterator[Violation]:
    yield from record({"sub_type": text(), "index": number(0, 9, whole=True)})(value, spot)
    kind = look(value, "sub_type")
    known = positions.lower(value, "sub_type")
    if known in _SUB_TYPES and kind not in (known, known.upper()):
        yield spot.key("sub_type").bad(f"must be written {known}")
    yield from _SUB_TYPES.get(known, _ANY_BUTTON)(value, spot)


def _fixed(value: object, spot: Spot) -> Iterator[Violation]:
    kind = positions.lower(value, "type")
    yield spot.key("type").bad(f"{kind} belongs to the template; a message fills header, body and button")


def _component(most_characters: int) -> dict[str, Check]:
    """
    List the components of a message or a card.

    :param most_characters: The most characters of a text of the body.
    """
    return {
        "header": _parameters("header", 60),
        "body": _parameters("body", most_characters),
        "button": _button,
        "limited_time_offer": _one("limited_time_offer", _EXPIRY),
        "footer": _fixed,
        "buttons": _fixed,
    }


def _once(value: object, spot: Spot) -> Iterator[Violation]:
    """Refuse a component or a button that is there twice."""
    seen: set[str] = set()
    for index, item in enumerate(elements(value)):
        place = positions.component(spot, index, item)
        name = place.path
        if positions.lower(item, "type") in _UNIQUE and name in seen:
            yield place.bad("given twice")
        seen.add(name)


_UNIQUE = ("header", "body", "button", "limited_time_offer", "carousel")
_CARD = record(
    {
        "card_index": number(0, 9, whole=True),
        "components": items(
            switch(_component(1024), capitals=True), 0, None, _once, spot_of=positions.component
        ),
    }
)
_CAROUSEL = sourced(
    f"{TEMPLATES}/marketing-templates/media-card-carousel-templates",
    inside("cards", items(_CARD, 1, 10, distinct("card_index"))),
)


def _components(value: object, spot: Spot) -> Iterator[Violation]:
    # Meta: 1024 characters when other components are there, 32768 when the body is alone.
    most = 32768 if len(elements(value)) == 1 else 1024
    each = switch({**_component(most), "carousel": _CAROUSEL}, capitals=True)
    yield from items(each, 0, None, _once, spot_of=positions.component)(value, spot)


def template(*, namespaced: bool) -> Check:
    """
    Check the object under ``template``.

    :param namespaced: The hosting needs the template's namespace.
    """
    required = {
        "name": every(text(512), fitting(re.compile(r"\S+").fullmatch, "holds a space or a newline")),
        "language": record({"code": every(text(), _CODE)}, {"policy": one_of("deterministic")}),
        **({"namespace": text()} if namespaced else {}),
    }
    return sourced(f"{TEMPLATES}/components", record(required, {"components": _components}))

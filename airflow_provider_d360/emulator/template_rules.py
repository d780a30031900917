"""
Rules for the value of ``template`` in a message that do not depend on the template.

https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/components
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from airflow_provider_d360.emulator.content_rules import HEADER_MEDIA, LOCATION
from airflow_provider_d360.emulator.interactive_rules import PRODUCT_SECTIONS, filled
from airflow_provider_d360.emulator.responses import (
    FORMAT_MISMATCH,
    INVALID_BODY,
    MISSING,
    TEMPLATE_TEXT_TOO_LONG,
    WRONG_TEMPLATE_PARAMETERS,
)
from airflow_provider_d360.emulator.schema import (
    ANYTHING,
    Check,
    array,
    choice,
    distinct,
    every,
    matching,
    number,
    record,
    string,
    switch,
    tagged,
)

_UNFIT = re.compile(r"[\r\n\t]| {5}")
_MONEY = record(
    {
        "fallback_value": string(),
        "code": matching("[A-Z]{3}", "a currency code"),
        "amount_1000": number(-1e18, 1e18, whole=True),
    }
)


def _one_line(value: Any, path: str) -> None:
    if _UNFIT.search(value):
        WRONG_TEMPLATE_PARAMETERS.reject(
            f"Param {path} cannot have new-line/tab characters or more than 4 consecutive spaces"
        )


def _text(most: int | None) -> Check:
    return every(string(most, empty=MISSING, too_long=TEMPLATE_TEXT_TOO_LONG), _one_line)


def _parameters(allowed: Callable[[int | None], dict[str, Check]], most: int | None) -> Check:
    """Check parameters: known ones that are not ``allowed`` here have the wrong format."""
    known = {**_VALUES, **allowed(most)}
    each = tagged(known, {"parameter_name": string()}, fold=True, missing=INVALID_BODY)

    def check(value: Any, path: str) -> None:
        each(value, path)
        kind = value["type"].lower()
        if kind not in allowed(most):
            FORMAT_MISMATCH.reject(f"Format mismatch, {path} cannot be of type {kind}")

    return array(check, 0, None, _names)


def _names(value: Any, path: str) -> None:
    names = [one.get("parameter_name") for one in value]
    if None in names and any(names):
        WRONG_TEMPLATE_PARAMETERS.reject(f"Param {path}: parameter_name must be set for all or for none")
    distinct(lambda one: one.get("parameter_name"), "parameter_name", WRONG_TEMPLATE_PARAMETERS)(value, path)


_PRODUCTS = {"thumbnail_product_retailer_id": string(), "sections": PRODUCT_SECTIONS}
_FLOW_ACTION = record(None, {"flow_token": string(least=0), "flow_action_data": filled, **_PRODUCTS})
_VALUES: dict[str, Check] = {
    **HEADER_MEDIA,
    "text": _text(None),
    "currency": _MONEY,
    "date_time": record(
        {"fallback_value": string()},
        dict.fromkeys(
            ("day_of_week", "year", "month", "day_of_month", "hour", "minute", "calendar"), ANYTHING
        ),
    ),
    "location": LOCATION,
    "product": record({"product_retailer_id": string(), "catalog_id": string()}),
    "payload": string(128, empty=MISSING),
    "coupon_code": string(15, empty=MISSING),
    "action": _FLOW_ACTION,
    "limited_time_offer": record({"expiration_time_ms": number(1e12, 1e15, whole=True)}),
    "tap_target_configuration": ANYTHING,
    "order_status": ANYTHING,
}


def _of(*names: str) -> Callable[[int | None], dict[str, Check]]:
    return lambda most: (
        {name: _VALUES[name] for name in names} | ({"text": _text(most)} if "text" in names else {})
    )


_HEADER = _of("text", "currency", "date_time", "image", "video", "document", "location", "product")
_BODY = _of("text", "currency", "date_time")
# Which parameter a button takes, and whether it can do without.
_BUTTON_PARAMETERS = {
    "quick_reply": ("payload", False),
    "url": ("text", True),
    "copy_code": ("coupon_code", True),
    "catalog": ("action", False),
    "flow": ("action", False),
    "mpm": ("action", True),
    "voice_call": ("payload", False),
    "order_details": ("action", True),
}


def _button(sub_type: str) -> Check:
    parameter, needed = _BUTTON_PARAMETERS[sub_type]
    parameters = _parameters(_of(parameter), None)

    def at_least_one(value: Any, path: str) -> None:
        if needed and not value.get("parameters"):
            MISSING.reject(f"Param {path}: a button of type {sub_type} requires a parameter")
        if len(value.get("parameters") or ()) > 1:
            WRONG_TEMPLATE_PARAMETERS.reject(f"Param {path}: a button takes one parameter")
        if sub_type == "mpm":
            record(_PRODUCTS)(value["parameters"][0]["action"], f"{path}['action']")

    return record(
        {"sub_type": ANYTHING, "index": number(0, 9, whole=True)},
        {"type": ANYTHING, "parameters": parameters},
        at_least_one,
    )


_BUTTON = switch("sub_type", {name: _button(name) for name in _BUTTON_PARAMETERS}, fold=True)


def _single(value: Any, path: str) -> None:
    if len(value) > 1:
        WRONG_TEMPLATE_PARAMETERS.reject(f"Param {path}: a header takes one parameter")


def _place(component: Any) -> tuple[str, int] | None:
    kind = component["type"].lower()
    return (kind, int(component["index"]) if kind == "button" else 0)


def _components(most: int, more: dict[str, Check] | None = None) -> Check:
    each = switch(
        "type",
        {
            "header": record(
                None, {"type": ANYTHING, "parameters": every(_parameters(_HEADER, 60), _single)}
            ),
            "body": record(None, {"type": ANYTHING, "parameters": _parameters(_BODY, most)}),
            "button": _BUTTON,
            **(more or {}),
        },
        fold=True,
    )
    return array(each, 0, None, distinct(_place, "component"))


_CARD = record({"card_index": number(0, 9, whole=True), "components": _components(1024)})
_CARDS = record(
    {
        "type": ANYTHING,
        "cards": array(_CARD, 1, 10, distinct(lambda card: int(card["card_index"]), "card_index")),
    }
)
_OFFER = record(
    {
        "type": ANYTHING,
        "parameters": array(tagged({"limited_time_offer": _VALUES["limited_time_offer"]}), 1, 1),
    }
)
_MORE = {"carousel": _CARDS, "limited_time_offer": _OFFER, "order_status": ANYTHING}
# A body alone may be longer than one beside other components.
_ALONE, _BESIDE_OTHERS = _components(32768, _MORE), _components(1024, _MORE)


def _all_components(value: Any, path: str) -> None:
    (_ALONE if isinstance(value, list) and len(value) == 1 else _BESIDE_OTHERS)(value, path)


_LANGUAGE = matching("[A-Za-z]{2,3}(_[A-Za-z0-9]{2,4})?", "a language code")


def _template(*, namespaced: bool) -> Check:
    required = {
        "name": every(string(512), matching(r"\S*", "a template's name")),
        "language": record({"code": _LANGUAGE}, {"policy": choice("deterministic")}),
        **({"namespace": string()} if namespaced else {}),
    }
    optional = {"components": _all_components, **({} if namespaced else {"namespace": string()})}
    return record(required, optional)


TEMPLATE = _template(namespaced=False)
ON_PREMISE_TEMPLATE = _template(namespaced=True)

"""A template message compared with its template: counts, names, formats, buttons and cards."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_d360.emulator.records import JSONObject
from airflow_provider_d360.emulator.responses import (
    COUNT_MISMATCH,
    FORMAT_MISMATCH,
    MISSING,
    WRONG_TEMPLATE_PARAMETERS,
)

PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MEDIA = frozenset({"image", "video", "document", "location", "product"})
_SUB_TYPES = {"otp": "url", "multi_product": "mpm", "spm": "mpm"}
_REQUIRED = frozenset({"copy_code", "flow", "mpm", "otp"})


def placeholders(text: object) -> list[str]:
    """
    List the placeholders of a text, each once.

    :param text: The text of a component, or anything else, which has none.
    """
    return list(dict.fromkeys(PLACEHOLDER.findall(text))) if isinstance(text, str) else []


def check_fit(components: list[JSONObject], definition: list[JSONObject]) -> None:
    """
    Compare the components of a message with its template's components.

    :param components: The components of the message, already checked by themselves.
    :param definition: The components of the template, as it was created.
    :raises InvalidError: when they do not fit.
    """
    sent = {_kind(one): one for one in components if _kind(one) != "button"}
    parts = {_kind(one): one for one in definition}
    for kind in ("header", "body"):
        parameters = sent.get(kind, {}).get("parameters") or []
        _check_text_or_media(
            kind, parameters, parts.get(kind, {}), authentication=_is_authentication(definition)
        )
    buttons = [one for one in components if _kind(one) == "button"]
    _check_buttons(buttons, parts.get("buttons", {}).get("buttons") or [])
    _check_cards(sent.get("carousel"), parts.get("carousel"))
    offer = parts.get("limited_time_offer", {}).get("limited_time_offer") or {}
    if offer.get("has_expiration") and "limited_time_offer" not in sent:
        MISSING.reject("The template requires a limited_time_offer component")


def _check_text_or_media(
    kind: str, parameters: list[JSONObject], part: JSONObject, *, authentication: bool
) -> None:
    media = str(part.get("format", "")).lower()
    if kind == "header" and media in _MEDIA:
        received = [_kind(one) for one in parameters]
        if received != [media]:
            shown = ", ".join(received) or "UNKNOWN"
            FORMAT_MISMATCH.reject(f"header: Format mismatch, expected {media.upper()}, received {shown}")
        return
    names = ["1"] if authentication and kind == "body" else placeholders(part.get("text"))
    if len(parameters) != len(names):
        COUNT_MISMATCH.reject(
            f"{kind}: number of localizable_params ({len(parameters)}) does not match the expected number of "
            f"params ({len(names)})"
        )
    if any(_kind(one) in _MEDIA for one in parameters):
        FORMAT_MISMATCH.reject(f"{kind}: Format mismatch, expected TEXT")
    _check_names(kind, [one.get("parameter_name") for one in parameters], names)


def _check_names(kind: str, sent: list[Any], names: list[str]) -> None:
    named = any(not name.isdecimal() for name in names)
    if named and set(sent) != set(names):
        FORMAT_MISMATCH.reject(f"{kind}: Parameter name is missing, empty or not one of the template's")
    if not named and any(name is not None for name in sent):
        FORMAT_MISMATCH.reject(f"{kind}: The template has numbered parameters, not named ones")


def _check_buttons(sent: list[JSONObject], buttons: list[JSONObject]) -> None:
    by_index = {int(one["index"]): one for one in sent}
    for index, one in by_index.items():
        if index >= len(buttons):
            WRONG_TEMPLATE_PARAMETERS.reject(f"buttons: The template has no button at index {index}")
        kind = _kind(buttons[index])
        if one["sub_type"].lower() != _SUB_TYPES.get(kind, kind):
            WRONG_TEMPLATE_PARAMETERS.reject(f"buttons: Button at index {index} is of type {kind}")
        if kind == "url" and one.get("parameters") and not placeholders(buttons[index].get("url")):
            WRONG_TEMPLATE_PARAMETERS.reject(f"buttons: Button at index {index} takes no parameter")
    for index, button in enumerate(buttons):
        kind = _kind(button)
        required = kind in _REQUIRED or (kind == "url" and bool(placeholders(button.get("url"))))
        if required and index not in by_index:
            MISSING.reject(f"buttons: Button at index {index} of type {kind} requires a parameter")


def _check_cards(sent: JSONObject | None, part: JSONObject | None) -> None:
    if part is None and sent is None:
        return
    if part is None or sent is None:
        WRONG_TEMPLATE_PARAMETERS.reject("carousel: Message and template must both have a carousel, or none")
    cards, definition = sent["cards"], part["cards"]
    # A carousel of products is created with two cards and sent with up to ten: the last one stands for all.
    products = any(
        str(one.get("format", "")).lower() == "product" for card in definition for one in card["components"]
    )
    if not products and len(cards) != len(definition):
        COUNT_MISMATCH.reject(f"carousel: number of cards ({len(cards)}) does not match ({len(definition)})")
    for place, card in enumerate(cards):
        check_fit(card["components"], definition[min(place, len(definition) - 1)]["components"])


def _is_authentication(definition: list[JSONObject]) -> bool:
    buttons = [one for part in definition for one in part.get("buttons") or ()]
    return any(_kind(one) == "otp" for one in buttons)


def _kind(value: JSONObject) -> str:
    return str(value.get("type", "")).lower()

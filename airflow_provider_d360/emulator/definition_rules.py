"""
Rules for creating and changing templates.

https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/components
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_d360.emulator.content_rules import URL
from airflow_provider_d360.emulator.records import JSONObject
from airflow_provider_d360.emulator.responses import INVALID_BODY, MISSING
from airflow_provider_d360.emulator.schema import expect_object
from airflow_provider_d360.emulator.template_fit import PLACEHOLDER, placeholders

CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")
_COMPONENTS = frozenset(
    {"HEADER", "BODY", "FOOTER", "BUTTONS", "CAROUSEL", "LIMITED_TIME_OFFER", "CALL_PERMISSION_REQUEST"}
)
_FORMATS = frozenset({"TEXT", "IMAGE", "VIDEO", "DOCUMENT", "LOCATION", "PRODUCT", "GIF"})
_MOST_BUTTONS = {
    "URL": 2,
    "PHONE_NUMBER": 1,
    "COPY_CODE": 1,
    "FLOW": 1,
    "CATALOG": 1,
    "MPM": 1,
    "SPM": 1,
    "OTP": 1,
    "VOICE_CALL": 1,
    "QUICK_REPLY": 10,
    "REQUEST_CONTACT_INFO": 1,
    "APP": 1,
}
_WITHOUT_TEXT = frozenset({"OTP", "COPY_CODE"})
_REQUIRED_KEY = {"URL": "url", "PHONE_NUMBER": "phone_number", "OTP": "otp_type"}
_OTP_TYPES = frozenset({"COPY_CODE", "ONE_TAP", "ZERO_TAP"})
# Seconds: "Configure message time-to-live" of Meta's documentation; -1 means 30 days.
_TTL_SECONDS = {"AUTHENTICATION": (30, 900), "UTILITY": (30, 43_200), "MARKETING": (43_200, 2_592_000)}


def check_definition(body: JSONObject) -> None:
    """
    Check the body that creates a template.

    :param body: The body of the request.
    :raises InvalidError: when the service would reject it at once.
    """
    for name in ("name", "category", "language", "components"):
        if not body.get(name):
            MISSING.reject(f"The parameter {name} is required.")
    if not isinstance(body["name"], str) or not re.fullmatch(r"[a-z0-9_]{1,512}", body["name"]):
        INVALID_BODY.reject("Param name may hold lower-case letters, digits and underscores, at most 512")
    if not isinstance(body["language"], str) or not re.fullmatch(
        r"[a-z]{2,3}(_[A-Z]{2,3})?", body["language"]
    ):
        INVALID_BODY.reject("Param language must be a language code such as en_US")
    check_category(body["category"])
    low, high = _TTL_SECONDS[body["category"]]
    ttl = body.get("message_send_ttl_seconds")
    if ttl is not None and not (isinstance(ttl, int) and (ttl == -1 or low <= ttl <= high)):
        INVALID_BODY.reject(f"Param message_send_ttl_seconds must be between {low} and {high}, or -1")
    check_components(body["components"], body["category"], body.get("parameter_format"))


def check_category(category: Any) -> None:
    """
    Check a category.

    :param category: The value of ``category``.
    :raises InvalidError: when there is no such category.
    """
    if category not in CATEGORIES:
        INVALID_BODY.reject(f"Param category must be one of {{{', '.join(CATEGORIES)}}}")


def check_components(components: Any, category: str, parameter_format: Any = None) -> None:
    """
    Check the components of a template.

    :param components: The value of ``components``.
    :param category: The category of the template.
    :param parameter_format: ``NAMED`` or ``POSITIONAL``; positional when it is ``None``.
    :raises InvalidError: when the service would reject them.
    """
    if not isinstance(components, list) or not all(isinstance(one, dict) for one in components):
        INVALID_BODY.reject("Param components must be an array of objects")
    if str(parameter_format or "positional").lower() not in ("named", "positional"):
        INVALID_BODY.reject("Param parameter_format must be one of {NAMED, POSITIONAL}")
    kinds = [_upper(one.get("type")) for one in components]
    if unknown := set(kinds) - _COMPONENTS:
        INVALID_BODY.reject(f"Param components: {len(unknown)} components are of an unknown type")
    if len(set(kinds)) < len(kinds):
        INVALID_BODY.reject("Param components: each type of component may occur once")
    parts = dict(zip(kinds, components, strict=True))
    if "BODY" not in parts:
        INVALID_BODY.reject("Param components: a component of type BODY is required")
    named = str(parameter_format or "").lower() == "named"
    _check_header(parts.get("HEADER"), named)
    _check_body(parts["BODY"], category, named)
    _check_footer(parts.get("FOOTER"))
    _check_buttons(parts.get("BUTTONS"), category)
    if "CAROUSEL" in parts:
        _check_cards(parts["CAROUSEL"], named)


def _check_header(part: JSONObject | None, named: bool) -> None:
    if part is None:
        return
    kind = _upper(part.get("format"))
    if kind not in _FORMATS:
        INVALID_BODY.reject(f"Param HEADER['format'] must be one of {{{', '.join(sorted(_FORMATS))}}}")
    if kind == "TEXT":
        _check_text("HEADER", part.get("text"), 60, named, most_placeholders=1)


def _check_body(part: JSONObject, category: str, named: bool) -> None:
    if category == "AUTHENTICATION":
        if "text" in part:
            INVALID_BODY.reject("Param BODY['text'] is not allowed for authentication templates")
    else:
        _check_text("BODY", part.get("text"), 1024, named)


def _check_footer(part: JSONObject | None) -> None:
    if part is None:
        return
    minutes = part.get("code_expiration_minutes")
    if minutes is None:
        _check_text("FOOTER", part.get("text"), 60, False, most_placeholders=0)
    elif not isinstance(minutes, int) or not 1 <= minutes <= 90:
        INVALID_BODY.reject("Param FOOTER['code_expiration_minutes'] must be between 1 and 90")


def _check_text(part: str, text: Any, most: int, named: bool, most_placeholders: int | None = None) -> None:
    if not isinstance(text, str) or not text:
        INVALID_BODY.reject(f"Param {part}['text'] is required")
    if len(text) > most:
        INVALID_BODY.reject(f"Param {part}['text'] must be at most {most} characters long.")
    names = placeholders(text)
    if text.count("{{") != len(PLACEHOLDER.findall(text)):
        INVALID_BODY.reject(f"Param {part}['text'] has a malformed placeholder")
    if most_placeholders is not None and len(names) > most_placeholders:
        INVALID_BODY.reject(f"Param {part}['text'] may have at most {most_placeholders} placeholders")
    if named and any(not re.fullmatch(r"[a-z_][a-z0-9_]*", name) for name in names):
        INVALID_BODY.reject(
            f"Param {part}['text']: names of placeholders are lower-case letters and underscores"
        )
    if not named and any(not name.isdecimal() for name in names):
        INVALID_BODY.reject(f"Param {part}['text'] has named placeholders: set parameter_format to NAMED")
    if not named and {int(name) for name in names} != set(range(1, len(names) + 1)):
        INVALID_BODY.reject(f"Param {part}['text']: placeholders must be numbered from 1 without a gap")


def _check_buttons(part: JSONObject | None, category: str) -> None:
    if part is None:
        if category == "AUTHENTICATION":
            INVALID_BODY.reject("Authentication templates require a one-time password button")
        return
    buttons = part.get("buttons")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 10:
        INVALID_BODY.reject("Param BUTTONS['buttons'] must have 1 to 10 items")
    for button in buttons:
        expect_object(button, "BUTTONS['buttons']")
        _check_button(button, category)
    kinds = [_upper(one.get("type")) for one in buttons]
    for kind, most in _MOST_BUTTONS.items():
        if kinds.count(kind) > most:
            INVALID_BODY.reject(f"Param BUTTONS['buttons']: at most {most} of type {kind}")
    replies = "".join("q" if kind == "QUICK_REPLY" else "." for kind in kinds)
    if re.search(r"q\.+q|\.q+\.", replies):
        INVALID_BODY.reject("Param BUTTONS['buttons']: quick replies must stand together")


def _check_button(button: JSONObject, category: str) -> None:
    kind = _upper(button.get("type"))
    if kind not in _MOST_BUTTONS:
        INVALID_BODY.reject(f"Param BUTTONS['buttons']: type must be one of {{{', '.join(_MOST_BUTTONS)}}}")
    if (kind == "OTP") != (category == "AUTHENTICATION"):
        INVALID_BODY.reject("Buttons of type OTP are for authentication templates, and the only ones there")
    text = button.get("text")
    if (text is None and kind not in _WITHOUT_TEXT) or (text is not None and not _is_text(text, 25)):
        INVALID_BODY.reject(
            f"Param BUTTONS['buttons']: text of a {kind} button must be 1 to 25 characters long"
        )
    if (key := _REQUIRED_KEY.get(kind)) and not _is_text(
        button.get(key), 20 if key == "phone_number" else 2000
    ):
        INVALID_BODY.reject(f"Param BUTTONS['buttons']: a {kind} button requires {key}")
    if kind == "URL":
        _check_url(button["url"])
    if kind == "OTP" and _upper(button["otp_type"]) not in _OTP_TYPES:
        INVALID_BODY.reject(
            f"Param BUTTONS['buttons']: otp_type must be one of {{{', '.join(sorted(_OTP_TYPES))}}}"
        )
    if kind == "FLOW" and not any(button.get(key) for key in ("flow_id", "flow_name", "flow_json")):
        INVALID_BODY.reject(
            "Param BUTTONS['buttons']: a FLOW button requires flow_id, flow_name or flow_json"
        )


def _check_url(url: str) -> None:
    URL(PLACEHOLDER.sub("1", url), "BUTTONS['buttons']['url']")
    numbers = PLACEHOLDER.findall(url)
    if len(numbers) > 1 or (numbers and not url.rstrip().endswith("}}")):
        INVALID_BODY.reject("Param BUTTONS['buttons']: url may have one placeholder, at its end")


def _check_cards(part: JSONObject, named: bool) -> None:
    cards = part.get("cards")
    if not isinstance(cards, list) or not 2 <= len(cards) <= 10:
        INVALID_BODY.reject("Param CAROUSEL['cards'] must have 2 to 10 items")
    shapes = []
    for card in cards:
        components = card.get("components") if isinstance(card, dict) else None
        if not isinstance(components, list) or not components:
            INVALID_BODY.reject("Param CAROUSEL['cards']: each card requires components")
        kinds = {_upper(one.get("type")): one for one in components}
        if _upper(kinds.get("HEADER", {}).get("format")) not in ("IMAGE", "VIDEO", "PRODUCT"):
            INVALID_BODY.reject(
                "Param CAROUSEL['cards']: each card requires a header with an image, a video or a product"
            )
        if "BODY" in kinds:
            _check_text("BODY", kinds["BODY"].get("text"), 160, named)
        _check_buttons(kinds.get("BUTTONS"), "MARKETING")
        shapes.append([(kind, _upper(one.get("format"))) for kind, one in kinds.items()])
    if any(shape != shapes[0] for shape in shapes):
        INVALID_BODY.reject("Param CAROUSEL['cards']: all cards must have the same components")


def _is_text(value: Any, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= most


def _upper(value: Any) -> str:
    return str(value or "").upper()

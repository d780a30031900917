"""
Small changes to a rendered message that keep its meaning.

Tasks return numbers, and WhatsApp wants text: 42 becomes ``"42"``. A document with a link gets the name that
the link ends with, because WhatsApp shows *Untitled* without a name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from numbers import Integral
from typing import cast
from urllib.parse import unquote, urlsplit

_PARAMETER = ("text", "payload", "coupon_code", "currency.fallback_value", "date_time.fallback_value")
_COMPONENTS = ("template.components[]", "template.components[].cards[].components[]")
_TEXTS = (
    "text.body",
    *(f"{kind}.caption" for kind in ("image", "video", "document")),
    "document.filename",
    *(f"interactive.{part}.text" for part in ("header", "body", "footer")),
    *(f"interactive.action.{name}" for name in ("button", "parameters.display_text")),
    *(f"interactive.action.buttons[].reply.{name}" for name in ("id", "title")),
    *(f"interactive.action.cards[].action.buttons[].quick_reply.{name}" for name in ("id", "title")),
    "interactive.action.cards[].body.text",
    "interactive.action.sections[].title",
    *(f"interactive.action.sections[].rows[].{name}" for name in ("id", "title", "description")),
    *(f"{component}.parameters[].{name}" for component in _COMPONENTS for name in _PARAMETER),
)
_DOCUMENTS = (
    "document",
    "interactive.header.document",
    "template.components[].parameters[].document",
)


def _keys(path: str) -> tuple[str, ...]:
    return tuple(path.replace("[]", ".[]").split("."))


def normalize(message: Mapping[str, object]) -> Mapping[str, object]:
    """
    Copy a message with its numbers as text, and with names for its documents.

    Only the places where WhatsApp's grammar has a text are changed: numbers in a flow's data stay numbers.

    :param message: The message, rendered. It is not changed itself.
    """
    changed: object = message
    for keys, change in _CHANGES:
        if keys[0] in message:
            changed = _change(changed, keys, change)
    return cast("Mapping[str, object]", changed)


def number_as_text(value: object) -> object:
    """
    Write a number as text, in full digits: ``42``, ``42.0`` and ``Decimal("42")`` become ``"42"``.

    Everything else is returned as it is: strings, booleans, infinity, and absent values such as ``nan``.

    :param value: Any value.
    """
    if isinstance(value, bool) or not isinstance(value, (Integral, float, Decimal)):
        return value
    try:
        if isinstance(value, Integral):
            return str(int(value))
        if not math.isfinite(value):
            return value
        if isinstance(value, float):
            return str(int(value)) if value.is_integer() else format(Decimal(str(float(value))), "f")
        return format(value, "f")
    except (ValueError, InvalidOperation):  # thousands of digits, a signalling nan
        return value


def _with_filename(media: object) -> object:
    if not isinstance(media, Mapping) or not isinstance(media.get("link"), str):
        return media
    if media.get("filename") not in (None, ""):
        return media
    name = _last_part(media["link"])
    return {**media, "filename": name} if name else media


def _last_part(link: str) -> str:
    try:
        return unquote(urlsplit(link.strip()).path.rpartition("/")[2])
    except ValueError:
        return ""


_CHANGES: list[tuple[Sequence[str], Callable[[object], object]]] = [
    *((_keys(path), number_as_text) for path in _TEXTS),
    *((_keys(path), _with_filename) for path in _DOCUMENTS),
]


def _change(value: object, keys: Sequence[str], change: Callable[[object], object]) -> object:
    """Change the value at a path of keys; ``[]`` means all items of a list."""
    if not keys:
        return change(value)
    key, rest = keys[0], keys[1:]
    if key == "[]":
        return [_change(item, rest, change) for item in value] if isinstance(value, (list, tuple)) else value
    if isinstance(value, Mapping) and key in value:
        return {**value, key: _change(value[key], rest, change)}
    return value

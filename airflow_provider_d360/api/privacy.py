"""How a number, a message body and a key look where people or programs may read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

# Runs of digits as people write numbers: long enough for a phone number, too long for an error code.
_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:\+|00)?[0-9](?:[ ().\-/]{0,2}[0-9]){6,}(?![0-9A-Za-z])")
_SCOPED_ID = re.compile(r"\b[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{4,}\b")

# What a message says about its own form, not about a person.  Everything else in it is private.
_FORM = frozenset(
    {"type", "sub_type", "index", "policy", "code", "format", "messaging_product", "recipient_type", "status"}
    | {"parameter_name", "namespace", "flow_message_version", "mode", "flow_action", "preview_url", "voice"}
)
_SHORT = 2


def mask_number(number: object) -> str:
    """Show a recipient by the first and last two characters: ``49…89``."""
    text = "".join(ch for ch in str(number) if ch.isalnum() or ch == ".")
    return f"{text[:2]}…{text[-2:]}" if len(text) > 2 * _SHORT else "…"


def scrub(text: str, private: Iterable[str] = ()) -> str:
    """Remove the given private strings and everything that looks like a recipient from a text."""
    for secret in sorted(private, key=len, reverse=True):
        text = text.replace(secret, "…")
    text = _SCOPED_ID.sub(lambda found: mask_number(found[0]), text)
    return _NUMBER.sub(lambda found: mask_number(found[0]), text)


def private_strings(message: object) -> frozenset[str]:
    """Collect what a body says to or about a person; a word of one or two letters is no secret."""
    return frozenset(leaf for leaf in _leaves(message) if len(leaf) > _SHORT)


def explain_rendering(problem: Exception) -> str:
    """Say why a template cannot be rendered: in the words of Jinja, never in those of what it was given."""
    kind = type(problem)
    is_jinjas = any(parent.__module__ == "jinja2.exceptions" for parent in kind.__mro__)
    return f"{kind.__name__}: {scrub(str(problem))}" if is_jinjas else kind.__name__


def conceal(message: object) -> object:
    """Copy a message with its form intact and each private text replaced by its length."""
    if isinstance(message, Mapping):
        return {
            key: value if _is_form(key, value) else _conceal(key, value) for key, value in message.items()
        }
    if isinstance(message, list | tuple):
        return [conceal(item) for item in message]
    if message is None or isinstance(message, bool):
        return message
    return f"({len(str(message))} characters)"


def _conceal(key: object, value: object) -> object:
    if key == "template" and isinstance(value, Mapping) and isinstance(value.get("name"), str):
        return {**_as_dict(conceal(value)), "name": value["name"]}
    return conceal(value)


def _as_dict(value: object) -> dict[object, object]:
    return value if isinstance(value, dict) else {}


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "template" and isinstance(item, Mapping):
                item = {name: part for name, part in item.items() if name != "name"}
            if not _is_form(key, item):
                yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _is_form(key: object, value: object) -> bool:
    return key in _FORM and not isinstance(value, Mapping | list | tuple)

"""Definitions of templates: what is certain to be rejected, and whether two definitions say the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from airflow_provider_d360.api.errors import request_error

CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
# In these, 360dialog lists an authentication template otherwise than it was created.
_IGNORED = frozenset({"example", "type", "url", "otp_type"})
_WORDS = frozenset({"format", "flow_action"})


def check_template_name(name: object) -> str:
    """
    Check a template name before a template is created, changed or deleted.

    :param name: Small letters, digits and underscores; at most 512.
    :raises D360RequestError: when it is another value, or absent.
    """
    if isinstance(name, str) and re.fullmatch(r"[a-z0-9_]{1,512}", name):
        return name
    shown = f"is {name[:80]!r}" if isinstance(name, str) else f"is {type(name).__name__}"
    raise request_error(f"name {shown}", "Use small letters, digits and underscores, at most 512.")


def check_language(language: object) -> str:
    """
    Check the language of a template. A wrong one finds no template, and no service says so.

    :param language: A code such as ``en_US``.
    :raises D360RequestError: when it is another value, or absent.
    """
    if isinstance(language, str) and re.fullmatch(r"[A-Za-z]{2,3}(_[A-Za-z0-9]{2,4})?", language):
        return language
    raise request_error("language is no language code", "Write it like en_US, with an underscore.")


def check_category(category: object) -> str:
    """
    Check the category of a template.

    :param category: One of ``AUTHENTICATION``, ``MARKETING`` and ``UTILITY``.
    :raises D360RequestError: when it is another value, or absent.
    """
    if isinstance(category, str) and category in CATEGORIES:
        return category
    shown = repr(category[:80]) if isinstance(category, str) else type(category).__name__
    raise request_error(f"category is {shown}", f"Use {', '.join(CATEGORIES)}.")


def check_components(components: object) -> Sequence[Mapping[str, object]]:
    """
    Check that the components of a template are a list of objects.

    :param components: Header, body, footer and buttons.
    :raises D360RequestError: when they are anything else.
    """
    if isinstance(components, Sequence) and all(isinstance(one, Mapping) for one in components):
        return components
    raise request_error(
        "components is no list of objects", "Give header, body, footer and buttons in a list."
    )


def check_definition(
    name: object, language: object, category: object, components: object, options: Mapping[str, object]
) -> dict[str, object]:
    """
    Check a definition before it is sent for approval, and return the options that it needs.

    A template with named placeholders needs ``parameter_format``; without it, it is always rejected.

    :param name: The template's name.
    :param language: A code such as ``en_US``.
    :param category: One of ``AUTHENTICATION``, ``MARKETING`` and ``UTILITY``.
    :param components: Header, body, footer and buttons; empty only with ``library_template_name``.
    :param options: What else the endpoint takes.
    :returns: ``parameter_format`` for named placeholders, otherwise nothing.
    :raises D360RequestError: naming the argument that is certain to be rejected.
    """
    check_template_name(name)
    check_language(language)
    check_category(category)
    known = check_components(components)
    if not known and "library_template_name" not in options:
        raise request_error("components is empty", "Give at least a body.")
    return _parameter_format(known, options)


def _parameter_format(
    components: Sequence[Mapping[str, object]], options: Mapping[str, object]
) -> dict[str, object]:
    placeholders = [one for text in _texts(components) for one in _PLACEHOLDER.findall(text)]
    names = sorted({one for one in placeholders if not one.isdecimal()})
    chosen = options.get("parameter_format")
    if names and len(names) < len(set(placeholders)):
        raise request_error("components mixes named and numbered placeholders", "Name all of them, or none.")
    unfit = [name for name in names if not re.fullmatch(r"[a-z_][a-z0-9_]*", name)]
    if unfit:
        raise request_error(
            f"components has the placeholder {unfit[0][:80]}", "Use small letters, digits and _."
        )
    needed = "NAMED" if names else "POSITIONAL"
    if chosen is not None and placeholders and str(chosen).upper() != needed:
        raise request_error(
            f"parameter_format is {chosen}, and the placeholders are {needed}", f"Use {needed}."
        )
    return {"parameter_format": "NAMED"} if names and chosen is None else {}


def _texts(components: Iterable[Mapping[str, object]]) -> Iterator[str]:
    for component in components:
        text = component.get("text")
        if str(component.get("type", "")).upper() in ("HEADER", "BODY") and isinstance(text, str):
            yield text
        for card in _objects(component.get("cards")):
            yield from _texts(_objects(card.get("components")))


def same_content(one: Iterable[Mapping[str, object]], other: Iterable[Mapping[str, object]]) -> bool:
    """
    Return True if two definitions say the same, one as it was written and one as the service lists it.

    The service adds keys, and lists the button of an authentication template as a link: compared is what both
    state. Examples and the case of types do not matter.

    :param one: The components of one definition.
    :param other: The components of the other.
    """
    return _same_parts(_by_type(one), _by_type(other))


def _by_type(components: Iterable[Mapping[str, object]]) -> list[Mapping[str, object]]:
    return sorted(components, key=lambda component: str(component.get("type", "")).upper())


def _same_parts(one: Sequence[Mapping[str, object]], other: Sequence[Mapping[str, object]]) -> bool:
    return len(one) == len(other) and all(map(_same_part, one, other))


def _same_part(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    if _kind(one) != _kind(other):
        return False
    if _kind(one).startswith("OTP"):
        shared = set(one) & set(other) - _IGNORED
    else:
        required = {"text", "url"} if not _is_authentication(one, other) else set()
        shared = (set(one) & set(other) | required & (set(one) | set(other))) - {"type", "example"}
    return all(_same_value(key, one.get(key), other.get(key)) for key in shared)


def _is_authentication(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Return True for the body and the footer of an authentication template, whose texts WhatsApp writes."""
    keys = set(one) | set(other)
    return bool(keys & {"add_security_recommendation", "code_expiration_minutes"}) or (
        _kind(one) == "BODY" and ("text" in one) != ("text" in other)
    )


def _kind(part: Mapping[str, object]) -> str:
    """Return the type of a component or a button; of a one-time code also how it is taken over."""
    kind = str(part.get("type", "")).upper()
    if kind == "OTP":
        return f"OTP {part.get('otp_type')}".upper()
    url = part.get("url")
    if kind == "URL" and isinstance(url, str) and "/otp/code" in url:
        return f"OTP {parse_qs(urlsplit(url).query).get('otp_type', [None])[0]}".upper()
    return kind


def _same_value(key: str, one: object, other: object) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        ones, others = list(_objects(one)), list(_objects(other))
        if ones or others:
            ordered = key != "components"
            return _same_parts(ones, others) if ordered else same_content(ones, others)
        return list(one) == list(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return _same_part(one, other)
    if key in _WORDS:
        return str(one).upper() == str(other).upper()
    return _digits(one) == _digits(other) if key == "phone_number" else one == other


def _digits(number: object) -> str:
    return "".join(character for character in str(number) if character.isdecimal())


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    items = value if isinstance(value, list | tuple) else ()
    return (item for item in items if isinstance(item, Mapping))

"""
A template message against the approved template, before it is sent.

Refused is only what is certain to fail: a definition that is not understood asks for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from airflow_provider_d360.api.limits import Violation
from airflow_provider_d360.api.templates import Template

_BLANK = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_UNUSABLE = frozenset(
    {"pending", "submitted", "created", "draft", "rejected", "paused", "disabled", "deleted"}
)
_MEDIA_HEADERS = frozenset({"image", "video", "document", "location", "product"})
_BUTTON_TYPES = {
    "quick_reply": {"QUICK_REPLY"},
    "url": {"URL", "OTP"},
    "copy_code": {"COPY_CODE", "OTP"},
    "catalog": {"CATALOG"},
    "mpm": {"MPM"},
    "flow": {"FLOW"},
    "voice_call": {"VOICE_CALL"},
    "phone_number": {"PHONE_NUMBER"},
}
_NEEDING = {"COPY_CODE": "copy_code", "MPM": "mpm", "OTP": "url"}

_Definition = Mapping[str, object]


def preflight(message: Mapping[str, object], templates: Iterable[Template]) -> list[Violation]:
    """
    List what a template's approved definition does not agree with; nothing for any other message.

    :param message: The message, rendered.
    :param templates: The templates of that name, in all languages; others are passed over.
    """
    content = message.get("template")
    if message.get("type") != "template" or not isinstance(content, Mapping):
        return []
    name, code = content.get("name"), _mapping(content.get("language")).get("code")
    known = {template.language: template for template in templates if template.name == name}
    if not known:
        return [Violation("template.name", "there is no template of this name", "this account's templates")]
    template = known.get(str(code))
    if template is None:
        there = ", ".join(sorted(known))
        problem = f"the template is not there in this language, but in {there}"
        return [Violation("template.language.code", problem, f"template {name}")]
    return list(_differences(content, template))


def _differences(content: Mapping[str, object], template: Template) -> Iterator[Violation]:
    source = f"template {template.name} in {template.language}"
    if template.status in _UNUSABLE:
        reason = f": {template.rejected_reason}" if template.rejected_reason else ""
        yield Violation("template.name", f"the template is {template.status}{reason}", source)
    for path, problem in _compare(_list(content.get("components")), template.components, "template"):
        yield Violation(path, problem, source)


def _compare(
    components: Sequence[Mapping[str, object]], definition: Sequence[_Definition], path: str
) -> Iterator[tuple[str, str]]:
    wanted = {_upper(part, "type"): part for part in definition}
    given = {_lower(part, "type"): (place, part) for place, part in enumerate(components)}
    if not definition:
        return
    for kind in ("header", "body"):
        place, component = given.get(kind, (None, {}))
        where = f"{path}.components" if place is None else f"{path}.components[{place}].parameters"
        parameters, part = _list(component.get("parameters")), wanted.get(kind.upper(), {})
        media = _lower(part, "format")
        if kind == "header" and media in _MEDIA_HEADERS:
            yield from _media_header(parameters, media, where)
        elif media in ("", "text"):
            yield from _blanks(parameters, part, kind, where)
    yield from _buttons(components, _list(wanted.get("BUTTONS", {}).get("buttons")), path)
    place, carousel = given.get("carousel", (None, {}))
    yield from _cards(
        _list(carousel.get("cards")),
        _list(wanted.get("CAROUSEL", {}).get("cards")),
        f"{path}.components[{place}]",
    )


def _media_header(
    parameters: Sequence[Mapping[str, object]], media: str, where: str
) -> Iterator[tuple[str, str]]:
    kinds = [_lower(parameter, "type") for parameter in parameters]
    if kinds != [media]:
        given = ", ".join(kinds) or "nothing"
        yield where, f"the header is one {media}, and {given} is given"


def _blanks(
    parameters: Sequence[Mapping[str, object]], part: _Definition, kind: str, where: str
) -> Iterator[tuple[str, str]]:
    text = part.get("text", "" if kind == "header" or not part else None)
    if not isinstance(text, str):  # an authentication template may keep its text to itself
        return
    blanks = list(dict.fromkeys(_BLANK.findall(text)))
    names = [blank for blank in blanks if not blank.isdecimal()]
    given = [parameter.get("parameter_name") for parameter in parameters]
    if names and any(isinstance(name, str) for name in given):
        missing = [name for name in names if name not in given]
        unknown = [name for name in given if name not in names]
        if missing:
            yield where, f"the {kind} also wants {', '.join(missing)}"
        if unknown:
            known = ", ".join(names)
            yield where, f"{len(unknown)} of these names the {kind} does not have; it has {known}"
    elif names and parameters:
        yield where, f"the {kind} wants its parameters by name: {', '.join(names)}"
    elif len(parameters) != len(blanks):
        shown = ": " + ", ".join(f"{{{{{blank}}}}}" for blank in blanks) if blanks else ""
        yield where, f"{_count(len(parameters))}, and the {kind} has {len(blanks)}{shown}"


def _buttons(
    components: Sequence[Mapping[str, object]], buttons: Sequence[_Definition], path: str
) -> Iterator[tuple[str, str]]:
    given = set()
    for place, component in enumerate(components):
        number = str(component.get("index", ""))
        if _lower(component, "type") != "button" or not number.isdecimal():
            continue
        where, index = f"{path}.components[{place}]", int(number)
        given.add(index)
        if index < len(buttons):
            yield from _button(_lower(component, "sub_type"), buttons[index], where)
        else:
            yield f"{where}.index", f"{index}, and the template has {len(buttons)} buttons, counted from 0"
    for index, button in enumerate(buttons):
        needed = _needed(button)
        if needed and index not in given:
            yield f"{path}.components", f"button {index} ({_title(button)}) wants a {needed} parameter"


def _button(kind: str, button: _Definition, where: str) -> Iterator[tuple[str, str]]:
    actual = _upper(button, "type")
    if kind in _BUTTON_TYPES and actual and actual not in _BUTTON_TYPES[kind]:
        yield f"{where}.sub_type", f"{kind}, and this button of the template is {actual.lower()}"
    elif actual == "URL" and not _needed(button) and isinstance(button.get("url"), str):
        yield where, "the address of this button has no blank to fill"


def _needed(button: _Definition) -> str | None:
    kind, url = _upper(button, "type"), button.get("url")
    if kind == "URL":
        return "url" if isinstance(url, str) and _BLANK.search(url) else None
    return _NEEDING.get(kind)


def _cards(
    cards: Sequence[Mapping[str, object]], definition: Sequence[_Definition], path: str
) -> Iterator[tuple[str, str]]:
    # A carousel of products is approved with two cards and may be sent with ten: the last one stands for all.
    for place, card in enumerate(cards if definition else ()):
        wanted = definition[min(place, len(definition) - 1)]
        yield from _compare(
            _list(card.get("components")), _list(wanted.get("components")), f"{path}.cards[{place}]"
        )


def _count(number: int) -> str:
    return "1 parameter" if number == 1 else f"{number} parameters"


def _title(button: _Definition) -> str:
    return str(button.get("text") or _lower(button, "type"))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Mapping[str, object]]:
    return [_mapping(item) for item in value] if isinstance(value, list | tuple) else []


def _upper(value: Mapping[str, object], name: str) -> str:
    return str(value.get(name) or "").upper()


def _lower(value: Mapping[str, object], name: str) -> str:
    return _upper(value, name).lower()

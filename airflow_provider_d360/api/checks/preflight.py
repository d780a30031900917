"""
A template message against the approved template, before it is sent.

Only what is certain to fail is refused: components that this code does not know are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

from airflow_provider_d360.api.checks import positions
from airflow_provider_d360.api.checks.spots import Spot, Violation

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
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
    "order_details": {"ORDER_DETAILS"},
}
_NEEDED_BUTTONS = {
    "COPY_CODE": "copy_code",
    "MPM": "mpm",
    "OTP": "url",
    "FLOW": "flow",
    "ORDER_DETAILS": "order_details",
}

_Component: TypeAlias = Mapping[str, object]
_Problems: TypeAlias = "Iterator[tuple[str, str]]"


class ApprovedTemplate(Protocol):
    """The compared parts of a :class:`~airflow_provider_d360.api.endpoints.templates.Template`."""

    @property
    def name(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def components(self) -> Sequence[Mapping[str, object]]: ...
    @property
    def rejected_reason(self) -> str | None: ...


def preflight(message: Mapping[str, object], templates: Iterable[ApprovedTemplate]) -> list[Violation]:
    """
    List the differences between a template message and the approved template.

    :param message: The message, rendered. Other kinds of messages are not checked.
    :param templates: The templates of that name, in all languages; templates of other names are ignored.
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
        problem = f"the template does not exist in this language, only in {', '.join(sorted(known))}"
        return [Violation("template.language.code", problem, f"template {name}")]
    return list(_differences(content, template))


def _differences(content: Mapping[str, object], template: ApprovedTemplate) -> Iterator[Violation]:
    source = f"template {template.name} in {template.language}"
    if template.status in _UNUSABLE:
        reason = f": {template.rejected_reason}" if template.rejected_reason else ""
        yield Violation("template.name", f"the template is {template.status}{reason}", source)
    for path, problem in _compare(_list(content.get("components")), template.components, "", source):
        yield Violation(path, problem, source)


def _compare(
    components: Sequence[_Component], definition: Sequence[_Component], owner: str, source: str
) -> _Problems:
    """
    Compare the components of a message, or of one card, with the template's components.

    :param owner: What precedes a component's name: nothing, or ``cards[0].``.
    """
    if not definition:
        return
    parts = {_upper(part, "type"): part for part in definition}
    present = {positions.lower(component, "type"): component for component in components}
    yield from _header(present.get("header", {}), parts.get("HEADER", {}), f"{owner}header")
    yield from _placeholders(present.get("body", {}), parts.get("BODY", {}), "body", f"{owner}body")
    yield from _buttons(components, _list(parts.get("BUTTONS", {}).get("buttons")), owner, source)
    yield from _offer("limited_time_offer" in present, parts.get("LIMITED_TIME_OFFER"))
    yield from _carousel(present.get("carousel"), parts.get("CAROUSEL"), source)


def _header(component: _Component, part: _Component, where: str) -> _Problems:
    media = positions.lower(part, "format")
    if media not in _MEDIA_HEADERS:
        if media in ("", "text"):
            yield from _placeholders(component, part, "header", where)
        return
    kinds = [positions.lower(parameter, "type") for parameter in _list(component.get("parameters"))]
    if kinds != [media]:
        yield where, f"the header is one {media}, and {', '.join(kinds) or 'nothing'} is given"


def _placeholders(component: _Component, part: _Component, kind: str, where: str) -> _Problems:
    text = part.get("text", "" if kind == "header" or not part else None)
    if not isinstance(text, str):  # 360dialog may list an authentication template without its text
        return
    parameters = _list(component.get("parameters"))
    placeholders = list(dict.fromkeys(_PLACEHOLDER.findall(text)))
    names = [placeholder for placeholder in placeholders if not placeholder.isdecimal()]
    parameter_names = [parameter.get("parameter_name") for parameter in parameters]
    if names and any(isinstance(name, str) for name in parameter_names):
        yield from _names(names, parameter_names, kind, where)
    elif names and parameters:
        yield where, f"the {kind} needs its parameters by name: {', '.join(names)}"
    elif len(parameters) != len(placeholders):
        shown = ": " + ", ".join(f"{{{{{one}}}}}" for one in placeholders) if placeholders else ""
        yield where, f"{_count(len(parameters))}, and the {kind} has {len(placeholders)}{shown}"


def _names(names: Sequence[str], parameter_names: Sequence[object], kind: str, where: str) -> _Problems:
    missing = [name for name in names if name not in parameter_names]
    unknown = [name for name in parameter_names if name not in names]
    if missing:
        yield where, f"the {kind} also needs {', '.join(missing)}"
    if unknown:
        yield where, f"{len(unknown)} of these names the {kind} does not have; it has {', '.join(names)}"


def _buttons(
    components: Sequence[_Component], buttons: Sequence[_Component], owner: str, source: str
) -> _Problems:
    indexes = set()
    for place, component in enumerate(components):
        index = positions.button_index(component)
        if positions.lower(component, "type") != "button" or index is None:
            continue
        where = positions.component(Spot(f"{owner}components", source), place, component).path
        indexes.add(index)
        if index < len(buttons):
            yield from _button(positions.lower(component, "sub_type"), buttons[index], where)
        else:
            yield where, f"the template has {len(buttons)} buttons, counted from 0"
    for index, button in enumerate(buttons):
        needed = _needed(button)
        if needed and index not in indexes:
            yield f"{owner}buttons[{index}]", f"missing: {_title(button)} needs a {needed} button"


def _button(kind: str, button: _Component, where: str) -> _Problems:
    actual = _upper(button, "type")
    if kind in _BUTTON_TYPES and actual and actual not in _BUTTON_TYPES[kind]:
        yield where, f"{kind}, and this button of the template is {actual.lower()}"
    elif actual == "URL" and not _needed(button) and isinstance(button.get("url"), str):
        yield where, "the address of this button has no placeholder to fill"
    elif actual == "PHONE_NUMBER":
        yield where, "this button of the template is a phone number, which takes no parameters"


def _needed(button: _Component) -> str | None:
    kind, url = _upper(button, "type"), button.get("url")
    if kind == "URL":
        return "url" if isinstance(url, str) and _PLACEHOLDER.search(url) else None
    return _NEEDED_BUTTONS.get(kind)


def _offer(is_given: bool, part: _Component | None) -> _Problems:
    offer = None if part is None else _mapping(part.get("limited_time_offer"))
    if is_given and offer is None:
        yield "offer_expires_ms", "the template has no limited-time offer"
    elif not is_given and offer is not None and offer.get("has_expiration") is True:
        yield "offer_expires_ms", "missing: the template has an offer that expires"


def _carousel(component: _Component | None, part: _Component | None, source: str) -> _Problems:
    if component is None or part is None:
        if component is not None:
            yield "cards", "the template has no carousel"
        elif part is not None:
            yield "cards", f"missing: the template is a carousel of {len(_list(part.get('cards')))} cards"
        return
    definition = _list(part.get("cards"))
    # A carousel of products is approved with two cards and may be sent with ten: the last one stands for all.
    for place, card in enumerate(_list(component.get("cards")) if definition else ()):
        approved = _list(definition[min(place, len(definition) - 1)].get("components"))
        yield from _compare(_list(card.get("components")), approved, f"cards[{place}].", source)


def _count(number: int) -> str:
    return "1 parameter" if number == 1 else f"{number} parameters"


def _title(button: _Component) -> str:
    return str(button.get("text") or positions.lower(button, "type"))


def _mapping(value: object) -> _Component:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[_Component]:
    return [_mapping(item) for item in value] if isinstance(value, list | tuple) else []


def _upper(value: _Component, key: str) -> str:
    return str(value.get(key) or "").upper()

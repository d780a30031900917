"""Templates: approved messages, which WhatsApp delivers at any time, and values for their placeholders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias, TypedDict, cast

from airflow_provider_d360.messages.template_buttons import TemplateButton, url_button
from airflow_provider_d360.messages.values import Number, String

Parameter: TypeAlias = "Mapping[str, object]"
Value: TypeAlias = "String | Number | Parameter"
Values: TypeAlias = "Value | Sequence[Value] | Mapping[str, Value]"
Buttons: TypeAlias = "Sequence[TemplateButton] | Mapping[int, TemplateButton]"
OnNewline: TypeAlias = Literal["flatten", "error"]

# What a value may not hold, with the spaces around it.  Meta: "Param text cannot have new-line/tab
# characters or more than 4 consecutive spaces" (132018).
_UNFIT = re.compile(r" *[\r\n\t\v\f\x85\u2028\u2029][\s]*| {5,}")


class Language(TypedDict):
    """Which of the template's languages; WhatsApp knows one policy."""

    policy: Literal["deterministic"]
    code: String


class _Template(TypedDict):
    name: String
    language: Language


class Template(_Template, total=False):
    """The object under ``template``."""

    namespace: String
    components: list[Mapping[str, object]]


class TemplateMessage(TypedDict):
    """A template message."""

    type: Literal["template"]
    template: Template


def template(
    name: String,
    language: String,
    *,
    header: Values | None = None,
    body: Values | None = None,
    buttons: Buttons | None = None,
    cards: Sequence[Sequence[Mapping[str, object]]] | None = None,
    offer_expires_ms: int | None = None,
    components: Sequence[Mapping[str, object]] = (),
    namespace: String | None = None,
    on_newline: OnNewline | None = None,
) -> TemplateMessage:
    """
    Build a template message.

    WhatsApp delivers it at any time. The name, the language and the number of placeholders must be those
    of an approved template.

    :param name: The template's name; at most 512 characters.
    :param language: The code of one of its languages, such as ``en_US``. ``en`` is another language.
    :param header: The header's value: one text, or what :func:`image`, :func:`video`, :func:`document` or
        :func:`location` return.
    :param body: The body's values: a list for numbered placeholders, ``["Ann", "42"]``, or a dict for named
        ones, ``{"name": "Ann"}``. Each is a text, a number, or what :func:`currency` or :func:`date_time`
        return. Anything else, such as one string or what another task returns, fills the only placeholder.
    :param buttons: The buttons' values, in their order: what :func:`url_button`,
        :func:`quick_reply_button` and the like return. A dict gives places: ``{1: url_button("42")}`` leaves
        the first button alone.
    :param cards: A carousel: for each card what :func:`template_card` returns.
    :param offer_expires_ms: When a limited-time offer ends, in milliseconds since 1970.
    :param components: More components, in WhatsApp's own shape.
    :param namespace: The account's namespace; needed by on-premise hosting only.
    :param on_newline: WhatsApp refuses newlines, tabs and more than four spaces in a row in a value.
        ``"flatten"`` turns each into one space, at once and only in texts without Jinja: what is rendered
        later is flattened by the operator's own ``on_newline``. Otherwise nothing is changed, and sending
        fails.
    :raises ValueError: when ``on_newline`` is another word.
    """
    if on_newline not in (None, "flatten", "error"):
        raise ValueError(f"on_newline is {on_newline!r}; it can be 'flatten' or 'error'")
    offer = None
    if offer_expires_ms is not None:
        offer = [
            {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": offer_expires_ms}}
        ]
    filled = [
        *template_card(header=header, body=body),
        *_component("limited_time_offer", "parameters", offer),
        *template_card(buttons=buttons),
        *_component("carousel", "cards", _numbered(cards)),
        *components,
    ]
    content: Template = {"name": name, "language": {"policy": "deterministic", "code": language}}
    if namespace is not None:
        content["namespace"] = namespace
    if filled:
        content["components"] = filled
    message: TemplateMessage = {"type": "template", "template": content}
    if on_newline == "flatten":
        return cast(TemplateMessage, _flattened(message, _flat_unless_jinja))
    return message


def template_card(
    *, header: Values | None = None, body: Values | None = None, buttons: Buttons | None = None
) -> list[Mapping[str, object]]:
    """
    Build one card of a template's carousel.

    :param header: What :func:`image`, :func:`video` or :func:`product_header` return.
    :param body: The values of the card's text, as in :func:`template`.
    :param buttons: The values of the card's buttons, as in :func:`template`.
    """
    return [
        *_component("header", "parameters", _parameters(header)),
        *_component("body", "parameters", _parameters(body)),
        *_buttons(buttons),
    ]


def one_time_code(
    name: String, language: String, code: String, *, namespace: String | None = None
) -> TemplateMessage:
    """
    Build an authentication message: a code, and a button that copies it or fills it in.

    WhatsApp delivers it at any time. The template must be of the category *authentication*.

    :param name: The template's name.
    :param language: The code of one of its languages.
    :param code: At most 15 characters. It goes both into the text and into the button.
    :param namespace: The account's namespace; needed by on-premise hosting only.
    """
    return template(name, language, body=[code], buttons=[url_button(code)], namespace=namespace)


def currency(fallback_value: String, code: String, amount_1000: int) -> Parameter:
    """
    Build a sum of money for a placeholder.

    :param fallback_value: What is shown where it cannot be localised.
    :param code: Three letters, such as ``EUR``.
    :param amount_1000: The amount times 1000.
    """
    money = {"fallback_value": fallback_value, "code": code, "amount_1000": amount_1000}
    return {"type": "currency", "currency": money}


def date_time(fallback_value: String) -> Parameter:
    """
    Build a date for a placeholder. WhatsApp shows it as it is.

    :param fallback_value: The text to show.
    """
    return {"type": "date_time", "date_time": {"fallback_value": fallback_value}}


def product_header(product_retailer_id: String, catalog_id: String) -> Parameter:
    """
    Build a header that shows a product.

    :param product_retailer_id: The product's id in the catalogue.
    :param catalog_id: The catalogue that is connected to your number.
    """
    return {
        "type": "product",
        "product": {"product_retailer_id": product_retailer_id, "catalog_id": catalog_id},
    }


def flatten_parameters(message: Mapping[str, object]) -> Mapping[str, object]:
    """
    Turn newlines, tabs and more than four spaces in a row into one space, wherever they fill header or body.

    For a rendered message: braces mean nothing here. Anything but a template is returned as it is.

    :param message: The message. It is not changed itself.
    """
    return _flattened(message, _flat)


def _flattened(message: Mapping[str, object], change: Callable[[str], str]) -> Mapping[str, object]:
    def parameter(value: object) -> object:
        text = value.get("text") if isinstance(value, Mapping) else None
        return {**cast(Parameter, value), "text": change(text)} if isinstance(text, str) else value

    def component(value: object) -> object:
        kind = value.get("type") if isinstance(value, Mapping) else None
        if isinstance(kind, str) and kind.lower() in ("header", "body"):
            return _each(value, "parameters", parameter)
        return _each(value, "cards", lambda card: _each(card, "components", component))

    if message.get("type") != "template" or "template" not in message:
        return message
    return {**message, "template": _each(message["template"], "components", component)}


def _each(owner: object, key: str, change: Callable[[object], object]) -> object:
    values = owner.get(key) if isinstance(owner, Mapping) else None
    if not isinstance(values, (list, tuple)):
        return owner
    return {**cast(Parameter, owner), key: [change(value) for value in values]}


def _flat(text: str) -> str:
    return _UNFIT.sub(" ", text.strip())


def _flat_unless_jinja(text: str) -> str:
    return text if "{{" in text or "{%" in text else _flat(text)


def _component(kind: str, key: str, values: object) -> list[Mapping[str, object]]:
    return [] if values is None else [{"type": kind, key: values}]


def _parameters(values: Values | None) -> list[Parameter] | None:
    if values is None:
        return None
    if isinstance(values, (list, tuple)):
        return [_parameter(cast(Value, value)) for value in values]
    if isinstance(values, Mapping) and "type" not in values:
        return [_parameter(cast(Value, value), name) for name, value in values.items()]
    return [_parameter(cast(Value, values))]


def _parameter(value: Value, name: str | None = None) -> Parameter:
    filled = value if isinstance(value, Mapping) else {"type": "text", "text": value}
    if name is None:
        return filled
    return {"type": filled.get("type"), "parameter_name": name, **filled}


def _buttons(buttons: Buttons | None) -> list[Mapping[str, object]]:
    if buttons is None:
        return []
    places = buttons.items() if isinstance(buttons, Mapping) else enumerate(buttons)
    return [
        {"type": "button", "sub_type": button["sub_type"], "index": str(place), **button}
        for place, button in places
    ]


def _numbered(cards: Sequence[Sequence[Mapping[str, object]]] | None) -> object:
    if not isinstance(cards, (list, tuple)):
        return cards
    return [{"card_index": index, "components": components} for index, components in enumerate(cards)]

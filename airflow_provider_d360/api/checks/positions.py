"""
Names for the parts of a template message, as :func:`~airflow_provider_d360.messages.template` calls them.

``template.components[0].parameters[1].text`` is the place in WhatsApp's JSON of what a DAG's author wrote as
``body=[…]``. Errors therefore call it ``body[1]``, or ``body['name']`` for a named placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_provider_d360.api.checks.spots import Spot, look

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")  # other names are no names of placeholders, and are not repeated
_ARGUMENTS = {"limited_time_offer": "offer_expires_ms", "carousel": "cards"}


def component(spot: Spot, index: int, value: object) -> Spot:
    """
    Return the spot of a component: ``header``, ``body``, ``buttons[1]``, ``cards``, ``offer_expires_ms``.

    :param spot: The spot of the list of components: ``template.components`` or ``cards[0].components``.
    :param index: The component's index in that list.
    :param value: The component.
    """
    owner = spot.path.removesuffix("components").removeprefix("template.")
    kind = lower(value, "type")
    if kind in ("header", "body"):
        return spot.at(owner + kind)
    if kind == "button" and (number := button_index(value)) is not None:
        return spot.at(f"{owner}buttons[{number}]")
    return spot.at(owner + _ARGUMENTS[kind]) if kind in _ARGUMENTS else spot.item(index)


def parameter(spot: Spot, index: int, value: object) -> Spot:
    """
    Return the spot of a parameter: ``body[1]`` or ``body['name']``.

    :param spot: The spot of the component.
    :param index: The parameter's index in the component.
    :param value: The parameter.
    """
    name = look(value, "parameter_name")
    named = isinstance(name, str) and _NAME.fullmatch(name)
    return spot.at(f"{spot.path}['{name}']") if named else spot.item(index)


def only_parameter(spot: Spot, index: int, value: object) -> Spot:
    """
    Return the spot of the parameter of a component that takes one: ``header``, ``buttons[0]``.

    :param spot: The spot of the component.
    :param index: The parameter's index in the component.
    :param value: The parameter.
    """
    place = parameter(spot, index, value)
    return spot if index == 0 and place == spot.item(0) else place


def button_index(value: object) -> int | None:
    """
    Return the index of a button's component; ``None`` if it has none that is valid.

    :param value: The component.
    """
    index = look(value, "index")
    if isinstance(index, bool) or not isinstance(index, (int, str)):
        return None
    digit = str(index) if isinstance(index, str) or 0 <= index <= 9 else ""
    return int(digit) if len(digit) == 1 and digit in "0123456789" else None


def lower(value: object, key: str) -> str:
    """
    Return a string value of an object in lower case; an empty string if it is missing.

    :param value: The object.
    :param key: The word's key.
    """
    word = look(value, key) if isinstance(value, Mapping) else None
    return word.lower() if isinstance(word, str) else ""

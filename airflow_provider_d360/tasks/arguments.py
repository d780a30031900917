"""Reads the arguments of operators, sensors and the notifier. Errors quote no private value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail
from airflow_provider_d360.api.privacy import scrub

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

# How Jinja, JSON and data frames write a value that is missing.
_MISSING = frozenset({"", "None", "null", "nan", "NaN", "NaT", "<NA>"})
_LONGEST_WORD = 20


def read_flag(name: str, value: object) -> bool:
    """
    Read a boolean: ``True`` or ``False``, or ``true``, ``yes``, ``1``, ``false``, ``no``, ``0`` in any case.

    :param name: The argument's name, for the error.
    :param value: A boolean, or what a template rendered.
    :raises ValueError: for anything else, such as an empty text.
    """
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise ValueError(f"{name} is {describe(value)}; it can be true or false (also yes, no, 1 or 0)")
    return flag


def read_seconds(name: str, value: object) -> float:
    """
    Read a duration, and return seconds.

    :param name: The argument's name, for the error.
    :param value: A timedelta, or a number of seconds; not negative, and finite.
    :raises ValueError: for anything else.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < math.inf:
        return seconds
    raise ValueError(f"{name} is {describe(value)}; it can be a timedelta, or a number of seconds")


def read_several_seconds(name: str, value: object) -> tuple[float, ...]:
    """
    Read a list of durations, and return seconds.

    :param name: The argument's name, for the error.
    :param value: A list of timedeltas or numbers of seconds.
    :raises ValueError: for anything else.
    """
    if isinstance(value, list | tuple):
        return tuple(read_seconds(name, one) for one in value)
    raise ValueError(f"{name} is {describe(value)}; it can be a list, such as [timedelta(hours=4)]")


def read_count(name: str, value: object, *, least: int = 1, most: float = math.inf) -> int:
    """
    Read a whole number.

    :param name: The argument's name, for the error.
    :param value: The argument.
    :param least: The smallest that it can be.
    :param most: The largest that it can be.
    :raises ValueError: for anything else, also for texts and booleans.
    """
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    to = "on" if most == math.inf else f"to {most}"
    raise ValueError(f"{name} is {describe(value)}; it can be a whole number from {least} {to}")


def check_texts(**texts: object) -> None:
    """
    Check that arguments are texts, or None.

    :param texts: The arguments, by their names.
    :raises ValueError: when one is not.
    """
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{name} is {describe(text)}; it can be a text")


def check_choice(name: str, value: object, *choices: str | None) -> None:
    """
    Check an argument that has a few possible values.

    :param name: The argument's name, for the error.
    :param value: The argument.
    :param choices: What it can be.
    :raises ValueError: for any other value.
    """
    if not any(value == choice for choice in choices):
        raise ValueError(f"{name} is {describe(value)}; it can be {' or '.join(map(repr, choices))}")


def check_value(name: str, value: object) -> None:
    """
    Check that a rendered value is not missing.

    :param name: The argument's name, for the error.
    :param value: The rendered value. A dict or a list is never missing.
    :raises D360RequestError: when it is ``None``, NaN, empty, or a text that such a value renders to.
    """
    if isinstance(value, Mapping | list | tuple):
        return
    if str(value).strip() in _MISSING:
        shown = "empty" if not str(value).strip() else str(value).strip()
        raise D360RequestError(
            ErrorDetail(
                f"{name} is {shown}", "The task or the variable that this value comes from returned nothing."
            )
        )


def read_text(name: str, value: object) -> str:
    """
    Read a rendered text, or a number, as a text.

    :param name: The argument's name, for the error.
    :param value: The rendered value.
    :raises D360RequestError: when it is missing, or anything else.
    """
    check_value(name, value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise D360RequestError(
            ErrorDetail(f"{name} is a value of type {type(value).__name__}", "Give a text.")
        )
    return str(value)


def check_single(name: str, value: object, *, operator: str) -> None:
    """
    Check that a rendered value is present, and not a list.

    :param name: The argument's name, for the error.
    :param value: The rendered value.
    :param operator: The class of the operator or sensor, for the remedy.
    :raises D360RequestError: when the value is missing, or when there are several.
    """
    text = value.strip() if isinstance(value, str) else ""
    is_list = not isinstance(value, str | Mapping) and hasattr(value, "__iter__")
    if is_list or (text[:1] in ("[", "(") and text[-1:] in ("]", ")")):  # as Jinja renders a list to text
        raise D360RequestError(
            ErrorDetail(
                f"{name} is a list, and can be a single value only",
                f"A mapped task returns a list: map over it with {operator}.partial(…).expand({name}=…).",
            )
        )
    check_value(name, value)


def read_id(name: str, value: object, *, operator: str) -> str:
    """
    Read the id of one message, file or template.

    :param name: The argument's name, for the error.
    :param value: The rendered value.
    :param operator: The class of the operator or sensor, for the remedy.
    :raises D360RequestError: when the id is missing, when there are several, or when it cannot be an id.
    """
    check_single(name, value, operator=operator)
    text = str(value).strip()
    if not isinstance(value, str | int) or isinstance(value, bool) or not text.isprintable() or " " in text:
        raise D360RequestError(
            ErrorDetail(f"{name} is {describe(value)}, and no id", "Give the id as text, without blanks.")
        )
    return text


def describe(value: object) -> str:
    """
    Describe a wrong argument: a number or a single short word as it is, anything else by its type.

    :param value: The argument.
    """
    if value is None or isinstance(value, bool | int | float | timedelta):
        return scrub(str(value))
    if isinstance(value, str) and (not value or (value.isidentifier() and len(value) <= _LONGEST_WORD)):
        return repr(value)
    return f"a value of type {type(value).__name__}"

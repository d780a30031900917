"""Fills the columns of a campaign's message with the values of one row. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

from airflow_provider_d360.messages.columns import COLUMN

# Where a text is shown as it is: longer or shorter plain words are as right as others.
_TEXTS = frozenset({"text", "body", "caption"})


def columns_of(message: object) -> list[str]:
    """
    Return the columns that a message needs, sorted.

    :param message: The message, or a part of it.
    """
    return sorted({name for _, text in _strings(message) for name in COLUMN.findall(text)})


def has_plain_columns_only(message: object) -> bool:
    """
    Return whether columns are used only inside texts, and not for links, ids or whole messages.

    :param message: The message.
    """
    return all(key in _TEXTS for key, text in _strings(message) if COLUMN.search(text))


def fill(message: Any, values: Mapping[str, Any]) -> Any:
    """
    Return a message with values in place of its columns.

    :param message: The message, or a part of it.
    :param values: The values by column.
    """
    if isinstance(message, str):
        whole = COLUMN.fullmatch(message)
        if whole:
            return values[whole[1]]
        return COLUMN.sub(lambda match: str(values[match[1]]), message) if "\ue360" in message else message
    if isinstance(message, Mapping):
        return {key: fill(item, values) for key, item in message.items()}
    if isinstance(message, list | tuple):
        return [fill(item, values) for item in message]
    return message


def read_value(value: object) -> Any:
    """
    Return the value of a column as it is sent: text, or a message or a list as it is.

    :param value: What the audience has; whole numbers are written without a point.
    :raises ValueError: when it is missing: None, NaN or blank.
    """
    if isinstance(value, Mapping | list):
        return value
    is_missing = value is None or (isinstance(value, Real) and math.isnan(value))
    text = "" if is_missing else str(value).strip()
    if text in ("", "<NA>", "NaT"):
        raise ValueError("is empty")
    return text


def _strings(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """List the texts of a message, each with its key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _strings(item, str(name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item, key)

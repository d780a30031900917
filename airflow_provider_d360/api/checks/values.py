"""Checks of single values: texts, ids, numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal

from airflow_provider_d360.api.checks.spots import Check, Spot, Violation

# What an absent value becomes when Jinja, pandas or JSON write it as text.
ABSENT = frozenset({"None", "nan", "NaN", "NaT", "<NA>", "null"})
_NUMBERS_OF_PANDAS = frozenset({"NaTType", "NAType", "float16", "float32"})


def text(most: int | None = None, *, least: int = 1, label: bool = False) -> Check:
    """
    Expect a string.

    Characters are Unicode code points. It is not documented whether WhatsApp counts them or UTF-16 units, of
    which there are never fewer: a text that is refused here is too long either way.

    :param most: The most characters; any number by default.
    :param least: The fewest characters. From 1 on, white space alone is refused, too.
    :param label: The text is chosen from a list, as titles and ids are, so that ``None`` may be meant.
        Otherwise a text that is what an absent value renders to is refused.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        word = absent(value, label=label)
        if word:
            yield spot.bad(f"missing: the value is {word}, as an absent value renders")
        elif not isinstance(value, str):
            yield spot.bad("must be a string")
        elif least and not value.strip():
            yield spot.bad("empty")
        elif most is not None and len(value) > most:
            yield spot.bad(f"{len(value)} characters, at most {most}")

    return check


def absent(value: object, *, label: bool = False) -> str | None:
    """
    Return the word for an absent value, such as ``nan``; ``None`` for any other value.

    :param value: Any value.
    :param label: Do not take strings for absent values.
    """
    if isinstance(value, str):
        word = "" if label else value.strip()
    elif isinstance(value, (float, Decimal)) or type(value).__name__ in _NUMBERS_OF_PANDAS:
        word = str(value)
    else:
        return None
    return word if word in ABSENT else None


def identifier(value: object, spot: Spot) -> Iterator[Violation]:
    """
    Expect an id: a string, or the integer that some write in its place.

    :param value: The value to check.
    :param spot: Its position in the message.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        yield spot.bad("must be a string")
    elif isinstance(value, str):
        yield from text()(value, spot)


def message_id(value: object, spot: Spot) -> Iterator[Violation]:
    """
    Expect the id of a message, which holds no white space.

    :param value: The value to check.
    :param spot: Its position in the message.
    """
    yield from text()(value, spot)
    yield from fitting(lambda known: not re.search(r"\s", known), "holds a space or a newline")(value, spot)


def flag(value: object, spot: Spot) -> Iterator[Violation]:
    """
    Expect ``true`` or ``false``, as a boolean or as a string.

    :param value: The value to check.
    :param spot: Its position in the message.
    """
    if not isinstance(value, bool) and value not in ("true", "false"):
        yield spot.bad("must be true or false")


def number(low: float, high: float, *, whole: bool = False) -> Check:
    """
    Expect a number, which may be written as a string.

    :param low: The least value.
    :param high: The greatest value.
    :param whole: Refuse floats, also those without a fraction: JSON would write them with one.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        known = _number(value)
        if known is None or (whole and known % 1 != 0):
            yield spot.bad("must be a whole number" if whole else "must be a number")
        elif whole and isinstance(value, float):
            yield spot.bad("must be a whole number without a decimal point: wrap it in int()")
        elif not low <= known <= high:
            yield spot.bad(f"must be from {low} to {high}")

    return check


def one_of(*words: str) -> Check:
    """
    Expect one of these words.

    :param words: What is allowed.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        if value not in words:
            yield spot.bad(f"must be {' or '.join(words)}")

    return check


def fitting(fits: Callable[[str], object], problem: str) -> Check:
    """
    Name the problem of a string that does not fit; leave everything else to other checks.

    :param fits: Returns something true for a string that fits.
    :param problem: The problem of all others.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        if isinstance(value, str) and value.strip() and not fits(value):
            yield spot.bad(problem)

    return check


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None

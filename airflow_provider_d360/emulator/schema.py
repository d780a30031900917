"""
A small schema language for JSON bodies, as strict as the service: unknown keys are errors.

A check is a function of a value and its path, such as ``text['body']``; it raises
:class:`~airflow_provider_d360.emulator.responses.InvalidError`. A key whose value is ``null`` counts as
left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeAlias

from airflow_provider_d360.emulator.responses import INVALID, INVALID_BODY, MISSING, UNEXPECTED, Problem

Check: TypeAlias = Callable[[Any, str], None]

ANYTHING: Check = lambda value, path: None  # noqa: E731 (one of many checks, written as one)


def string(
    most: int | None = None, *, least: int = 1, empty: Problem = INVALID, too_long: Problem = INVALID
) -> Check:
    """
    Check for a string.

    :param most: How many characters it may have; ``None`` for any number.
    :param least: How many it must have.
    :param empty: The error for a string that is too short.
    :param too_long: The error for a string that is too long.
    """

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            INVALID.reject(f"Param {path} must be a string")
        if len(value if value.strip() else "") < least:
            empty.reject(f"Param {path} must be at least {least} characters long.")
        if most is not None and len(value) > most:
            too_long.reject(f"Param {path} must be at most {most} characters long.")

    return check


def matching(pattern: str, what: str) -> Check:
    """
    Check for a string of a form.

    :param pattern: A regular expression for the whole string.
    :param what: Its description, for the error.
    """
    compiled = re.compile(pattern)

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            INVALID.reject(f"Param {path} must be {what}")

    return check


def number(low: float, high: float, *, whole: bool = False, spelled: bool = True) -> Check:
    """
    Check for a number.

    :param low: The least.
    :param high: The largest.
    :param whole: Without a fraction.
    :param spelled: A string of digits counts as well.
    """
    pattern = re.compile(r"-?\d+" if whole else r"-?\d+(\.\d+)?", re.ASCII)

    def check(value: Any, path: str) -> None:
        allowed = (int,) if whole else (int, float)
        if isinstance(value, str) and spelled and pattern.fullmatch(value):
            value = float(value)
        elif isinstance(value, bool) or not isinstance(value, allowed):
            INVALID.reject(f"Param {path} must be a {'whole ' if whole else ''}number")
        if not low <= value <= high:
            INVALID.reject(f"Param {path} must be between {low:g} and {high:g}")

    return check


def flag(value: Any, path: str) -> None:
    """
    Check for ``true`` or ``false``; the strings count as well.

    :param value: The value.
    :param path: Its place.
    """
    if not isinstance(value, bool) and value not in ("true", "false"):
        INVALID.reject(f"Param {path} must be a boolean")


def choice(*words: str, fold: bool = False, problem: Problem = INVALID) -> Check:
    """
    Check for one of some words.

    :param words: The words.
    :param fold: The word may also be written in capitals.
    :param problem: The error for any other value.
    """

    def check(value: Any, path: str) -> None:
        word = value.lower() if fold and isinstance(value, str) and value.isupper() else value
        if not isinstance(word, str) or word not in words:
            problem.reject(f"Param {path} must be one of {{{', '.join(words)}}}")

    return check


def not_allowed(value: Any, path: str) -> None:
    """
    Reject any value.

    :param value: The value.
    :param path: Its place.
    """
    INVALID.reject(f"Param {path} is not allowed here")


def every(*checks: Check) -> Check:
    """
    Combine checks.

    :param checks: Applied in this order.
    """

    def check(value: Any, path: str) -> None:
        for one in checks:
            one(value, path)

    return check


def record(
    required: Mapping[str, Check] | None = None, optional: Mapping[str, Check] | None = None, *rules: Check
) -> Check:
    """
    Check for an object.

    :param required: Keys that it must have.
    :param optional: Keys that it may have; any other is an error.
    :param rules: Checks of the whole object, applied last.
    """
    needed, known = required or {}, {**(required or {}), **(optional or {})}

    def check(value: Any, path: str) -> None:
        expect_object(value, path)
        for key in value:
            if key not in known:
                UNEXPECTED.reject(f'Unexpected key "{key[:40]}" on param "{path}".')
        for key, one in known.items():
            if value.get(key) is not None:
                one(value[key], place(path, key))
            elif key in needed:
                MISSING.reject(f"The parameter {place(path, key)} is required.")
        every(*rules)(value, path)

    return check


def array(each: Check, least: int = 0, most: int | None = None, *rules: Check) -> Check:
    """
    Check for a list.

    :param each: Applied to each item.
    :param least: How many items it must have.
    :param most: How many it may have; ``None`` for any number.
    :param rules: Checks of the whole list, applied last.
    """

    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            INVALID.reject(f"Param {path} must be an array")
        if len(value) < least or (most is not None and len(value) > most):
            INVALID.reject(f"Invalid {path} count. Min allowed: {least}, max allowed: {most}")
        for index, item in enumerate(value):
            each(item, f"{path}[{index}]")
        every(*rules)(value, path)

    return check


def switch(key: str, table: Mapping[str, Check], *, fold: bool = False) -> Check:
    """
    Check for an object that a word in it describes.

    :param key: The key of that word, such as ``type``.
    :param table: The check for each word.
    :param fold: The word may also be written in capitals.
    """

    def check(value: Any, path: str) -> None:
        expect_object(value, path)
        if value.get(key) is None:
            MISSING.reject(f"The parameter {place(path, key)} is required.")
        choice(*table, fold=fold)(value[key], place(path, key))
        table[value[key].lower() if fold else value[key]](value, path)

    return check


def tagged(
    table: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    *,
    fold: bool = False,
    missing: Problem = MISSING,
) -> Check:
    """
    Check for an object whose ``type`` names the key of its content.

    :param table: The check of the content for each type.
    :param optional: Keys that are allowed beside type and content.
    :param fold: The type may also be written in capitals.
    :param missing: The error when the content is missing.
    """

    def content(kind: str, each: Check) -> Check:
        whole = record(None, {"type": ANYTHING, kind: each, **(optional or {})})

        def check(value: Any, path: str) -> None:
            if value.get(kind) is None:
                missing.reject(f"Parameter '{kind}' is mandatory for component parameter type '{kind}'")
            whole(value, path)

        return check

    return switch("type", {kind: content(kind, each) for kind, each in table.items()}, fold=fold)


def exactly_one(first: str, second: str) -> Check:
    """
    Check that an object has one of two keys.

    :param first: One key.
    :param second: The other key.
    """

    def check(value: Any, path: str) -> None:
        if (value.get(first) is None) == (value.get(second) is None):
            MISSING.reject(f"Param {path} needs either {first} or {second}")

    return check


def distinct(read: Callable[[Any], Hashable], what: str, problem: Problem = INVALID) -> Check:
    """
    Check that no two items of a list are alike.

    :param read: Returns what is compared; ``None`` is not compared.
    :param what: Its description, for the error.
    :param problem: The error.
    """

    def check(value: Any, path: str) -> None:
        values = [one for one in map(read, value) if one is not None]
        if len(set(values)) < len(values):
            problem.reject(f"Duplicated {what} in {path}")

    return check


def place(path: str, key: str) -> str:
    """
    Return the path of a key.

    :param path: The path of the object; empty for the whole body.
    :param key: The key.
    """
    return f"{path}['{key}']" if path else key


def expect_object(value: Any, path: str) -> None:
    """
    Reject anything that is no JSON object.

    :param value: The value.
    :param path: Its place.
    """
    if not isinstance(value, dict):
        (INVALID if path else INVALID_BODY).reject(f"Param {path} must be a JSON object.")

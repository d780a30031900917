"""
Small checks that together describe how a value of a message must look.

A check is a function of a value and its position. It takes any value, never raises, and never repeats a
value: messages are private. ``None`` means a missing value, as in WhatsApp's JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from airflow_provider_d360.api.checks.spots import Check, Spot, Violation, elements, look
from airflow_provider_d360.api.checks.values import text


def refused(key: str, problem: str) -> Check:
    """
    Refuse an object whatever it holds.

    :param key: The key to name.
    :param problem: Why.
    """

    def check(_value: object, spot: Spot) -> Iterator[Violation]:
        yield spot.key(key).bad(problem)

    return check


def every(*checks: Check) -> Check:
    """
    Expect what all of these expect.

    :param checks: The checks, in the order of their violations.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        for one in checks:
            yield from one(value, spot)

    return check


def record(
    required: Mapping[str, Check] | None = None, optional: Mapping[str, Check] | None = None, *rules: Check
) -> Check:
    """
    Expect an object with these keys; other keys are allowed.

    :param required: Checks of keys that must be there.
    :param optional: Checks of keys that may be missing, or ``None``.
    :param rules: Checks of the whole object.
    """
    keys = {**(required or {}), **(optional or {})}

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        if not isinstance(value, Mapping):
            yield spot.bad("must be an object")
            return
        for key, one in keys.items():
            if value.get(key) is not None:
                yield from one(value[key], spot.key(key))
            elif required and key in required:
                yield spot.key(key).bad("missing")
        for rule in rules:
            yield from rule(value, spot)

    return check


def items(
    each: Check,
    least: int = 0,
    most: int | None = None,
    *rules: Check,
    spot_of: Callable[[Spot, int, object], Spot] = Spot.item,
) -> Check:
    """
    Expect a list.

    :param each: The check of each item.
    :param least: The fewest items.
    :param most: The most items; any number by default.
    :param rules: Checks of the whole list.
    :param spot_of: Names the place of an item, from the list's spot, its index and the item.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        if not isinstance(value, (list, tuple)):
            yield spot.bad("must be a list")
            return
        if len(value) < least:
            yield spot.bad(f"{len(value)} items, at least {least}")
        if most is not None and len(value) > most:
            yield spot.bad(f"{len(value)} items, at most {most}")
        for index, item in enumerate(value):
            yield from each(item, spot_of(spot, index, item))
        for rule in rules:
            yield from rule(value, spot)

    return check


def switch(table: Mapping[str, Check], *, closed: bool = False, capitals: bool = False) -> Check:
    """
    Expect an object with a ``type``, and whatever belongs to that type.

    :param table: Checks of the whole object, by type.
    :param closed: Refuse other types. Otherwise they pass, because Meta adds types at any time; a type that
        differs in case only is always refused.
    :param capitals: The type may also be written all in capitals, as Meta's own examples do in templates.
    """
    typed = record({"type": text()})

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        yield from typed(value, spot)
        kind = look(value, "type")
        if not isinstance(kind, str) or not kind.strip():
            return
        known = written(kind, capitals=capitals)
        if known in table:
            yield from table[known](value, spot)
        elif kind.strip().lower() in table:
            yield spot.key("type").bad(f"must be written {kind.strip().lower()}")
        elif closed:
            yield spot.key("type").bad(f"must be {' or '.join(table)}")

    return check


def tagged(
    table: Mapping[str, Check], *, closed: bool = False, capitals: bool = False, flat: bool = False
) -> Check:
    """
    Expect an object whose ``type`` is the key of its content, as nearly everywhere in WhatsApp's JSON.

    :param table: Checks of the content, by type.
    :param closed: As in :func:`switch`.
    :param capitals: As in :func:`switch`.
    :param flat: Leave the key out of the path.
    """
    return switch(
        {kind: _content(kind, one, flat=flat) for kind, one in table.items()},
        closed=closed,
        capitals=capitals,
    )


def written(kind: str, *, capitals: bool) -> str:
    """
    Return a type in small letters, if it may be written as it is; otherwise unchanged.

    :param kind: The type.
    :param capitals: It may be written all in capitals.
    """
    return kind.lower() if capitals and kind.isupper() else kind


def exactly_one(first: str, second: str) -> Check:
    """
    Expect one of two keys, as a rule of :func:`record`.

    :param first: One key.
    :param second: The other.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        present = [key for key in (first, second) if look(value, key) is not None]
        if len(present) != 1:
            yield spot.bad(f"needs {first} or {second}" + (", not both" if present else ""))

    return check


def without(*keys: str) -> Check:
    """
    Expect none of these keys, as a rule of :func:`record`.

    :param keys: The keys.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        for key in keys:
            if look(value, key) is not None:
                yield spot.key(key).bad("not allowed here")

    return check


def distinct(*path: str) -> Check:
    """
    Expect no string or number twice, as a rule of :func:`items`.

    :param path: Its place in each item.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        seen: dict[str | int, int] = {}
        for index, item in enumerate(elements(value)):
            known = look(item, *path)
            if isinstance(known, (str, int)) and seen.setdefault(known, index) != index:
                yield spot.item(index).key(".".join(path)).bad(f"the same as in item {seen[known]}")

    return check


def alike(describe: Callable[[object], str | int | None], *path: str) -> Check:
    """
    Expect the same of each item as of the first one, as a rule of :func:`items`.

    :param describe: Returns what has to be the same.
    :param path: The place to name.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        described = [describe(item) for item in elements(value)]
        for index, one in enumerate(described):
            if one != described[0]:
                yield spot.item(index).key(".".join(path)).bad("not of the same kind as in item 0")

    return check


def sourced(source: str, check: Check) -> Check:
    """
    Name another page from here on.

    :param source: The page that documents the rules.
    :param check: The check of those rules.
    """
    return lambda value, spot: check(value, replace(spot, source=source))


def inside(key: str, check: Check, *, optional: bool = False) -> Check:
    """
    Check the value of one key without naming the key in the path.

    :param key: The key.
    :param check: The check of its value.
    :param optional: The value may be missing, or ``None``.
    """

    def check_inside(value: object, spot: Spot) -> Iterator[Violation]:
        content = look(value, key)
        if content is not None:
            yield from check(content, spot)
        elif not optional:
            yield spot.key(key).bad("missing")

    return check_inside


def _content(kind: str, check: Check, *, flat: bool) -> Check:
    def of_content(value: object, spot: Spot) -> Iterator[Violation]:
        content, place = look(value, kind), spot if flat else spot.key(kind)
        if content is None:
            yield place.bad("missing")
        else:
            yield from check(content, place)

    return of_content

"""
How a value of a message must look, in a grammar of small checks, and how a problem is named.

A check is a function of a value and the spot where it stands. It takes any value, never raises, and never
repeats a value: messages are private. ``None`` stands for something left out, as it does in WhatsApp's JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Violation:
    """
    One thing that WhatsApp would refuse.

    :param path: Where: ``interactive.action.buttons[3].reply.title``.
    :param problem: What, with lengths, counts and allowed values, and never with the value itself.
    :param source: The page that says so.
    """

    path: str
    problem: str
    source: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem} ({self.source})"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a check is, and by which page it goes."""

    path: str
    source: str

    def key(self, name: str) -> Spot:
        return replace(self, path=f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> Spot:
        return replace(self, path=f"{self.path}[{index}]")

    def bad(self, problem: str) -> Violation:
        return Violation(self.path or "message", problem, self.source)


Check: TypeAlias = Callable[[object, Spot], Iterator[Violation]]


def text(most: int | None = None, *, least: int = 1) -> Check:
    """
    Expect a string of this many characters.

    Characters are Unicode code points. Nobody documents whether WhatsApp counts them, or UTF-16 units, of
    which there are never fewer: so what is refused here is too long either way.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        if not isinstance(value, str):
            yield spot.bad("must be a string")
        elif len(value) < least:
            yield spot.bad("empty")
        elif most is not None and len(value) > most:
            yield spot.bad(f"{len(value)} characters, at most {most}")

    return check


def identifier(value: object, spot: Spot) -> Iterator[Violation]:
    """Expect an id: a string, or the number that some write in its place."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        yield spot.bad("must be a string")
    elif value == "":
        yield spot.bad("empty")


def flag(value: object, spot: Spot) -> Iterator[Violation]:
    """Expect ``true`` or ``false``, or how some spell them."""
    if not isinstance(value, bool) and value not in ("true", "false"):
        yield spot.bad("must be true or false")


def number(low: float, high: float, *, whole: bool = False) -> Check:
    """Expect a number, which may be spelled as a string."""

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        found = _number(value)
        if found is None or (whole and found % 1 != 0):
            yield spot.bad("must be a whole number" if whole else "must be a number")
        elif not low <= found <= high:
            yield spot.bad(f"must be from {low} to {high}")

    return check


def one_of(*words: str) -> Check:
    """Expect one of these words."""

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        if value not in words:
            yield spot.bad(f"must be {' or '.join(words)}")

    return check


def fitting(fits: Callable[[str], object], problem: str) -> Check:
    """Name the problem of a string that does not fit; leave anything else to other checks."""

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        if isinstance(value, str) and value and not fits(value):
            yield spot.bad(problem)

    return check


def every(*checks: Check) -> Check:
    """Expect what all of these expect."""

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        for one in checks:
            yield from one(value, spot)

    return check


def record(
    required: Mapping[str, Check] | None = None, optional: Mapping[str, Check] | None = None, *rules: Check
) -> Check:
    """Expect an object with these keys; others may stand beside them. ``rules`` look at the whole object."""

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        if not isinstance(value, Mapping):
            yield spot.bad("must be an object")
            return
        for key, one in {**(required or {}), **(optional or {})}.items():
            if value.get(key) is not None:
                yield from one(value[key], spot.key(key))
            elif required and key in required:
                yield spot.key(key).bad("missing")
        yield from every(*rules)(value, spot)

    return check


def items(each: Check, least: int = 0, most: int | None = None, *rules: Check) -> Check:
    """Expect a list of this many of these. ``rules`` look at the whole list."""

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        if not isinstance(value, (list, tuple)):
            yield spot.bad("must be a list")
            return
        if len(value) < least:
            yield spot.bad(f"{len(value)} items, at least {least}")
        if most is not None and len(value) > most:
            yield spot.bad(f"{len(value)} items, at most {most}")
        for index, item in enumerate(value):
            yield from each(item, spot.item(index))
        yield from every(*rules)(value, spot)

    return check


def switch(table: Mapping[str, Check], *, closed: bool = False, fold: bool = False) -> Check:
    """
    Expect an object, and what its ``type`` makes of it.

    :param closed: Refuse other types. Otherwise they pass: Meta adds them faster than anyone releases.
    :param fold: Types may be written in capitals.
    """

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        yield from record({"type": text()})(value, spot)
        kind = look(value, "type")
        if not isinstance(kind, str) or not kind:
            return
        kind = kind.lower() if fold else kind
        if kind in table:
            yield from table[kind](value, spot)
        elif closed:
            yield spot.key("type").bad(f"must be {' or '.join(table)}")

    return check


def tagged(table: Mapping[str, Check], *, closed: bool = False, fold: bool = False) -> Check:
    """Expect an object whose ``type`` names the key of its content, as nearly everything here does."""
    return switch({kind: record({kind: one}) for kind, one in table.items()}, closed=closed, fold=fold)


def exactly_one(first: str, second: str) -> Check:
    """Expect one of two keys, for :func:`record`."""

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        found = [key for key in (first, second) if look(value, key) is not None]
        if len(found) != 1:
            yield spot.bad(f"needs {first} or {second}" + (", not both" if found else ""))

    return check


def without(*keys: str) -> Check:
    """Expect none of these keys, for :func:`record`."""

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        for key in keys:
            if look(value, key) is not None:
                yield spot.key(key).bad("not allowed here")

    return check


def distinct(*path: str) -> Check:
    """Expect no string twice at this path in each item, for :func:`items`."""

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        seen: dict[str | int, int] = {}
        for index, item in enumerate(elements(value)):
            found = look(item, *path)
            if isinstance(found, (str, int)) and seen.setdefault(found, index) != index:
                yield spot.item(index).key(".".join(path)).bad(f"the same as in item {seen[found]}")

    return check


def alike(describe: Callable[[object], str | int | None], *path: str) -> Check:
    """Expect the same of each item as of the first one, for :func:`items`."""

    def check(value: object, spot: Spot) -> Iterator[Violation]:
        described = [describe(item) for item in elements(value)]
        for index, one in enumerate(described):
            if one != described[0]:
                yield spot.item(index).key(".".join(path)).bad("not of the same kind as in item 0")

    return check


def sourced(source: str, check: Check) -> Check:
    """Name another page from here on."""
    return lambda value, spot: check(value, replace(spot, source=source))


def look(value: object, *path: str) -> object:
    """Find what stands at a path of keys; ``None`` where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def elements(value: object) -> Sequence[object]:
    """Find the items of a list; none where there is no list."""
    return value if isinstance(value, (list, tuple)) else ()


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None

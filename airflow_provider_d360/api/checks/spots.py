"""The place of a check in a message, and what it reports about that place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Violation:
    """
    One thing that WhatsApp would refuse.

    :param path: Its place: ``interactive.action.buttons[3].reply.title``, or as a template's builder names
        it: ``body[1]``, ``body['name']``, ``buttons[0]``, ``cards[2].header``.
    :param problem: Lengths, counts and allowed values, and never the value itself.
    :param source: The page that documents the rule.
    """

    path: str
    problem: str
    source: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem} ({self.source})"


@dataclass(frozen=True, slots=True)
class Spot:
    """
    The place of a check.

    :param path: The path so far; empty for the message itself.
    :param source: The page that documents the rules at this place.
    """

    path: str
    source: str

    def key(self, name: str) -> Spot:
        return Spot(f"{self.path}.{name}" if self.path else name, self.source)

    def item(self, index: int, _item: object = None) -> Spot:
        return Spot(f"{self.path}[{index}]", self.source)

    def at(self, path: str) -> Spot:
        return Spot(path, self.source)

    def bad(self, problem: str) -> Violation:
        return Violation(self.path or "message", problem, self.source)


Check: TypeAlias = Callable[[object, Spot], Iterator[Violation]]


def look(value: object, *path: str) -> object:
    """
    Return the value at a path of keys; ``None`` if a key is missing.

    :param value: Any value.
    :param path: The keys.
    """
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def elements(value: object) -> Sequence[object]:
    """
    Return the items of a list; an empty list for any other value.

    :param value: Any value.
    """
    return value if isinstance(value, (list, tuple)) else ()

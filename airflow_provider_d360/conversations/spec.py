"""The rules of a question: what counts as an answer, how many are needed, when to remind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from airflow_provider_d360.api.inbound import check_pattern

KINDS = ("choice", "text", "number", "date", "file")
MOST_BUTTONS = 3
MOST_CHOICES = 10
_LONGEST_TITLE = 20  # of a button
_LONGEST_ROW = 24  # the title of a list row
_LONGEST_DETAIL = 72  # what stands below it


@dataclass(frozen=True, slots=True)
class Spec:
    """
    What counts as an answer to a question.

    :param answer: ``choice``, ``text``, ``number``, ``date`` or ``file``.
    :param choices: The key and the title of each choice.
    :param needed: How many people must choose the same.
    :param takes_next: The person's next message counts as well, without quoting the question.
    :param pattern: A regular expression that a text must match.
    :param tries: How often a person may answer until the answer is valid.
    :param reminders: When to remind those who have not answered, in seconds after the question.
    :param settled: The text to those who answer when the question is settled; None for no text.
    :param link: Where else it can be answered; empty if nowhere.
    """

    answer: str
    choices: tuple[tuple[str, str], ...] = ()
    needed: int = 1
    takes_next: bool = False
    pattern: str | None = None
    tries: int = 2
    reminders: tuple[float, ...] = ()
    settled: str | None = None
    link: str = ""

    def __post_init__(self) -> None:
        if self.answer not in KINDS:
            raise ValueError(f"answer is {self.answer!r}; it can be {', '.join(KINDS)}")
        if bool(self.choices) != (self.answer == "choice"):
            raise ValueError("choices belong to answer='choice', and to nothing else")
        if self.needed < 1 or self.tries < 1:
            raise ValueError("needed and tries must be 1 or more")
        if self.needed > 1 and self.answer != "choice":
            raise ValueError("needed is for questions with choices: several people must choose the same")
        if self.pattern is not None:
            if self.answer != "text":
                raise ValueError("pattern is for answer='text': it would be compared with nothing else")
            check_pattern(self.pattern)

    def to_json(self) -> dict[str, Any]:
        """Return the spec as a dict for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """
        Read a spec. Another version of this package may have written it: unknown names are ignored.

        :param data: What :meth:`to_json` returned.
        """
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        known["choices"] = tuple((str(key), str(title)) for key, title in known.get("choices", ()))
        known["reminders"] = tuple(known.get("reminders", ()))
        return cls(**known)


def read_choices(value: object) -> tuple[tuple[str, str], ...]:
    """
    Read choices: a dict of keys and titles, or a list of texts, which are both.

    :param value: What the author gave; None for none.
    :raises ValueError: There are more than 10, two are the same, or one is too long to be shown.
    """
    if value is None:
        return ()
    pairs = list(value.items()) if isinstance(value, Mapping) else [(one, one) for one in _texts(value)]
    if any(one is None or one != one for pair in pairs for one in pair):  # NaN differs from itself
        raise ValueError("A choice is None or nan: the task that it comes from returned nothing")
    choices = tuple((str(key).strip(), str(title).strip()) for key, title in pairs)
    if not 1 <= len(choices) <= MOST_CHOICES:
        raise ValueError(f"There are {len(choices)} choices; WhatsApp shows 1 to {MOST_CHOICES}")
    for names in zip(*choices, strict=True):
        if len({name.casefold() for name in names}) < len(names) or not all(names):
            raise ValueError("Two choices have the same key or title, or one has none")
    longest = max(len(title) for _, title in choices)
    limit = _LONGEST_TITLE if len(choices) <= MOST_BUTTONS else _LONGEST_ROW + _LONGEST_DETAIL
    if longest > limit:
        shown = "buttons" if len(choices) <= MOST_BUTTONS else "list rows"
        raise ValueError(f"A choice has {longest} characters; {shown} have {limit} at most")
    return choices


def row_parts(title: str) -> tuple[str, str | None]:
    """
    Split a title into the title and the description of a list row.

    :param title: At most 96 characters.
    """
    if len(title) <= _LONGEST_ROW:
        return title, None
    head = title[: _LONGEST_ROW + 1].rpartition(" ")[0] or title[:_LONGEST_ROW]
    rest = title[len(head) :].strip()
    return (head, rest) if len(rest) <= _LONGEST_DETAIL else (title[:_LONGEST_ROW], title[_LONGEST_ROW:])


def _texts(value: object) -> list[object]:
    if isinstance(value, list | tuple):
        return list(value)
    raise ValueError("choices can be a dict of keys and titles, or a list of texts")

"""The result of planning a campaign. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from airflow_provider_d360.api.privacy import conceal, mask_number
from airflow_provider_d360.campaigns.audience import Person

_SAMPLES = 10
_MOST_PROBLEMS = 100
_SHARE_OF_RATE = 0.9  # messages that people send count towards the number's rate, too


@dataclass(slots=True)
class Plan:
    """
    Counts the rows of an audience while it is read.

    :ivar rows: How many rows there were.
    :ivar planned: How many people will get the message.
    :ivar duplicates: How many rows were about somebody who had one already.
    :ivar suppressed: How many people asked for no such messages.
    :ivar recent: How many got marketing too recently.
    :ivar invalid: How many rows cannot be sent.
    :ivar problems: The first of these, with their row numbers.
    """

    rows: int = 0
    planned: int = 0
    duplicates: int = 0
    suppressed: int = 0
    recent: int = 0
    invalid: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    _countries: Counter[str] = field(default_factory=Counter)
    _samples: list[dict[str, Any]] = field(default_factory=list)
    _sum: int = 0

    def reject(self, number: int, problem: str) -> None:
        """
        Count a row that cannot be sent.

        :param number: Its number, from 1.
        :param problem: Why, without values.
        """
        self.invalid += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append((number, problem))

    def include(self, person: Person, payload: str) -> None:
        """
        Add a row to the audience's hash, whether it can be sent or not.

        :param person: The row.
        :param payload: Its payload.
        """
        text = f"{payload}\n{person.label}\n{person.zones}"
        self._sum += int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16], "big")

    def add(self, person: Person, message: object) -> None:
        """
        Count a person who will get the message.

        :param person: The person.
        :param message: The message, filled in; only its form is kept.
        """
        self.planned += 1
        self._countries[country_of(person.to)] += 1
        if len(self._samples) < _SAMPLES:
            self._samples.append({"to": mask_number(person.to), "message": conceal(message)})

    @property
    def wants_sample(self) -> bool:
        """Whether fewer than ten messages are kept as samples."""
        return len(self._samples) < _SAMPLES

    @property
    def audience(self) -> str:
        """A hash of all rows, whatever their order."""
        return f"{self.rows - self.invalid}-{self._sum % 2**128:032x}"

    def result(self, category: str | None, rate: float, daily_limit: int | None) -> dict[str, Any]:
        """
        Return the figures to review before sending.

        :param category: The template's category; None for other messages.
        :param rate: The rate of the number, in messages per second.
        :param daily_limit: How many people the account may reach in 24 hours; None if it is not known.
        """
        return {
            "rows": self.rows,
            "planned": self.planned,
            "duplicates": self.duplicates,
            "suppressed": self.suppressed,
            "not_within": self.recent,
            "invalid": self.invalid,
            "invalid_rows": [list(problem) for problem in self.problems],
            "category": category,
            "countries": dict(self._countries.most_common()),
            "hours": round(self.planned / (rate * _SHARE_OF_RATE) / 3600, 2),
            "daily_limit": daily_limit,
            "fits_daily_limit": None if daily_limit is None else self.planned <= daily_limit,
            "samples": self._samples,
        }

    def summary(self) -> str:
        """Return the counts in one line."""
        return (
            f"{self.rows} rows: {self.planned} people to write to, {self.duplicates} duplicates, "
            f"{self.suppressed} suppressed, {self.recent} written to too recently, {self.invalid} invalid"
        )


def country_of(to: str) -> str:
    """
    Return the country of a number by its country code, such as ``DE``; of a user id, what it begins with.

    Countries that share a code count as the largest of them: +1 as ``US``.

    :param to: The recipient.
    """
    return _country(to[:3]) if to[:1].isdecimal() else to[:2]


@lru_cache(maxsize=1024)
def _country(digits: str) -> str:
    return next((region for size in (1, 2, 3) if (region := _regions().get(digits[:size]))), "?")


@lru_cache(maxsize=1)
def _regions() -> Mapping[str, str]:
    import phonenumbers

    return {str(code): regions[0] for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()}

"""The audience: from a row of any source to a person and the values of the message. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quote
from typing import Any, NamedTuple

from airflow_provider_d360.api.checks import messages as limits
from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.normalization import normalize
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.campaigns.filling import columns_of, fill, has_plain_columns_only, read_value
from airflow_provider_d360.campaigns.windows import Window, check_zone, zones_of_number
from airflow_provider_d360.messages import as_message, flatten_parameters

_PLAIN_LENGTH = 30  # a text of so many characters is checked in place of all shorter ones
_LONGEST_LABEL = 100
_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


class InvalidRowError(Exception):
    """A row cannot be sent. The text names the column and the problem, and repeats no value."""


class Person(NamedTuple):
    """
    A row that can be sent.

    :param to: The recipient, as :func:`~airflow_provider_d360.api.recipients.canonical` returns it.
    :param values: The values of the message's columns, sorted by column.
    :param label: What the report names this person by; None without one.
    :param zones: The time zones that the person may be in; None without a window.
    """

    to: str
    values: Mapping[str, Any]
    label: str | None = None
    zones: tuple[str, ...] | None = None

    @property
    def payload(self) -> str:
        """Recipient and values in JSON, always in one spelling."""
        if any(type(value) is not str for value in self.values.values()):
            return _encode([self.to, self.values])
        pairs = [f"{_quote(name)}:{_quote(value)}" for name, value in self.values.items()]
        return f"[{_quote(self.to)},{{{','.join(pairs)}}}]"  # the same in a third of the time


class RowReader:
    """
    Reads rows of one campaign.

    :ivar columns: The columns that the message needs.
    :param message: The message with its columns, as ``read_content`` returns it; or the text that
        stands for a column with whole messages.
    :param hosting: The hosting that it goes to.
    :param to_column: The column with the recipients.
    :param default_region: The country of numbers with a leading 0.
    :param flattens: Turn newlines in the parameters of a template into spaces.
    :param label: The column that names people in the report.
    :param window: The hours in which people may get the message.
    :param zone: The column with their time zone; None takes it from their number.
    """

    def __init__(
        self,
        message: Any,
        hosting: Hosting,
        *,
        to_column: str = "to",
        default_region: str | None = None,
        flattens: bool = False,
        label: str | None = None,
        window: Window | None = None,
        zone: str | None = None,
    ) -> None:
        self.columns = columns_of(message)
        self._message, self._hosting, self._default_region = message, hosting, default_region
        self._to_column = to_column
        self._flattens, self._label, self._window, self._zone = flattens, label, window, zone
        self._is_plain = has_plain_columns_only(message)
        self._plain_problem: str | None = None
        if self._is_plain:
            self._plain_problem = self._problem(dict.fromkeys(self.columns, "x" * _PLAIN_LENGTH))

    def read(self, row: Mapping[str, Any]) -> Person:
        """
        Read a row.

        :param row: Its values by column.
        :raises InvalidRowError: when it cannot be sent.
        """
        to = self._recipient(row)
        values = {name: self._value(row, name) for name in self.columns}
        problem = self._plain_problem if self._are_plain(values) else self._problem(values)
        if problem:
            raise InvalidRowError(problem)
        label = None
        if self._label is not None:
            label = str(self._value(row, self._label))[:_LONGEST_LABEL]
        return Person(to, values, label, self._zones(row, to))

    def _recipient(self, row: Mapping[str, Any]) -> str:
        problem = None
        try:
            return canonical(row[self._to_column], default_region=self._default_region)
        except KeyError:
            problem = f"there is no column {self._to_column!r}"
        except D360RequestError as error:
            problem = error.detail.title
        raise InvalidRowError(problem)

    def _value(self, row: Mapping[str, Any], name: str) -> Any:
        problem = None
        try:
            return self._flat(read_value(row[name]))
        except KeyError:
            problem = f"there is no column {name!r}"
        except ValueError as error:
            problem = f"{name} {error}"
        raise InvalidRowError(problem)

    def _flat(self, value: Any) -> Any:
        if self._flattens and isinstance(value, Mapping):
            return flatten_parameters(value)
        is_flat = not isinstance(value, str) or (value.isprintable() and "  " not in value)
        if is_flat or not self._flattens:
            return value
        part = {"type": "body", "parameters": [{"type": "text", "text": value}]}
        flat: Any = flatten_parameters({"type": "template", "template": {"components": [part]}})
        return flat["template"]["components"][0]["parameters"][0]["text"]

    def _are_plain(self, values: Mapping[str, Any]) -> bool:
        return self._is_plain and all(
            type(value) is str and len(value) <= _PLAIN_LENGTH and value.isprintable() and "  " not in value
            for value in values.values()
        )

    def _problem(self, values: Mapping[str, Any]) -> str | None:
        try:
            message = normalize(as_message(fill(self._message, values)))
        except TypeError as error:
            return str(error)
        violations = limits.check(message, self._hosting)
        return "; ".join(map(str, violations)) if violations else None

    def _zones(self, row: Mapping[str, Any], to: str) -> tuple[str, ...] | None:
        if self._window is None:
            return None
        problem = None
        zones: tuple[str, ...] = ()
        try:
            zones = (check_zone(str(self._value(row, self._zone))),) if self._zone else zones_of_number(to)
        except ValueError as error:
            problem = f"{self._zone} {error}"
        if problem is None and not zones:
            problem = "the time zone of this number is not known; give it in a column"
        if problem is None and not _opens(self._window, zones):
            problem = "there is no hour inside the window in all time zones of this number"
        if problem:
            raise InvalidRowError(problem)
        return zones


@lru_cache(maxsize=4096)
def _opens(window: Window, zones: tuple[str, ...]) -> bool:
    return window.next_opening(zones, 0.0) is not None

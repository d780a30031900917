"""Reads free answers: texts, numbers, dates, files."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, NamedTuple

from airflow_provider_d360.api.inbound import LONGEST_MATCHED, Content
from airflow_provider_d360.conversations.spec import Spec

_LONGEST = 4096  # WhatsApp's own limit
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:[.,][0-9]{1,15})?")
_DATES = (
    re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"),
    re.compile(r"(?P<day>[0-9]{1,2})\.\s?(?P<month>[0-9]{1,2})\.\s?(?P<year>[0-9]{4})"),
)


class Reading(NamedTuple):
    """
    A free answer as it was read.

    :param value: What it says; None if it is not valid.
    :param problem: What is wrong with it, for the person; None if it is valid.
    """

    value: Any = None
    problem: str | None = None


def read_free(spec: Spec, content: Content) -> Reading:
    """
    Read a free answer.

    :param spec: What counts as an answer.
    :param content: What the person sent.
    """
    if spec.answer == "file":
        return Reading(content.media_id) if content.media_id else Reading(problem="Please send a file.")
    written = (content.text or "").strip()
    if not written or len(written) > _LONGEST:
        return Reading(problem="Please answer with a text.")
    if spec.answer == "number":
        return _number(written)
    if spec.answer == "date":
        return _date(written)
    if spec.pattern is not None and not _fits(spec.pattern, written):
        return Reading(problem="This answer does not have the expected form.")
    return Reading(written)


def _fits(pattern: str, written: str) -> bool:
    return len(written) <= LONGEST_MATCHED and re.fullmatch(pattern, written, re.IGNORECASE) is not None


def _number(written: str) -> Reading:
    """Read a whole or a decimal number. ``1,500`` may be one and a half or fifteen hundred: it is refused."""
    if not _NUMBER.fullmatch(written) or re.search(r"[.,][0-9]{3}$", written):
        return Reading(problem="Please answer with a number, such as 42 or 3.5.")
    plain = written.replace(",", ".")
    return Reading(float(plain) if "." in plain else int(plain))


def _date(written: str) -> Reading:
    """Read ``2026-12-31`` or ``31.12.2026``. Others, such as ``03/04/2026``, may be two different days."""
    for form in _DATES:
        if found := form.fullmatch(written):
            parts = {name: int(value) for name, value in found.groupdict().items()}
            try:
                return Reading(date(**parts).isoformat())
            except ValueError:
                break
    return Reading(problem="Please answer with a date, such as 2026-12-31.")

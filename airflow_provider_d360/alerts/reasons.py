"""Why a task failed, in one line: its error, with what is attached to it. No I/O, no import of Airflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_d360.alerts.alert import flat

_MOST_NOTES = 2
_MOST_MEMBERS = 3
_LONGEST_PART = 200


def read_error(error: object, redact: Callable[[str], str]) -> tuple[str, str]:
    """
    Return the class of an error, and its first line of text, its first notes and members in one line.

    :param error: An exception; a text, where Airflow has no more; or None.
    :param redact: Masks secrets.
    """
    if error is None:
        return "", ""
    if not isinstance(error, BaseException):
        return "", _first_line(error, redact)
    parts = [_line(error, redact)]
    parts += [_first_line(note, redact) for note in _some(error, "__notes__")[:_MOST_NOTES]]
    members = [member for member in _some(error, "exceptions") if isinstance(member, BaseException)]
    parts += [_line(member, redact) for member in members[:_MOST_MEMBERS]]
    return type(error).__name__, "; ".join(filter(None, parts))


def _line(error: BaseException, redact: Callable[[str], str]) -> str:
    kind, line = type(error).__name__, _first_line(error, redact)
    return f"{kind}: {line}" if line else kind


def _first_line(value: object, redact: Callable[[str], str]) -> str:
    """Return the first line of a text. Secrets are masked before it is cut: half of one is not recognised."""
    line = next((line for line in redact(_text_of(value)).splitlines() if line.strip()), "")
    return flat(line)[:_LONGEST_PART]


def _text_of(value: object) -> str:
    """Return a text. One that fails or is no Unicode must not prevent the alert."""
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:  # noqa: BLE001 - anybody's code
        return ""


def _some(error: BaseException, name: str) -> tuple[Any, ...]:
    """Return the values of an attribute; nothing if it is not what Python's own exceptions have."""
    try:
        values = getattr(error, name, ())
    except Exception:  # noqa: BLE001 - anybody's code
        return ()
    return tuple(values) if isinstance(values, list | tuple) else ()

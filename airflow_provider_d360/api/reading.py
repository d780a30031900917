"""Looking into answers without trusting them: what all readers share."""

from __future__ import annotations

import json
from collections.abc import Iterator

from airflow_provider_d360.api.wire import Response


def json_object(response: Response) -> dict[str, object]:
    """Read the body; raise ``ValueError`` when it is no JSON object."""
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(body, dict):
        raise ValueError("it is not a JSON object")
    return body


def objects(value: object) -> Iterator[dict[str, object]]:
    """Go through the objects of a list; through nothing when it is something else."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def child(value: object, name: str) -> dict[str, object]:
    """Give an object inside an object; an empty one when there is none."""
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def string(value: object) -> str | None:
    """Give a string that is not empty, or the number that some services write in its place."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def strings(value: object) -> tuple[str, ...]:
    """Give the strings of a list."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def integer(value: object) -> int | None:
    """Give a number, or one that is written as a string."""
    text = string(value) or ""
    return int(text) if text.isdecimal() and len(text) < 19 else None

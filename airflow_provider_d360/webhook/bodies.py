"""A body from the wire: never longer than allowed, and read whatever is in it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive

from airflow_provider_d360.api.events import Event, UnknownEvent, read_events

_LONGEST_NUMBER = 20


class TooLargeError(Exception):
    """The body is longer than allowed."""


class DisconnectedError(Exception):
    """The caller has gone; nobody waits for an answer."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """
    Read a body.

    :raises TooLargeError: at once when its announced length is over the limit, else as soon as it is.
    :raises DisconnectedError: when it does not come to its end.
    """
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and (len(announced) > _LONGEST_NUMBER or int(announced) > limit):
        raise TooLargeError
    pieces, length = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise DisconnectedError
        piece = message.get("body", b"")
        length += len(piece)
        if length > limit:
            raise TooLargeError
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def read_delivery(body: bytes) -> list[Event]:
    """Read the events of a delivery that can be stored; anything that is not JSON holds none."""
    try:
        told = _DECODER.decode(body.decode("utf-8", "replace").removeprefix("\N{BOM}"))
    except (ValueError, RecursionError):
        return []
    return [event for event in read_events(told) if not isinstance(event, UnknownEvent)]


def _integer(digits: str) -> float:
    """Python refuses integers of thousands of digits; one such must not take the whole body with it."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else math.inf


def _nothing(name: str) -> Any:
    """Stand in for ``NaN`` and ``Infinity``, which are no JSON."""
    return None


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_nothing, strict=False)

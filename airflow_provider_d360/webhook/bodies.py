"""A body from the wire: never longer than allowed, and read whatever is in it."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.types import Receive

from airflow_provider_d360.api.events import Event, UnknownEvent, read_events

_LONGEST_NUMBER = 20
_DEEPEST = 50  # a delivery of WhatsApp's needs a quarter of that
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]|[^"\[\]{}]+', re.DOTALL)


class TooLargeError(Exception):
    """The body is longer than allowed."""


class UnreadableError(Exception):
    """The body is no JSON."""


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


def unpacked(headers: Mapping[bytes, bytes], body: bytes, limit: int) -> bytes:
    """
    Undo the ``Content-Encoding``; a body that is not what its header says is left as it is.

    :raises TooLargeError: as soon as it becomes longer than allowed.
    """
    if headers.get(b"content-encoding", b"").strip().lower() not in (b"gzip", b"x-gzip", b"deflate"):
        return body
    try:
        text = zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, limit + 1)
    except zlib.error:
        return body
    if len(text) > limit:
        raise TooLargeError
    return text


def read_delivery(body: bytes) -> list[Event]:
    """
    Read the events of a delivery that can be stored.

    :raises UnreadableError: when the body is no JSON, so that nobody knows what was in it.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        told = _decoded(text)
    except (ValueError, RecursionError):
        raise UnreadableError from None
    return [event for event in read_events(told) if not isinstance(event, UnknownEvent)]


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return _DECODER.decode("".join(_flattened(text)))


def _flattened(text: str) -> Iterator[str]:
    """Empty what is nested too deeply: it must not take the whole body with it."""
    depth = 0
    for token in _TOKENS.finditer(text):
        piece = token[0]
        depth -= piece in "]}"
        if depth < _DEEPEST:
            yield piece
        depth += piece in "[{"


def _integer(digits: str) -> float:
    """Python refuses integers of thousands of digits; one such must not take the whole body with it."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else math.inf


def _nothing(name: str) -> Any:
    """Stand in for ``NaN`` and ``Infinity``, which are no JSON."""
    return None


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_nothing, strict=False)

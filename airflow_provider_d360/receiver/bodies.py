"""The body of a delivery: read up to a limit, decompressed, decoded. Nothing in it is left out."""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive

from airflow_provider_d360.api.events import Event, OmittedEvent, UnknownEvent, read_events

_LONGEST_NUMBER = 20
_MOST_DIGITS = 600
_MOST_ENCODINGS = 3
_MOST_UNKNOWN = 1000
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS
_GZIP = (b"gzip", b"x-gzip")
_BETWEEN_DOCUMENTS = re.compile(r"[\s\x1e]*")  # the byte that starts a record of a JSON text sequence


class TooLargeError(Exception):
    """The body is longer than allowed."""


class UnknownEncodingError(Exception):
    """The ``Content-Encoding`` cannot be undone."""


class DisconnectedError(Exception):
    """The caller is gone; nobody waits for a response."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """
    Read a body.

    :param headers: Names in lower case.
    :param receive: The ASGI channel.
    :param limit: The longest body, in bytes.
    :raises TooLargeError: at once if the announced length is over the limit, else as soon as the body is.
    :raises DisconnectedError: if the body does not come to its end.
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


def read_encodings(value: bytes) -> list[bytes]:
    """
    Read a ``Content-Encoding`` header, in the order in which the encodings were applied.

    :param value: The value of the header; of several headers, joined by commas.
    :raises UnknownEncodingError: if it names another encoding than gzip and deflate, or more than three.
    """
    names = [name.strip().lower() for name in value.split(b",")]
    encodings = [name for name in names if name not in (b"", b"identity")]
    if len(encodings) > _MOST_ENCODINGS or not all(name in (*_GZIP, b"deflate") for name in encodings):
        raise UnknownEncodingError
    return encodings


def decompress(encodings: list[bytes], body: bytes, limit: int) -> bytes:
    """
    Undo encodings. A body that is not what its header says (a proxy decompressed it) is returned as it is.

    :param encodings: What :func:`read_encodings` returned.
    :param body: The body as it was sent.
    :param limit: The longest decompressed body, in bytes.
    :raises TooLargeError: as soon as the body becomes longer than the limit.
    """
    for encoding in reversed(encodings):
        body = _decompress(encoding, body, limit)
    return body


def read_delivery(body: bytes) -> list[Event]:
    """
    Read the events of a delivery. What cannot be read becomes an unknown event that holds it.

    Several JSON documents in one body, separated by white space or nothing, are all read. If more than 1,000
    items cannot be read, one unknown event holds the whole body instead of them.

    :param body: The decompressed body, in any encoding of JSON.
    """
    if not body.strip():
        return [OmittedEvent("empty")]
    text = body.decode(json.detect_encoding(body), "replace")
    is_text = "\N{REPLACEMENT CHARACTER}" not in text
    events: list[Event] = []
    start = _skip_separators(text, 0)
    while start < len(text):
        try:
            document, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            events.append(UnknownEvent(text[start:] if events or is_text else _base64(body)))
            break
        events += read_events(document)
        start = _skip_separators(text, end)
    if len(events) <= _MOST_UNKNOWN:
        return events
    known = [event for event in events if not isinstance(event, UnknownEvent)]
    whole_body = UnknownEvent(text if is_text else _base64(body))
    return events if len(events) - len(known) <= _MOST_UNKNOWN else [*known, whole_body]


def _skip_separators(text: str, start: int) -> int:
    match = _BETWEEN_DOCUMENTS.match(text, start)
    return match.end() if match else start


def _base64(body: bytes) -> str:
    return f"base64:{base64.b64encode(body).decode()}"


def _decompress(encoding: bytes, body: bytes, limit: int) -> bytes:
    try:
        return _inflate_all(body, limit)
    except zlib.error:
        return body if encoding in _GZIP else _inflate_raw(body, limit)


def _inflate_all(body: bytes, limit: int) -> bytes:
    """
    Decompress a zlib stream, or all members of a gzip file; what follows them is appended as it is.

    A stream that breaks off is returned compressed, as it was received.
    """
    received = body
    pieces: list[bytes] = []
    length = 0
    while body:
        stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            piece = stream.decompress(body, limit + 1 - length)
        except zlib.error:
            if not pieces:
                raise
            pieces.append(body.strip(b"\0"))  # files are padded with NUL
            length += len(pieces[-1])
            break
        length += len(piece)
        if length > limit:
            raise TooLargeError
        if not stream.eof:
            return received
        pieces.append(piece)
        body = stream.unused_data
    if length > limit:
        raise TooLargeError
    return b"".join(pieces)


def _inflate_raw(body: bytes, limit: int) -> bytes:
    """Decompress a raw deflate stream, which some clients send as ``deflate``; leave others as they are."""
    stream = zlib.decompressobj(_RAW_DEFLATE)
    try:
        text = stream.decompress(body, limit + 1)
    except zlib.error:
        return body
    if len(text) > limit:
        raise TooLargeError
    return text if stream.eof and not stream.unused_data else body


def _integer(digits: str) -> int | str:
    """Keep an integer as text if it has so many digits that Python may refuse to read it."""
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _float(digits: str) -> float | str:
    """Keep a number as text if it is too large for a float: JSON has no infinity to store it as."""
    number = float(digits)
    return digits if math.isinf(number) else number


def _null(name: str) -> None:
    """Read ``NaN`` and ``Infinity``, which are not JSON, as ``null``."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object. Of a name that occurs several times, all values are kept, in one list."""
    result = dict(pairs)
    return result if len(result) == len(pairs) else _merge(pairs)


def _merge(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {
        name: same[0] if all(value == same[0] for value in same) else _joined(same)
        for name, same in values.items()
    }


def _joined(values: list[Any]) -> list[Any]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


_DECODER = json.JSONDecoder(
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_null,
    object_pairs_hook=_object,
    strict=False,
)

"""
Reading bodies without trusting them: what all readers of responses and deliveries share.

A value of the wrong kind is read as nothing; only a body that is no JSON object is an error.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping

from airflow_provider_d360.api.wire import Response

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_TEXT_CHARSETS = re.compile(
    r"iso-?8859|windows-|cp\d|latin|koi8|euc|gb|big5|shift|utf-?(16|32)", re.IGNORECASE
)

_MILLISECONDS_FROM = 1e11  # in seconds, that is the year 5138
_LONGEST_TIME = 1e20  # the same in nanoseconds
# WhatsApp began in 2009, and a time after 2099 is no event's. There is no clock here: whoever orders by time
# bounds it by the time of arrival as well.
_EARLIEST, _LATEST = 1_230_768_000.0, 4_102_444_800.0


def decode(response: Response) -> str:
    """
    Return a body as text, whatever its charset; bytes that fit none become ``\ufffd``.

    A byte order mark decides, then the zeros of UTF-16 and UTF-32, then whether it is UTF-8 (many servers
    declare another charset and send that), then the charset of ``Content-Type``.

    :param response: The response.
    """
    body = response.body
    encoding = "utf-8" if body.startswith(b'{"') else _encoding(body)  # UTF-16 would have a zero between
    try:
        return body.decode(encoding)
    except ValueError:
        declared = _CHARSET.search(response.headers.get("content-type", ""))
        if encoding == "utf-8" and declared and _TEXT_CHARSETS.match(declared[1]):
            encoding = declared[1]
        try:
            return body.decode(encoding, "replace")
        except (LookupError, ValueError):
            return body.decode("utf-8", "replace")


def _encoding(body: bytes) -> str:
    marked = next((name for mark, name in _MARKS if body.startswith(mark)), None)
    return marked or json.detect_encoding(body[:4])


def json_value(text: str) -> object:
    """
    Return the JSON value of a text; ``None`` if it is not JSON.

    :param text: The text.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_object(response: Response) -> Mapping[str, object]:
    """
    Return the body of a response.

    :param response: The response.
    :raises ValueError: when the body is no JSON object.
    """
    body = json_value(decode(response))
    if body is None:
        raise ValueError("it is not JSON")
    if not isinstance(body, dict):
        raise ValueError("it is not a JSON object")
    return body


def mapping(value: object) -> Mapping[str, object]:
    """
    Return an object; an empty one for anything else.

    :param value: Any value.
    """
    return value if isinstance(value, Mapping) else {}


def child(value: object, name: str) -> Mapping[str, object]:
    """
    Return an object inside an object; an empty one if it is missing.

    :param value: Any value.
    :param name: The key of the inner object.
    """
    return mapping(mapping(value).get(name))


def objects(value: object) -> Iterator[Mapping[str, object]]:
    """
    Yield the objects of a list; nothing for anything else.

    :param value: Any value.
    """
    items = value if isinstance(value, list | tuple) else ()
    return (item for item in items if isinstance(item, Mapping))


def elements(value: object) -> list[object]:
    """
    Return a list as it is, an object as a list of one, and an empty list for anything else.

    :param value: Any value.
    """
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def text(value: object) -> str | None:
    """
    Return a string that is not empty.

    :param value: Any value.
    """
    return value if isinstance(value, str) and value else None


def string(value: object) -> str | None:
    """
    Return a string that is not empty, or the digits of the whole number that some services send instead.

    :param value: Any value.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(value)


def strings(value: object) -> tuple[str, ...]:
    """
    Return the strings of a list.

    :param value: Any value.
    """
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def integer(value: object, *, digits: int = 18) -> int | None:
    """
    Return a whole number that is not negative, or one that is written as a string.

    :param value: Any value.
    :param digits: Longer numbers are ``None``.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 10**digits else None
    written = text(value) or ""
    return int(written) if written.isascii() and written.isdecimal() and len(written) <= digits else None


def event_time(value: object) -> float | None:
    """
    Read a time in seconds, or in the milliseconds that some gateways send; ``None`` for an absurd one.

    :param value: Any value.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    if not 0 < seconds < _LONGEST_TIME:  # nor is NaN
        return None
    while seconds >= _MILLISECONDS_FROM:
        seconds /= 1000
    return seconds if _EARLIEST <= seconds < _LATEST else None


def read_nothing(response: Response) -> None:
    """
    Read a response whose status says all.

    :param response: The response.
    """

"""
The error in the body of a response, in whichever envelope.

Five are known: Meta's ``{"error": {…}}``, the marketing API's ``{"detail": {"error": {…}}}``, the gateway's
``{"meta": {"developerMessage": "…"}}`` and ``{"error": "…"}``, and on-premise's ``{"errors": [{…}]}``. Each
text in them, and a body that is no JSON, may hold the JSON of another error: the gateway wraps
Meta's like that. A response that failed may also hold the error deeper, or without any envelope.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from html import unescape

from airflow_provider_d360.api import codes
from airflow_provider_d360.api.reading import child, integer, json_value, mapping, objects, text

_DEEPEST = 4  # texts inside texts
_LONGEST_TEXT = 20_000
_MOST_OBJECTS = 20
_CODE_DIGITS = 9
# What an error may stand under, in a response that failed.
_WRAPPERS = (
    *("error", "errors", "fault", "detail", "details", "meta", "message", "response"),
    *("developer_message", "developerMessage"),
)
_ENVELOPES = frozenset({"detail", "error", "errors", "meta"})
_HINTS = re.compile(r"detail|error|meta|\\u")  # JSON may write a letter as \u and its code
_SPELLED = re.compile(r"(?i)\b(?:error|code)\b[\s:=#]{1,3}(\d{3,6})\b")
_NUMBERED = re.compile(r"\(#(\d{1,6})\)\s*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class StatedError:
    """
    An error as a response states it.

    :param title: What happened. Default: empty.
    :param details: More about it. Default: empty.
    :param code: The code; ``None`` without one.
    :param subcode: Meta's ``error_subcode``; ``None`` without one.
    :param fbtrace_id: Meta's id of the request. Default: empty.
    :param on_premise: Whether it is in the envelope of the on-premise API.
    """

    title: str = ""
    details: str = ""
    code: int | None = None
    subcode: int | None = None
    fbtrace_id: str = ""
    on_premise: bool = False


def states_no_error(body: str) -> bool:
    """
    Return whether a body has none of the envelopes, as nearly all bodies of a success.

    Most of them have not even the letters of an envelope's keys; they are not parsed here.

    :param body: The body, as text.
    """
    if body.startswith("{") and not _HINTS.search(body):
        return True
    value = json_value(body)
    return isinstance(value, Mapping) and _outer(value) is None


def find_error(body: str, private: Collection[str] = (), *, failed: bool = False) -> StatedError | None:
    """
    Return the error that a body states; ``None`` when it states none.

    :param body: The body, as text.
    :param failed: The HTTP status is an error's: the body is searched more deeply. Default: ``False``.
    :param private: What the request says. An object inside it is no error, even when the response quotes it.
    """
    value = json_value(body)
    if value is None or isinstance(value, str):
        return _wrapped(body if value is None else value, private, 0)
    stated = _in_object(mapping(value), private, 0)
    if failed and not (stated and _is_known(stated)):
        errors = (_bare_error(one, private) for one in _nested(value, private))
        return next((one for one in errors if one and _is_known(one)), stated)
    return stated


def _nested(value: object, private: Collection[str], depth: int = 0) -> Iterator[Mapping[str, object]]:
    """Yield the objects that may be an error: the body first, then the objects inside it."""
    if isinstance(value, Mapping):
        yield value
        inner = [value[key] for key in _WRAPPERS if key in value]
    else:
        inner = value if isinstance(value, list) else []
    for one in inner[:_MOST_OBJECTS] if depth < _DEEPEST else ():
        if isinstance(one, str):
            one = None if one in private else json_value(one)
        yield from _nested(one, private, depth + 1)


def _bare_error(body: Mapping[str, object], private: Collection[str]) -> StatedError | None:
    """Read an object as an error in its envelope, or without one."""
    if "code" in body:
        return _meta_error(body)
    written = text(body.get("developerMessage")) or text(body.get("developer_message")) or ""
    return _in_object(body, private, 0) or _wrapped(written, private, 0)


def _in_object(body: Mapping[str, object], private: Collection[str], depth: int) -> StatedError | None:
    outer = _outer(body)
    if outer is None:
        return None
    for written in (outer.details, outer.title):
        inner = _wrapped(written, private, depth + 1)
        if inner is not None and (_is_known(inner) or not _is_known(outer)):
            return inner
    words = _without(f"{outer.title} {outer.details}", private, "(#")
    if outer.code is None and (numbered := _NUMBERED.search(words)):
        outer = replace(outer, code=int(numbered[1]))
    spelled = _SPELLED.search(words)
    if outer.code is None and spelled and not any(spelled[1] in secret for secret in private):
        known = replace(outer, code=int(spelled[1]))
        outer = known if _is_known(known) else outer
    return replace(outer, title=_NUMBERED.sub("", outer.title, count=1))


def _is_known(error: StatedError) -> bool:
    return codes.by_code(error.code, on_premise=error.on_premise) is not None


def _wrapped(written: str, private: Collection[str], depth: int) -> StatedError | None:
    """Find the JSON of an error inside a text, with its quotes escaped or not."""
    if depth > _DEEPEST or "{" not in written:
        return None
    written = written[:_LONGEST_TEXT]
    for inner in _objects_in(_without(written, private, "{")):
        if error := _in_object(inner, private, depth):
            return error
    plainer = unescape(written.replace('\\"', '"'))
    return _wrapped(plainer, private, depth + 1) if plainer != written else None


def _without(written: str, private: Collection[str], mark: str) -> str:
    """Cut out what the request says, where that could be taken for a code of the service."""
    for secret in private:
        if mark in secret:
            for quoted in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
                written = written.replace(quoted, "…")
    return written


def _objects_in(written: str) -> Iterator[Mapping[str, object]]:
    """Yield the outermost JSON objects inside a text."""
    at = written.find("{")
    for _ in range(_MOST_OBJECTS):
        if at < 0:
            return
        try:
            value, end = _DECODER.raw_decode(written, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield mapping(value)
        at = written.find("{", end)


def _outer(body: Mapping[str, object]) -> StatedError | None:
    if _ENVELOPES.isdisjoint(body):
        return None
    if isinstance(body.get("detail"), Mapping):  # the marketing API, through 360dialog
        return _outer(child(body, "detail"))
    error, meta = body.get("error"), child(body, "meta")
    if isinstance(error, Mapping):
        return _meta_error(error)
    if title := text(error):
        return StatedError(title)
    if (first := next(objects(body.get("errors")), None)) is not None:
        return replace(_meta_error(first), on_premise=True)
    if meta.get("success") is False:
        return StatedError(text(meta.get("developerMessage")) or text(meta.get("developer_message")) or "")
    return None


def _code(value: object) -> int | None:
    """Read a code, which may be written ``131047.0`` or ``#131047``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        value = value.strip().removeprefix("#").removesuffix(".0")
    return integer(value, digits=_CODE_DIGITS)


def _meta_error(error: Mapping[str, object]) -> StatedError:
    data = error.get("error_data")
    words = (
        child(error, "error_data").get("details"),
        error.get("details"),
        error.get("error_user_msg"),
        data,
    )
    return StatedError(
        title=text(error.get("message")) or text(error.get("title")) or "",
        details=next(filter(None, map(text, words)), ""),
        code=_code(error.get("code")),
        subcode=integer(error.get("error_subcode"), digits=_CODE_DIGITS),
        fbtrace_id=text(error.get("fbtrace_id")) or "",
    )

"""From a response to a value or an error: the one place where a response of 360dialog is classified."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar

from airflow_provider_d360.api import codes
from airflow_provider_d360.api.envelopes import StatedError, find_error, states_no_error
from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360Error,
    D360RateLimitError,
    D360RequestError,
    D360UnavailableError,
    ErrorDetail,
)
from airflow_provider_d360.api.privacy import quotes, readable
from airflow_provider_d360.api.reading import decode, json_value, mapping
from airflow_provider_d360.api.wire import Call, Response

T = TypeVar("T")

_LONGEST_WORDS = 600  # what the service itself says of an error
_LONGEST_EXCERPT = 200  # of a body that nobody understands
_READ_AT_MOST = 20_000
_LONGEST_WAIT_SECONDS = 7 * 86_400.0


def read_response(call: Call[T], response: Response, secrets: Collection[str]) -> T:
    """
    Turn a response into the call's value.

    :param call: The call that it responds to.
    :param response: The whole response.
    :param secrets: What no error text may repeat, besides what is private about the call.
    :raises D360Error: the one of the six that fits, for anything that is not a readable success.
    """
    body = decode(response)
    succeeded, stated = 200 <= response.status < 300, None
    if not (succeeded and states_no_error(body)):
        stated = find_error(body, _private(call, secrets), failed=response.status >= 400)
    if succeeded and (stated is None or mapping(json_value(body)).get("messages")):
        try:
            return call.read(response)
        except ValueError as problem:
            failure = _unreadable(call, response, _private(call, secrets), str(problem))
        raise failure  # outside of the except block: the problem, which may quote the body, is in no chain
    raise _failure(call, response, stated, _private(call, secrets))


def lost_response(call: Call[T], what: str) -> D360Error:
    """
    Build the error for a request that was sent and whose response never came, or came in pieces.

    :param call: The call.
    :param what: What happened, in a few words without secrets.
    :return: :class:`D360UnavailableError` where repeating the call is harmless, else
        :class:`D360AmbiguousError`.
    """
    if call.repeatable:
        detail = ErrorDetail(title=what, remedy="Try again later.", retry_soon=True)
        return D360UnavailableError(detail)
    remedy = "The message may be on its way; look for its status before sending it again."
    return D360AmbiguousError(ErrorDetail(title=what, remedy=remedy))


def never_sent(what: str, details: str, remedy: str, *, retry_soon: bool = True) -> D360UnavailableError:
    """
    Build the error for a request that did not leave: no address, no connection, no TLS.

    :param what: What happened, in a few words.
    :param details: More about it.
    :param remedy: What to do, in one sentence.
    :param retry_soon: Whether a retry within seconds makes sense. Default: ``True``.
    """
    return D360UnavailableError(
        ErrorDetail(title=what, details=details, remedy=remedy, retry_soon=retry_soon)
    )


def failed_status(code: int | None, title: str, details: str, *, on_premise: bool = False) -> D360Error:
    """
    Build the error for a message that failed after it was accepted: as at sending, but never ambiguous.

    :param code: The code of the status; ``None`` without one.
    :param title: What happened, in the service's words.
    :param details: More about it.
    :param on_premise: Whether the status came in the envelope of the on-premise API. Default: ``False``.
    """
    stated = StatedError(title, details, code, on_premise=on_premise)
    meaning = (codes.FAILED_STATUS.get(code) if code is not None else None) or _meaning(stated, 400)
    kind = D360UnavailableError if meaning.kind is D360AmbiguousError else meaning.kind
    return kind(
        ErrorDetail(
            title=_clean(title, ()) or "The message failed",
            remedy=meaning.remedy if kind is meaning.kind else "Send it again later.",
            code=code,
            details=_clean(details, ()),
            retry_after_seconds=meaning.wait_seconds,
            condition=meaning.condition,
        )
    )


def _private(call: Call[T], secrets: Collection[str]) -> Collection[str]:
    return {*call.private(), *secrets}


def _unreadable(call: Call[T], response: Response, private: Collection[str], problem: str) -> D360Error:
    error = lost_response(call, f"The response cannot be read ({_clean(problem, private)})")
    details = _excerpt(call, response, private)
    return type(error)(replace(error.detail, details=details, http_status=response.status))


def _failure(
    call: Call[T], response: Response, stated: StatedError | None, private: Collection[str]
) -> D360Error:
    excerpt = "" if stated else _excerpt(call, response, private)
    words = stated or StatedError(details=excerpt)
    meaning = _meaning(words, response.status, known_envelope=stated is not None)
    kind, soon = meaning.kind, meaning.soon
    if soon is None:
        soon = response.status == 429 and kind is D360RateLimitError
    if kind is D360AmbiguousError and call.repeatable:
        kind, soon = D360UnavailableError, True
    wait = _retry_after(response.headers)
    return kind(
        ErrorDetail(
            title=_clean(words.title, private, call.public()) or f"HTTP {response.status}",
            remedy=meaning.remedy if kind is meaning.kind else "Try again later.",
            code=words.code,
            details=excerpt or _clean(words.details, private, call.public()),
            http_status=response.status,
            fbtrace_id=_trace_id(words.fbtrace_id, private),
            retry_after_seconds=meaning.wait_seconds if wait is None else wait,
            retry_soon=soon,
            condition=meaning.condition,
            subcode=words.subcode,
        )
    )


def _meaning(stated: StatedError, status: int, *, known_envelope: bool = True) -> codes.Meaning:
    """Classify by code, then by sentence, then by HTTP status."""
    by_code = codes.by_code(stated.code, on_premise=stated.on_premise)
    if by_code is not None and stated.code not in codes.GENERIC:
        return by_code
    by_sentence = None if status >= 500 and by_code is None else _by_sentence(stated)
    if by_code is not None:  # a sentence may say which parameter is wrong, but not that none is
        return by_sentence if by_sentence and by_sentence.kind is D360RequestError else by_code
    return by_sentence or codes.by_status(status, known_envelope=known_envelope)


def _by_sentence(stated: StatedError) -> codes.Meaning | None:
    sentence = f"{stated.title} {stated.details}".lower()[:_READ_AT_MOST]
    for pattern, meaning in codes.SENTENCES:
        if re.search(pattern, sentence):
            every = re.search(r"every (\d{1,4}) second", sentence)
            return meaning._replace(wait_seconds=float(every[1])) if every else meaning
    return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """
    Read ``Retry-After`` in seconds, at most a week: delta-seconds, or a date in any form of RFC 9110, 5.6.7.

    A date counts from the response's own ``Date``, so that neither clock needs to be right. The transport
    adds that header where a server leaves it out.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (_date(value) - _date(headers["date"])).total_seconds()
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
    if not math.isfinite(seconds) and not value[:1].isdigit():  # the words inf and nan
        return None
    return min(max(0.0, seconds), _LONGEST_WAIT_SECONDS)


def _date(value: str) -> datetime:
    """Read a date; the form of C's ``asctime`` names no zone and means UTC."""
    date = parsedate_to_datetime(value.strip())
    return date.replace(tzinfo=timezone.utc) if date.tzinfo is None else date


def _excerpt(call: Call[T], response: Response, private: Collection[str]) -> str:
    if not call.quotable:
        return ""
    return _clean(decode(response), private, call.public(), _LONGEST_EXCERPT)


def _clean(
    text: str, private: Collection[str], public: Collection[str] = (), longest: int = _LONGEST_WORDS
) -> str:
    """Hide private parts first and cut afterwards: one cut in two would not be recognised."""
    shown = " ".join(readable(text[:_READ_AT_MOST], private, public).split())
    shown = "".join(ch for ch in shown if ch.isprintable())
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


def _trace_id(text: str, private: Collection[str]) -> str:
    """Return an ``fbtrace_id``; an empty text if it is malformed, or shares a part with something private."""
    if not re.fullmatch(r"(?=.*[A-Za-z])[\w-]{4,40}", text, re.ASCII):
        return ""
    return "" if quotes(text, private) else text

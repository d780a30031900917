"""Answer in, value or error out. The one place where an answer of 360dialog is judged."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import quote

from airflow_provider_d360.api import codes
from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360Error,
    D360RateLimitError,
    D360UnavailableError,
    Refusal,
)
from airflow_provider_d360.api.privacy import scrub
from airflow_provider_d360.api.wire import Call, Response

T = TypeVar("T")

_LONGEST_DETAIL = 200
_READ_AT_MOST = 20_000
_LONGEST_WAIT_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class _Said:
    """What an answer says of its own failure, in whichever of the five envelopes."""

    title: str = ""
    details: str = ""
    code: int | None = None
    fbtrace_id: str = ""
    on_premise: bool = False


def read_answer(call: Call[T], response: Response, secrets: Collection[str]) -> T:
    """
    Turn an answer into the call's value.

    :param secrets: What no error text may repeat, besides what is private about the call.

    :raises D360Error: the one of the six that fits, for anything that is not a readable success.
    """
    body = _json(response.body)
    if 200 <= response.status < 300:
        said = _envelope(body)
        if said is None or (isinstance(body, dict) and body.get("messages")):
            try:
                return call.read(response)
            except ValueError as problem:
                raise _unreadable(call, response, {*call.private, *secrets}, str(problem)) from None
    raise _refuse(call, response, _envelope(body), {*call.private, *secrets})


def lost_answer(call: Call[T], what: str) -> D360Error:
    """Build the error for a request that went out and whose answer never came, or came in pieces."""
    if call.repeatable:
        refusal = Refusal(title=what, remedy="Try again later.", retry_soon=True)
        return D360UnavailableError(refusal)
    remedy = "The message may be on its way; look for its status before sending it again."
    return D360AmbiguousError(Refusal(title=what, remedy=remedy))


def never_sent(what: str, details: str, remedy: str, *, retry_soon: bool = True) -> D360UnavailableError:
    """Build the error for a request that did not leave: no address, no connection, no TLS."""
    return D360UnavailableError(Refusal(title=what, details=details, remedy=remedy, retry_soon=retry_soon))


def failed_status(code: int | None, title: str, details: str, *, on_premise: bool = False) -> D360Error:
    """
    Build the error for a message that failed after it was accepted, as a refusal at sending would be.

    :param code: The code of the status.
    :param title: What happened, in the service's words.
    :param details: More about it.
    :param on_premise: Whose code it is.
    """
    meaning = _meaning(_Said(title, details, code, on_premise=on_premise), 400)
    kind = D360UnavailableError if meaning.kind is D360AmbiguousError else meaning.kind
    remedy = "Send it again later." if kind is not meaning.kind else meaning.remedy
    shown = _clean(title, ()) or "The message failed"
    return kind(Refusal(shown, remedy, code, _clean(details, ()), retry_after_seconds=meaning.wait_seconds))


def _unreadable(call: Call[T], response: Response, private: Collection[str], problem: str) -> D360Error:
    error = lost_answer(call, f"The answer cannot be read ({problem})")
    refusal = error.refusal
    details = _excerpt(call, response, private)
    return type(error)(
        Refusal(refusal.title, refusal.remedy, None, details, response.status, retry_soon=refusal.retry_soon)
    )


def _refuse(call: Call[T], response: Response, said: _Said | None, private: Collection[str]) -> D360Error:
    if said is None:
        said = _Said(title=f"HTTP {response.status}", details=_excerpt(call, response, private))
    meaning = _meaning(said, response.status)
    kind, soon = meaning.kind, meaning.soon
    if soon is None:
        soon = response.status == 429 and kind is D360RateLimitError
    if kind is D360AmbiguousError and call.repeatable:
        kind, soon = D360UnavailableError, True
    wait = _retry_after(response.headers)
    return kind(
        Refusal(
            title=_clean(said.title, private) or f"HTTP {response.status}",
            remedy=meaning.remedy if kind is meaning.kind else "Try again later.",
            code=said.code,
            details=_clean(said.details, private),
            http_status=response.status,
            fbtrace_id=_clean(said.fbtrace_id, private),
            retry_after_seconds=meaning.wait_seconds if wait is None else wait,
            retry_soon=soon,
        )
    )


def _meaning(said: _Said, status: int) -> codes.Meaning:
    """Judge by code, then by the gateway's sentence, then by status."""
    known = codes.ON_PREMISE if said.on_premise else codes.META
    if said.code in known:
        return known[said.code]
    sentence = f"{said.title} {said.details}".lower()
    if status < 500:
        for pattern, meaning in codes.GATEWAY:
            if re.search(pattern, sentence):
                return _with_wait(meaning, sentence)
    return codes.by_status(status)


def _with_wait(meaning: codes.Meaning, sentence: str) -> codes.Meaning:
    every = re.search(r"every (\d{1,4}) second", sentence)
    return meaning._replace(wait_seconds=float(every[1])) if every else meaning


def _envelope(body: object) -> _Said | None:
    """Find the failure in a body; ``None`` when it names none."""
    if not isinstance(body, dict):
        return None
    if isinstance(body.get("detail"), dict):  # the marketing API, through 360dialog
        return _envelope(body["detail"])
    error, errors, meta = body.get("error"), body.get("errors"), body.get("meta")
    if isinstance(error, dict):
        return _meta_error(error)
    if isinstance(error, str) and error:
        return _Said(title=error)
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
        said = _meta_error(first)
        return _Said(said.title, _text(first.get("details")), said.code, on_premise=True)
    if isinstance(meta, dict) and meta.get("success") is False:
        return _Said(title=_text(meta.get("developerMessage") or meta.get("developer_message")))
    return None


def _meta_error(error: Mapping[str, object]) -> _Said:
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else error.get("error_user_msg")
    title = re.sub(r"^\(#\d+\)\s*", "", _text(error.get("message") or error.get("title")))
    return _Said(title, _text(details), _integer(error.get("code")), _text(error.get("fbtrace_id")))


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return int(value) if re.fullmatch(r"\d{1,9}", str(value)) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """
    Read ``Retry-After`` in seconds, at most a week.

    A date counts from the answer's own ``Date``: no clock is needed.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(headers["date"])).total_seconds()
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), _LONGEST_WAIT_SECONDS) if math.isfinite(seconds) else None


def _excerpt(call: Call[T], response: Response, private: Iterable[str]) -> str:
    return _clean(response.body[:_READ_AT_MOST].decode("utf-8", "replace"), private) if call.quotable else ""


def _clean(text: str, private: Iterable[str]) -> str:
    """Scrub first and cut afterwards: a secret cut in two would not be found."""
    spellings = {spelling for secret in private if secret for spelling in _spellings(secret)}
    shown = " ".join(scrub(text[:_READ_AT_MOST], spellings).split())
    shown = "".join(ch for ch in shown if ch.isprintable())
    return shown if len(shown) <= _LONGEST_DETAIL else f"{shown[:_LONGEST_DETAIL]}…"


def _spellings(secret: str) -> Iterable[str]:
    """Yield a secret as it is and as an answer may quote it: in JSON, in HTML, in a URL."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
    yield quote(secret, safe="", errors="replace")

"""
What WhatsApp reports about templates, numbers and accounts: one change of a delivery in, one notice out.

One page a field: developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/…
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from airflow_provider_d360.api.errors import ErrorDetail
from airflow_provider_d360.api.privacy import mask_number, scrub
from airflow_provider_d360.api.reading import child, event_time, objects, string, text

_DAY_SECONDS = 86_400.0
# How long something counts that no later event ends, such as a violation of a policy.
_UNENDED_SECONDS = 30 * _DAY_SECONDS
_LONGEST_WORD = 64


class Level(IntEnum):
    """How bad it is: nothing is wrong, messages may stop soon, or messages are refused now."""

    OK = 0
    WARNING = 1
    FAILED = 2


@dataclass(frozen=True, slots=True)
class NoticeEvent:
    """
    A new state of a template, a number or an account. The newest one of a subject and kind counts.

    :param about: ``template``, ``number`` or ``account``; ``connection`` for what our own requests show.
    :param name: Which: a template's name and language, a number, an account's id, a connection's id.
    :param kind: What changed: ``status``, ``quality``, ``category``, ``limit``, ``name``, ``ban``,
        ``restriction``, ``key``, …
    :param state: The new state in WhatsApp's words, such as ``PAUSED``.
    :param level: How bad that is. A state that is not known counts as a warning.
    :param text: The reason, as WhatsApp states it; empty without one.
    :param at: When, in Unix seconds; ``None`` when not stated.
    :param ends_at: When it no longer counts, in Unix seconds, whatever comes; ``None``: until the next state.
    :param raw: The change as it was delivered.
    """

    about: str
    name: str = field(repr=False)
    kind: str
    state: str
    level: Level
    text: str = field(default="", repr=False)
    at: float | None = None
    ends_at: float | None = None
    raw: object = field(default=None, repr=False, compare=False)

    @property
    def subject(self) -> str:
        """What it is about, for people: a template or connection by its name, a number or account masked."""
        shown = self.name if self.about in ("template", "connection") else mask_number(self.name)
        return f"{self.about} {shown}" if self.name else self.about


def read_notice(change: Mapping[str, object], account: object, time: object) -> NoticeEvent | None:
    """
    Read a change whose field is about a template, a number or an account; ``None`` for any other.

    :param change: The change, with its field and one value.
    :param account: The id of the entry around it.
    :param time: The time of the entry around it.
    """
    value = change.get("value")
    topic = change.get("field")
    if not isinstance(value, Mapping) or not isinstance(topic, str) or topic not in _READERS:
        return None
    if topic == "message_template_status_update" and "new_quality_score" in value:
        topic = "message_template_quality_update"  # Meta's own example has the wrong field
    draft = _READERS[topic](value)
    if draft is None:
        return None
    at = event_time(time)
    ends_at = at + _UNENDED_SECONDS if at is not None and draft.passes else draft.ends_at
    return NoticeEvent(
        draft.about,
        draft.name or string(account) or "",
        draft.kind,
        draft.state,
        draft.level,
        draft.text,
        at,
        ends_at,
        change,
    )


def key_notice(conn_id: str, *, is_accepted: bool) -> NoticeEvent:
    """
    Return the state of a connection's key, as a response shows it: no webhook reports an expired key.

    :param conn_id: The Airflow connection.
    :param is_accepted: Whether 360dialog accepts its key.
    """
    state, level = ("ACCEPTED", Level.OK) if is_accepted else ("REJECTED", Level.FAILED)
    return NoticeEvent("connection", conn_id, "key", state, level)


def explain_notice(about: str, subject: str, kind: str, state: str, details: str) -> ErrorDetail:
    """
    Explain a state in the words of an error: what is wrong, and what to do.

    :param about: ``template``, ``number`` or ``account``.
    :param subject: What it is about, for people.
    :param kind: What changed.
    :param state: The state.
    :param details: The reason, as WhatsApp states it.
    """
    remedy = _REMEDIES.get((about, kind)) or _REMEDIES.get((about, "")) or ""
    return ErrorDetail(f"{subject[:1].upper()}{subject[1:]}: {kind} {state}", remedy, details=details)


@dataclass(frozen=True, slots=True)
class _Draft:
    """The part of a notice that the reader of a field knows; ``passes`` when no later event ends it."""

    about: str
    name: str
    kind: str
    state: str
    level: Level
    text: str = ""
    ends_at: float | None = None
    passes: bool = False


_GOOD_TEMPLATES = ("APPROVED", "REINSTATED", "UNPAUSED", "UNARCHIVED", "PENDING", "LOCKED", "UNLOCKED")
_BAD_TEMPLATES = ("PAUSED", "REJECTED", "DISABLED", "DELETED", "PENDING_DELETION")
_GOOD_QUALITY = ("GREEN", "YELLOW", "UNKNOWN", "UNFLAGGED", "UPGRADE")
_GOOD_LIMITS = ("ONBOARDING", "UPGRADE", "THROUGHPUT_UPGRADE")
_NUMBER_QUALITY = ("FLAGGED", "UNFLAGGED", "RED", "YELLOW", "GREEN")
_GOOD_NAMES = ("APPROVED", "PENDING", "DEFERRED")
_SENDING_RESTRICTIONS = ("RESTRICTED_BIZ_INITIATED_MESSAGING", "RESTRICTED_CUSTOMER_INITIATED_MESSAGING")
# Events of an account that say how its connection to 360dialog is.
_CONNECTION = {
    "ACCOUNT_DELETED": Level.FAILED,
    "ACCOUNT_OFFBOARDED": Level.FAILED,
    "PARTNER_REMOVED": Level.FAILED,
    "PARTNER_ADDED": Level.OK,
    "ACCOUNT_RECONNECTED": Level.OK,
}


def _level(state: str, good: Iterable[str], bad: Iterable[str] = ()) -> Level:
    if state in bad:
        return Level.FAILED
    return Level.OK if state in good else Level.WARNING


def _word(value: object) -> str | None:
    """Return a state; ``None`` if the value is not text or too long."""
    word = text(value)
    return word if word and len(word) <= _LONGEST_WORD else None


def _sentence(*parts: object) -> str:
    """Join what WhatsApp writes for people, without a number that it may name."""
    known = [scrub(part) for part in map(text, parts) if part and part != "NONE"]
    return "; ".join(dict.fromkeys(known))


def _template(value: Mapping[str, object]) -> str | None:
    name, language = text(value.get("message_template_name")), text(value.get("message_template_language"))
    if name is None:
        return None
    return f"{name} ({language})" if language else name


def _template_status(value: Mapping[str, object]) -> _Draft | None:
    name, state = _template(value), _word(value.get("event"))
    if name is None or state is None:
        return None
    other, rejection = child(value, "other_info"), child(value, "rejection_info")
    reasons = _sentence(
        value.get("reason"),
        other.get("title"),
        other.get("description"),
        rejection.get("reason"),
        rejection.get("recommendation"),
    )
    passes = state in ("DELETED", "PENDING_DELETION") or state not in _GOOD_TEMPLATES + _BAD_TEMPLATES
    return _Draft(
        "template",
        name,
        "status",
        state,
        _level(state, _GOOD_TEMPLATES, _BAD_TEMPLATES),
        reasons,
        None,
        passes,
    )


def _template_quality(value: Mapping[str, object]) -> _Draft | None:
    name, state = _template(value), _word(value.get("new_quality_score"))
    if name is None or state is None:
        return None
    before = _word(value.get("previous_quality_score"))
    reason = f"before: {before}" if before else ""
    return _Draft("template", name, "quality", state, _level(state, _GOOD_QUALITY), reason)


def _template_category(value: Mapping[str, object]) -> _Draft | None:
    name, new = _template(value), _word(value.get("new_category"))
    coming = _word(value.get("correct_category"))
    state = coming or new
    if name is None or state is None:
        return None
    before = new if coming else _word(value.get("previous_category"))
    reason = f"{'now' if coming else 'before'}: {before}" if before else ""
    level = Level.WARNING if state == "MARKETING" else Level.OK
    return _Draft("template", name, "category", state, level, reason, passes=True)


def _account_update(value: Mapping[str, object]) -> _Draft | None:
    event = _word(value.get("event"))
    if event is None:
        return None
    if event == "DISABLED_UPDATE":
        return _ban(value)
    if event == "ACCOUNT_RESTRICTION":
        return _restriction(value)
    if event == "ACCOUNT_VIOLATION":
        violation = child(value, "violation_info")
        state = _word(violation.get("violation_type")) or event
        reason = _sentence(violation.get("remediation"))
        return _Draft("account", "", "violation", state, Level.WARNING, reason, passes=True)
    if event in _CONNECTION:
        return _Draft("account", "", "connection", event, _CONNECTION[event])
    return _Draft("account", "", event, event, Level.OK)


def _ban(value: Mapping[str, object]) -> _Draft:
    ban = child(value, "ban_info")
    state = _word(ban.get("waba_ban_state")) or "DISABLED_UPDATE"
    level = _level(state, ("REINSTATE",), ("DISABLE", "DISABLED"))
    return _Draft("account", "", "ban", state, level, _sentence(ban.get("waba_ban_date")))


def _restriction(value: Mapping[str, object]) -> _Draft:
    restrictions = list(objects(value.get("restriction_info")))
    kinds = [kind for each in restrictions if (kind := _word(each.get("restriction_type")))]
    stops_sending = not kinds or any(kind in _SENDING_RESTRICTIONS for kind in kinds)
    ends = [_instant(each.get("expiration")) for each in restrictions]
    ends_at = max((end for end in ends if end), default=None) if all(ends) else None
    return _Draft(
        "account",
        "",
        "restriction",
        "RESTRICTED",
        Level.FAILED if stops_sending else Level.WARNING,
        ", ".join(sorted(set(kinds))),
        ends_at,
    )


def _account_alert(value: Mapping[str, object]) -> _Draft | None:
    info = child(value, "alert_info") or value
    state = _word(info.get("alert_type"))
    if state is None:
        return None
    is_harmless = info.get("alert_severity") == "INFORMATIONAL" or info.get("alert_status") == "NONE"
    about = "number" if value.get("entity_type") == "PHONE_NUMBER" else "account"
    name = string(value.get("entity_id")) or ""
    level = Level.OK if is_harmless else Level.WARNING
    reason = _sentence(info.get("alert_description"))
    return _Draft(about, name, f"alert {state}", state, level, reason, passes=True)


def _number_quality(value: Mapping[str, object]) -> _Draft | None:
    name, state = string(value.get("display_phone_number")), _word(value.get("event"))
    if name is None or state is None:
        return None
    limit = _word(value.get("max_daily_conversations_per_business")) or _word(value.get("current_limit"))
    reason = f"limit: {limit}" if limit else ""
    if state in _NUMBER_QUALITY:
        return _Draft("number", name, "quality", state, _level(state, _GOOD_QUALITY), reason)
    return _Draft("number", name, "limit", state, _level(state, _GOOD_LIMITS), reason, passes=True)


def _number_name(value: Mapping[str, object]) -> _Draft | None:
    name, state = string(value.get("display_phone_number")), _word(value.get("decision"))
    if name is None or state is None:
        return None
    reason = _sentence(value.get("rejection_reason"))
    return _Draft("number", name, "name", state, _level(state, _GOOD_NAMES), reason, passes=True)


def _instant(value: object) -> float | None:
    """Read a time in Unix seconds or in ISO 8601."""
    written = text(value)
    if written is None or written.isdecimal():
        return event_time(value)
    for layout in ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"):
        try:
            return event_time(datetime.strptime(written, layout).timestamp())  # noqa: DTZ007 - it has %z
        except ValueError:
            continue
    return None


_READERS: Mapping[str, Callable[[Mapping[str, object]], _Draft | None]] = {
    "message_template_status_update": _template_status,
    "message_template_quality_update": _template_quality,
    "template_category_update": _template_category,
    "account_update": _account_update,
    "account_alerts": _account_alert,
    "phone_number_quality_update": _number_quality,
    "phone_number_name_update": _number_name,
}

_REMEDIES: Mapping[tuple[str, str], str] = {
    ("template", "status"): "Messages with this template may be refused. Look at it in WhatsApp Manager, and "
    "send alerts with another approved template meanwhile.",
    ("template", "quality"): "WhatsApp pauses templates whose quality stays low. Send it to fewer people.",
    (
        "template",
        "category",
    ): "Marketing messages are limited for each person and not delivered to numbers of "
    "the USA. Send alerts with a utility template, or ask WhatsApp for a review.",
    ("number", "quality"): "People block or report this number. Send less until the quality recovers.",
    (
        "number",
        "limit",
    ): "Fewer people can be written to within 24 hours. Look at the number in WhatsApp Manager.",
    ("number", "name"): "Choose another display name in WhatsApp Manager.",
    ("number", ""): "Look at the number in WhatsApp Manager.",
    ("connection", "key"): "360dialog rejects the API key: it has expired, or belongs to another number. "
    "Put a new one into the connection's password. Alerts are kept until then, for four hours by default.",
    (
        "account",
        "connection",
    ): "360dialog may no longer send for this account. Look at it in the 360dialog Hub.",
    (
        "account",
        "",
    ): "Look at the account in WhatsApp Manager, and ask for a review there. Until then, alerts "
    "need another way than this account.",
}

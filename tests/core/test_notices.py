"""Changes about templates, numbers and accounts in, notices out."""

from __future__ import annotations

import json

import pytest

from airflow_provider_d360.api.events import UnknownEvent, read_events
from airflow_provider_d360.api.notices import Level, NoticeEvent, explain_notice, key_notice

ACCOUNT = "102290129340398"
NUMBER = "15550783881"
AT = 1_739_321_024
MONTH = 30 * 86_400
TEMPLATE = {
    "message_template_id": 1689556908129832,
    "message_template_name": "airflow_alert",
    "message_template_language": "en",
}


def change(topic: str, value: object) -> dict[str, object]:
    return {"field": topic, "value": value}


def body(topic: str, value: object, time: object = AT) -> dict[str, object]:
    entry = {"id": ACCOUNT, "time": time, "changes": [change(topic, value)]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def read(topic: str, value: object) -> NoticeEvent:
    [event] = read_events(body(topic, value))
    assert isinstance(event, NoticeEvent)
    assert event.raw == change(topic, value)
    assert event.at == AT
    return event


STATUS, QUALITY = "message_template_status_update", "message_template_quality_update"
CATEGORY, UPDATE, ALERTS = "template_category_update", "account_update", "account_alerts"
NUMBERS, NAMES = "phone_number_quality_update", "phone_number_name_update"


def status(event: str, **more: object) -> tuple[str, dict[str, object]]:
    return STATUS, {"event": event, **TEMPLATE, "reason": "NONE", **more}


def restricted(*kinds: str) -> tuple[str, dict[str, object]]:
    expiration = "2026-04-19T13:59:20+0000"
    info = [{"restriction_type": kind, "expiration": expiration} for kind in kinds]
    return UPDATE, {"event": "ACCOUNT_RESTRICTION", "restriction_info": info}


def ban(state: str) -> tuple[str, dict[str, object]]:
    info = {"waba_ban_state": state, "waba_ban_date": "April 17, 2025"}
    return UPDATE, {"event": "DISABLED_UPDATE", "ban_info": info}


def alert(severity: str, state: str = "ACTIVE") -> tuple[str, dict[str, object]]:
    info = {"alert_severity": severity, "alert_status": state, "alert_type": "OBA_REJECTED"}
    return ALERTS, {"entity_type": "PHONE_NUMBER", "entity_id": "506914307656634", "alert_info": info}


def number(event: str) -> tuple[str, dict[str, object]]:
    return NUMBERS, {"display_phone_number": NUMBER, "event": event, "current_limit": "TIER_10K"}


def name(decision: str, reason: str | None) -> tuple[str, dict[str, object]]:
    value = {"display_phone_number": NUMBER, "decision": decision, "requested_verified_name": "Lucky"}
    return NAMES, {**value, "rejection_reason": reason}


def quality(score: str, topic: str = QUALITY) -> tuple[str, dict[str, object]]:
    return topic, {"previous_quality_score": "GREEN", "new_quality_score": score, **TEMPLATE}


NOTICES = [
    (status("APPROVED"), "status APPROVED", Level.OK),
    (status("REINSTATED"), "status REINSTATED", Level.OK),
    (status("PAUSED", other_info={"title": "FIRST_PAUSE"}), "status PAUSED", Level.FAILED),
    (status("REJECTED", reason="INVALID_FORMAT"), "status REJECTED", Level.FAILED),
    (status("DISABLED", disable_info={"disable_date": 1751234563}), "status DISABLED", Level.FAILED),
    (status("PENDING_DELETION", reason=None), "status PENDING_DELETION", Level.FAILED),
    (status("FLAGGED"), "status FLAGGED", Level.WARNING),
    (status("TELEPORTED"), "status TELEPORTED", Level.WARNING),
    (quality("RED"), "quality RED", Level.WARNING),
    (quality("RED", STATUS), "quality RED", Level.WARNING),
    (quality("YELLOW"), "quality YELLOW", Level.OK),
    ((CATEGORY, {**TEMPLATE, "previous_category": "UTILITY", "new_category": "MARKETING"}), "category MARKETING", Level.WARNING),
    ((CATEGORY, {**TEMPLATE, "new_category": "UTILITY", "correct_category": "MARKETING"}), "category MARKETING", Level.WARNING),
    ((CATEGORY, {**TEMPLATE, "previous_category": "MARKETING", "new_category": "UTILITY"}), "category UTILITY", Level.OK),
    (ban("DISABLE"), "ban DISABLE", Level.FAILED),
    (ban("SCHEDULE_FOR_DISABLE"), "ban SCHEDULE_FOR_DISABLE", Level.WARNING),
    (ban("REINSTATE"), "ban REINSTATE", Level.OK),
    ((UPDATE, {"event": "DISABLED_UPDATE"}), "ban DISABLED_UPDATE", Level.WARNING),
    (restricted("RESTRICTED_BIZ_INITIATED_MESSAGING"), "restriction RESTRICTED", Level.FAILED),
    (restricted("RESTRICTED_ADD_PHONE_NUMBER_ACTION"), "restriction RESTRICTED", Level.WARNING),
    ((UPDATE, {"event": "ACCOUNT_RESTRICTION"}), "restriction RESTRICTED", Level.FAILED),
    ((UPDATE, {"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "ADULT"}}), "violation ADULT", Level.WARNING),
    ((UPDATE, {"event": "ACCOUNT_DELETED"}), "connection ACCOUNT_DELETED", Level.FAILED),
    ((UPDATE, {"event": "PARTNER_ADDED"}), "connection PARTNER_ADDED", Level.OK),
    ((UPDATE, {"event": "MM_LITE_TERMS_SIGNED"}), "MM_LITE_TERMS_SIGNED MM_LITE_TERMS_SIGNED", Level.OK),
    (alert("WARNING"), "alert OBA_REJECTED OBA_REJECTED", Level.WARNING),
    (alert("CRITICAL"), "alert OBA_REJECTED OBA_REJECTED", Level.WARNING),
    (alert("INFORMATIONAL"), "alert OBA_REJECTED OBA_REJECTED", Level.OK),
    (alert("WARNING", "NONE"), "alert OBA_REJECTED OBA_REJECTED", Level.OK),
    ((ALERTS, {"alert_type": "PROFILE_PICTURE_LOST"}), "alert PROFILE_PICTURE_LOST PROFILE_PICTURE_LOST", Level.WARNING),
    (number("FLAGGED"), "quality FLAGGED", Level.WARNING),
    (number("RED"), "quality RED", Level.WARNING),
    (number("UNFLAGGED"), "quality UNFLAGGED", Level.OK),
    (number("THROUGHPUT_UPGRADE"), "limit THROUGHPUT_UPGRADE", Level.OK),
    (number("DOWNGRADE"), "limit DOWNGRADE", Level.WARNING),
    (name("APPROVED", None), "name APPROVED", Level.OK),
    (name("REJECTED", "NAME_NOT_CONSISTENT"), "name REJECTED", Level.WARNING),
]  # fmt: skip


@pytest.mark.parametrize(("delivered", "state", "level"), NOTICES)
def test_each_field_is_a_notice_with_its_kind_state_and_level(delivered, state, level):
    event = read(*delivered)
    assert f"{event.kind} {event.state}" == state
    assert event.level is level


def test_a_notice_says_what_it_is_about_and_masks_numbers():
    assert read(*status("PAUSED")).subject == "template airflow_alert (en)"
    assert read(*number("FLAGGED")).subject == "number 15…81"
    assert read(*ban("DISABLE")).subject == "account 10…98"
    assert NUMBER not in repr(read(*number("FLAGGED")))


def test_two_languages_of_a_template_are_two_subjects():
    german = read(STATUS, {"event": "PAUSED", **TEMPLATE, "message_template_language": "de"})
    assert german.name != read(*status("PAUSED")).name


def test_the_reason_is_kept_without_numbers():
    rejection = {"reason": f"It names {NUMBER}.", "recommendation": "Remove it."}
    event = read(*status("REJECTED", reason="INVALID_FORMAT", rejection_info=rejection))
    assert event.text == "INVALID_FORMAT; It names 15…81.; Remove it."
    assert read(*status("APPROVED")).text == ""
    assert read(*quality("RED")).text == "before: GREEN"
    assert read(*restricted("B", "A", "B")).text == "A, B"


def test_a_restriction_ends_when_its_last_part_does():
    assert read(*restricted("A")).ends_at == 1_776_607_160.0
    assert read(UPDATE, {"event": "ACCOUNT_RESTRICTION"}).ends_at is None
    for part in ({}, {"expiration": "soon"}, {"expiration": None}):
        assert read(UPDATE, {"event": "ACCOUNT_RESTRICTION", "restriction_info": [part]}).ends_at is None
    part = {"expiration": "1776607160"}
    assert (
        read(UPDATE, {"event": "ACCOUNT_RESTRICTION", "restriction_info": [part]}).ends_at == 1_776_607_160.0
    )


@pytest.mark.parametrize(
    ("delivered", "ends"),
    [
        (status("PAUSED"), False),
        (status("DELETED"), True),
        (status("TELEPORTED"), True),
        (ban("DISABLE"), False),
        (number("FLAGGED"), False),
        (alert("CRITICAL"), True),
        ((UPDATE, {"event": "ACCOUNT_VIOLATION"}), True),
    ],
)
def test_what_no_later_event_ends_counts_for_a_month(delivered, ends):
    assert read(*delivered).ends_at == (AT + MONTH if ends else None)


@pytest.mark.parametrize("topic", [STATUS, QUALITY, CATEGORY, UPDATE, ALERTS, NUMBERS, NAMES])
@pytest.mark.parametrize(
    "value",
    [
        {"x": 1},
        {"event": 5},
        {"event": "PAUSED" * 50, **TEMPLATE},
        {"message_template_name": "t", "event": []},
    ],
)
def test_a_change_that_cannot_be_read_stays_an_unknown_event(topic, value):
    [event] = read_events(body(topic, value))
    assert isinstance(event, UnknownEvent)
    assert event.raw == change(topic, value)


@pytest.mark.parametrize("time", [None, "soon", -1, 1e300])
def test_a_notice_without_a_readable_time_has_none(time):
    [event] = read_events(body(*status("DELETED"), time))
    assert isinstance(event, NoticeEvent)
    assert (event.at, event.ends_at) == (None, None)


def test_a_change_or_a_value_alone_is_read_as_well():
    for alone in ({"changes": [change(*status("PAUSED"))]}, change(*status("PAUSED"))):
        [event] = read_events(alone)
        assert isinstance(event, NoticeEvent)
        assert event.state == "PAUSED"


@pytest.mark.parametrize(("delivered", "_state", "level"), NOTICES)
def test_whatever_is_wrong_comes_with_what_to_do(delivered, _state, level):
    event = read(*delivered)
    detail = explain_notice(event.about, event.subject, event.kind, event.state, event.text)
    assert detail.title.startswith(event.about.title())
    assert level is Level.OK or detail.remedy
    assert NUMBER not in json.dumps([detail.title, detail.remedy, detail.details])


@pytest.mark.parametrize(
    ("accepted", "state", "level"), [(True, "ACCEPTED", Level.OK), (False, "REJECTED", Level.FAILED)]
)
def test_what_a_response_shows_about_a_key_is_a_notice_about_its_connection(accepted, state, level):
    event = key_notice("d360_berlin", is_accepted=accepted)
    assert (event.subject, event.kind, event.state, event.level) == (
        "connection d360_berlin",
        "key",
        state,
        level,
    )
    assert "password" in explain_notice("connection", event.subject, "key", state, "").remedy

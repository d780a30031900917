"""A clock that was ten years ahead for a while: what was written then neither silences nor stays for ever."""

from __future__ import annotations

import time

import pytest

from airflow_provider_d360.api.events import MessageEvent, StatusEvent
from airflow_provider_d360.api.notices import Level, NoticeEvent
from airflow_provider_d360.store.campaign_rows import Outcome, RowState
from airflow_provider_d360.store.clock import ClockError
from airflow_provider_d360.store.configured import purge
from tests.store.entries import counts, entry, record
from tests.store.test_alerts import send
from tests.store.test_campaigns import claim, planned, take
from tests.store.test_questions import question

HOUR, DAY = 3600.0, 86_400.0
YEAR = 365 * DAY


@pytest.fixture
def filled(store):
    """A store with one row of each table from now, and one from ten years ahead."""
    now = time.time()
    for name, at in (("ahead", now + 10 * YEAR), ("now", now)):
        notice = NoticeEvent("template", name, "status", "APPROVED", Level.OK)
        store.add([StatusEvent(name, "sent"), MessageEvent(name, "text"), notice], at)
        record(store, entry(name, at))
        send(store, name, at, cooldown=name)
        send(store, f"{name} again", at, cooldown=name)
    return store


@pytest.mark.parametrize("ahead", [2 * HOUR, DAY, 10 * YEAR])
def test_an_alert_that_was_sent_while_the_clock_was_wrong_silences_none_later(store, ahead):
    now = time.time()
    send(store, "ahead", now + ahead, cooldown="f")
    assert send(store, "now", now, cooldown="f") is not None
    assert send(store, "held", now + 60, cooldown="f") is None
    assert send(store, "later", now + HOUR + 1, cooldown="f")[0] == 1


def test_no_alert_is_silent_for_longer_than_its_cooldown_whatever_the_table_says(store):
    now = time.time()
    send(store, "ahead", now + 30 * 60, cooldown="f")
    times = [now + minute * 60 for minute in range(0, 180, 5)]
    sent = [at for at in times if send(store, str(at), at, cooldown="f") is not None]
    assert all(later - earlier <= HOUR + 300 for earlier, later in zip([now, *sent], sent, strict=False))
    assert sent


def test_rows_from_the_future_are_forgotten_in_time(filled, monkeypatch):
    assert filled.purge(time.time() - 30 * DAY, time.time() - 30 * DAY) == counts()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 31 * DAY)
    assert purge(filled, 30) == counts(statuses=2, inbox=2, alerts=4, alert_history=4, notices=2)
    monkeypatch.setattr(time, "time", lambda: real() + 366 * DAY)
    assert purge(filled, 30)["ledger"] == 2


def test_a_cooldown_that_would_end_in_ten_years_is_forgotten_as_well(store):
    now = time.time()
    send(store, "ahead", now - 40 * DAY, cooldown="f", cooldown_seconds=10 * YEAR)
    assert store.purge(now - 30 * DAY, now - 30 * DAY)["alerts"] == 1


def test_a_cooldown_of_many_days_outlives_a_purge(store):
    now = time.time()
    send(store, "long", now - 40 * DAY, cooldown="f", cooldown_seconds=60 * DAY)
    assert store.purge(now - 30 * DAY, now - 30 * DAY)["alerts"] == 0


def test_rows_of_today_are_not_changed_by_a_purge(store):
    now = time.time()
    store.add([StatusEvent("a", "sent")], now + HOUR)
    store.purge(now - 30 * DAY, now - 30 * DAY)
    assert store.statuses.history("a")[0].received_at == now + HOUR


@pytest.mark.parametrize("wrong", [0.0, 1_000_000_000.0])
def test_a_purge_under_a_clock_that_is_behind_changes_and_deletes_nothing(filled, monkeypatch, wrong):
    before, before_purge = filled.statuses.history("now")[0].received_at, filled.count()
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: wrong)
        purge(filled, 30)
    assert filled.statuses.history("now")[0].received_at == before
    assert filled.count() == before_purge


@pytest.fixture
def clock(monkeypatch):
    """Set the clock ahead by some seconds."""
    real = time.time

    def set_ahead(seconds):
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return set_ahead


def fill(store, name):
    now = time.time()
    store.add([StatusEvent(name, "sent"), MessageEvent(name, "text")], now)
    record(store, entry(name, now))


def kept(store):
    return {message_id for message_id in ("now", "ahead") if store.statuses.history(message_id)}


@pytest.mark.parametrize("purged_before", [True, False])
def test_a_purge_under_a_clock_that_is_years_ahead_deletes_nothing(store, clock, purged_before):
    fill(store, "now")
    if purged_before:
        purge(store, 30)
    clock(10 * YEAR)
    for _ in range(3):  # Airflow tries again
        with pytest.raises(ClockError, match="Correct the clock"):
            purge(store, 30)
    clock(0)
    assert not any(purge(store, 30).values())
    assert kept(store) == {"now"}


def test_what_is_stored_under_the_wrong_clock_makes_it_no_righter(store, clock):
    fill(store, "now")
    purge(store, 30)
    clock(10 * YEAR)
    fill(store, "ahead")
    store.check_writable()
    with pytest.raises(ClockError):
        purge(store, 30)
    clock(HOUR)
    purge(store, 30)
    assert kept(store) == {"now", "ahead"}
    clock(32 * DAY)
    purge(store, 30)
    assert kept(store) == set()


def test_a_clock_that_goes_on_from_where_it_jumped_to_is_believed_after_half_a_day(store, clock):
    fill(store, "now")
    purge(store, 30)
    clock(2 * YEAR)
    with pytest.raises(ClockError):
        purge(store, 30)
    clock(2 * YEAR + 11 * HOUR)
    with pytest.raises(ClockError):
        purge(store, 30)
    clock(2 * YEAR + 13 * HOUR)
    assert purge(store, 30)["statuses"] == 1
    clock(0)
    assert not any(purge(store, 30).values())


def test_a_clock_that_jumps_again_has_to_wait_again(store, clock):
    fill(store, "now")
    purge(store, 30)
    for ahead in (2 * YEAR, 9 * YEAR, 5 * YEAR):
        clock(ahead)
        with pytest.raises(ClockError):
            purge(store, 30)
    clock(5 * YEAR + 6 * HOUR)
    with pytest.raises(ClockError):
        purge(store, 30)


@pytest.mark.parametrize("pause", [DAY, 31 * DAY, 92 * DAY, 360 * DAY])
def test_a_pause_of_up_to_a_year_between_purges_is_no_jump(store, clock, pause):
    fill(store, "now")
    purge(store, 1)
    clock(pause + DAY)
    assert purge(store, 1)["inbox"] == 1


def test_a_clock_that_was_behind_makes_the_right_one_no_jump(store, clock, monkeypatch):
    fill(store, "now")
    purge(store, 30)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: 0.0)
        purge(store, 30)
    clock(40 * DAY)
    assert purge(store, 30)["statuses"] == 1


def test_what_came_while_the_clock_was_wrong_does_not_hide_what_is_new(filled):
    now = time.time()
    record(filled, entry("newer", now + 1))
    assert [sent.entry.message_id for sent in filled.messages.recent(since=now - HOUR, limit=2)] == [
        "newer",
        "now",
    ]
    assert filled.messages.start_of_newest(1, since=now - HOUR) == now + 1
    assert sum(filled.messages.counts(since=now - HOUR).values()) == 2
    [message] = filled.inbox.messages(since=now - HOUR)
    filled.add([MessageEvent("newer", "text")], message.received_at + 1)
    assert [one.message_id for one in filled.inbox.messages(since=message.received_at + 0.5)] == ["newer"]


def test_after_the_next_purge_all_of_it_is_shown(filled):
    now = time.time()
    filled.purge(now - 30 * DAY, now - 30 * DAY)
    assert {sent.entry.message_id for sent in filled.messages.recent(since=now - HOUR)} == {"now", "ahead"}
    assert {one.message_id for one in filled.inbox.messages(since=now - HOUR)} == {"now", "ahead"}


def test_a_status_of_the_wrong_time_does_not_hide_a_newer_one(store):
    now = time.time()
    store.add([StatusEvent("a", "sent", now + 10 * YEAR)], now + 10 * YEAR)
    store.add([StatusEvent("a", "delivered", now)], now)
    assert store.statuses.current(["a"])["a"].status == "delivered"


def test_somebody_who_wrote_while_the_clock_was_wrong_has_no_open_window_for_years(store):
    now = time.time()
    for at in (now - 2 * DAY, now + 10 * YEAR):
        store.add([MessageEvent(str(at), "text", sender="4915112345678")], at)
    assert store.inbox.last_from("4915112345678") == now - 2 * DAY


def test_a_question_of_the_wrong_time_ends_and_its_numbers_go(store, monkeypatch):
    ahead = time.time() + 10 * YEAR
    store.questions.ensure(question("ahead", asked_at=ahead, expires_at=ahead + DAY))
    store.questions.ensure(question("now", asked_at=time.time(), expires_at=time.time() + DAY, task_id="x"))
    purge(store, 30)
    found = store.questions.find("ahead")
    assert found is not None
    assert found.expires_at - found.asked_at == pytest.approx(DAY)
    assert found.asked_at == pytest.approx(time.time(), abs=60)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 32 * DAY)
    assert purge(store, 30)["questions"] == 2


def test_a_campaign_of_the_wrong_time_keeps_nobody_from_getting_others_and_goes(store, monkeypatch):
    real, ahead = time.time, 10 * YEAR
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: real() + ahead)
        key = planned(store, 3)
        lease = take(store, key)
        claim(store, lease, limit=2)
        later = Outcome(2, RowState.POSTPONED, due_at=time.time() + HOUR)
        store.campaign_senders.conclude(lease, [Outcome(1, RowState.ACCEPTED, "wamid.1"), later])
        store.campaign_senders.release(lease)
    assert store.campaign_results.reached(["p1"], real() - 30 * DAY) == set()
    purge(store, 30)
    assert claim(store, take(store, key)) == [2, 3]
    monkeypatch.setenv("AIRFLOW__D360__LEDGER_RETENTION_DAYS", "30")
    monkeypatch.setattr(time, "time", lambda: real() + 32 * DAY)
    assert purge(store, 30)["campaigns"] == 1

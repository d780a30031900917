"""What WhatsApp reports about templates, numbers and accounts: what is wrong now, and who announces it."""

from __future__ import annotations

import itertools
import threading

import pytest

from airflow_provider_d360.api.events import Event
from airflow_provider_d360.api.notices import Level, NoticeEvent
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.notices import LEASE_SECONDS

NUMBER = "4930901820"
DAY = 86_400.0


def template(state: str, at: float | None, level: Level = Level.FAILED, **more: object) -> NoticeEvent:
    return NoticeEvent("template", "airflow_alert (en)", "status", state, level, at=at, **more)


PAUSED = template("PAUSED", 10.0)
APPROVED = template("APPROVED", 20.0, Level.OK)
REJECTED = template("REJECTED", 30.0)


def states(store: Store, now: float = 100.0) -> list[str]:
    return [notice.state for notice in store.notices.current(now)]


@pytest.mark.parametrize("order", list(itertools.permutations([PAUSED, APPROVED, REJECTED])))
@pytest.mark.parametrize("together", [True, False])
def test_the_newest_state_counts_in_any_order(store, order, together):
    for events in [order] if together else [[event] for event in order]:
        store.add(events, 40.0)
    assert states(store) == ["REJECTED"]
    assert store.count()["notices"] == 1


def test_what_is_right_again_is_not_shown(store):
    store.add([APPROVED], 40.0)
    store.add([PAUSED], 41.0)  # delivered late
    assert states(store) == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [True, False])
def test_of_two_states_in_the_same_second_the_worse_one_counts(store, order, together):
    pair = [PAUSED, template("APPROVED", 10.0, Level.OK)]
    events = [pair[position] for position in order]
    for batch in [events] if together else [[event] for event in events]:
        store.add(batch, 40.0)
    assert states(store) == ["PAUSED"]


def test_the_worst_comes_first_and_numbers_are_masked(store):
    quality = NoticeEvent("number", NUMBER, "quality", "FLAGGED", Level.WARNING, at=30.0)
    ban = NoticeEvent("account", "102290129340398", "ban", "DISABLE", Level.FAILED, at=20.0)
    store.add([quality, PAUSED, ban], 40.0)
    assert [notice.subject for notice in store.notices.current(100.0)] == [
        "account 10…98",
        "template airflow_alert (en)",
        "number 49…20",
    ]


def test_two_numbers_that_look_the_same_when_masked_are_two(store):
    for number in ("4930901820", "4930999920"):
        store.add([NoticeEvent("number", number, "quality", "FLAGGED", Level.WARNING)], 40.0)
    assert states(store) == ["FLAGGED", "FLAGGED"]


def test_what_ends_by_itself_is_over_then(store):
    store.add([template("PAUSED", 10.0, ends_at=50.0)], 11.0)
    assert states(store, 49.0) == ["PAUSED"]
    assert states(store, 50.0) == []
    assert store.notices.claim(50.0) == []


def test_a_time_from_the_future_does_not_hide_what_follows(store):
    store.add([template("PAUSED", 4e9)], 40.0)
    store.add([template("APPROVED", 41.0, Level.OK)], 42.0)
    assert states(store) == []


def test_a_state_is_announced_once_however_often_it_is_delivered(store):
    store.add([PAUSED], 40.0)
    claimed = store.notices.claim(100.0)
    assert [notice.state for notice in claimed] == ["PAUSED"]
    assert store.notices.claim(100.0) == []
    store.notices.confirm(claimed)
    store.add([PAUSED, template("PAUSED", 11.0)], 101.0)
    assert store.notices.claim(100.0 + DAY) == []
    assert states(store) == ["PAUSED"]


def test_a_state_that_comes_back_is_announced_again(store):
    store.add([PAUSED], 40.0)
    store.notices.confirm(store.notices.claim(100.0))
    store.add([APPROVED], 41.0)
    assert store.notices.claim(100.0) == []
    store.add([template("PAUSED", 30.0)], 42.0)
    assert [notice.at for notice in store.notices.claim(100.0)] == [30.0]


def test_a_newer_state_is_announced_though_the_older_one_is_being_announced(store):
    store.add([PAUSED], 40.0)
    claimed = store.notices.claim(100.0)
    store.add([REJECTED], 41.0)
    store.notices.confirm(claimed)
    assert [notice.state for notice in store.notices.claim(100.0)] == ["REJECTED"]


def test_an_announcement_that_nobody_confirms_is_claimed_again_after_a_while(store):
    store.add([PAUSED], 40.0)
    store.notices.claim(100.0)
    assert store.notices.claim(100.0 + LEASE_SECONDS - 1) == []
    assert len(store.notices.claim(100.0 + LEASE_SECONDS)) == 1


def test_a_claim_from_the_future_holds_nobody_back(store):
    store.add([PAUSED], 40.0)
    store.notices.claim(1000 * DAY)
    assert len(store.notices.claim(100.0)) == 1


def test_of_many_who_claim_at_once_one_announces(store, url):
    events: list[Event] = [
        NoticeEvent("template", f"t{number}", "status", "PAUSED", Level.FAILED, at=10.0)
        for number in range(20)
    ]
    store.add(events, 40.0)
    got: list[str] = []

    def claim() -> None:
        one = Store(url)
        got.extend(notice.id for notice in one.notices.claim(100.0))
        one.close()

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 20


def test_a_purge_keeps_what_is_wrong_still(store):
    over = NoticeEvent("template", "other", "status", "PAUSED", Level.FAILED, at=1.0, ends_at=5.0)
    fine = NoticeEvent("template", "fine", "status", "APPROVED", Level.OK, at=1.0)
    store.add([PAUSED, over, fine], 40.0)
    assert store.purge(2e9, 0.0)["notices"] == 2
    assert states(store) == ["PAUSED"]


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "é" * 5000, "'; DROP TABLE x; --"])
def test_any_text_of_a_notice_is_storable(store, text):
    store.add([NoticeEvent("template", text, text[:9], text[:9], Level.FAILED, text, raw={text: text})], 2.0)
    assert store.count()["notices"] == 1


def test_it_says_what_is_wrong_and_what_to_do(store):
    store.add([PAUSED], 40.0)
    detail = store.notices.current(100.0)[0].explain()
    assert detail.title == "Template airflow_alert (en): status PAUSED"
    assert "another approved template" in detail.remedy

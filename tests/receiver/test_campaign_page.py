"""The pages of campaigns: who sees which, what they say, and who may control one."""

from __future__ import annotations

import time

import pytest

from airflow_provider_d360.store import Store
from airflow_provider_d360.store.campaign_rows import Outcome, Part, RowState
from airflow_provider_d360.store.campaigns import Campaign
from tests.receiver.visitors import Visitor, assert_harmless
from tests.store.test_campaigns import row

PAGE = "/d360/campaigns/shop%2Fspring"


@pytest.fixture
def key(store: Store) -> int:
    """Plan a campaign of five people, of whom one got it and one was refused."""
    new = Campaign(
        0, "shop/spring", "d360_default", "shop", "run", "plan", False, {}, "content", category="MARKETING"
    )
    key = store.campaigns.begin(new).key
    store.campaigns.add(key, [row(key, number) for number in range(1, 6)])
    store.campaigns.finish(key, "audience", {"rows": 7, "planned": 5, "duplicates": 2}, {})
    lease = store.campaign_senders.take(Part(key), "me", 60.0)
    assert lease is not None
    store.campaign_senders.claim(lease, -1, 2, time.time(), ())
    store.campaign_senders.conclude(
        lease, [Outcome(1, RowState.ACCEPTED, "wamid.1"), Outcome(2, RowState.REFUSED, code=131026)]
    )
    return key


def signal(store: Store) -> tuple[str, float | None]:
    found = store.campaigns.find("shop/spring")
    assert found is not None
    return found.signal, found.rate


def test_the_list_shows_progress_and_leads_to_the_campaign(visitor: Visitor, key: int) -> None:
    page = visitor.get("/d360/campaigns", "ops")
    assert "1 Campaign" in page.text
    assert "shop/spring Open 2 of 5" in page.text
    assert PAGE in page.links
    assert_harmless(page)


def test_a_campaign_shows_outcomes_reasons_and_plan(visitor: Visitor, key: int) -> None:
    page = visitor.get(PAGE, "ops")
    assert "2 of 5" in page.text
    assert "Accepted 1" in page.text
    assert "Refused 1" in page.text
    assert "Code 131026" in page.text
    assert "Duplicates 2" in page.text
    assert_harmless(page)


@pytest.mark.parametrize(
    ("fields", "now"),
    [
        ({"control": "pause"}, ("pause", None)),
        ({"control": "stop"}, ("stop", None)),
        ({"control": "slow", "rate": "2.5"}, ("run", 2.5)),
        ({"control": "resume"}, ("run", None)),
    ],
)
def test_who_may_edit_runs_controls_a_campaign(visitor: Visitor, store: Store, key: int, fields, now) -> None:
    assert visitor.post(PAGE, fields, "ops").status == 303
    assert signal(store) == now
    assert visitor.get(PAGE, "ops").status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"control": "slow"},
        {"control": "slow", "rate": "0"},
        {"control": "slow", "rate": "nan"},
        {"control": "burn"},
        {},
    ],
)
def test_what_is_no_control_changes_nothing(visitor: Visitor, store: Store, key: int, fields) -> None:
    page = visitor.post(PAGE, fields, "ops")
    assert (page.status, signal(store)) == (400, ("run", None))
    assert "Nothing was changed." in page.text


def test_another_site_controls_nothing(visitor: Visitor, store: Store, key: int) -> None:
    page = visitor.post(PAGE, {"control": "stop"}, "ops", {"Origin": "https://evil.example"})
    assert (page.status, signal(store)) == (403, ("run", None))


def test_a_campaign_that_is_not_there_is_told(visitor: Visitor, store: Store) -> None:
    assert visitor.get("/d360/campaigns/nothing", "ops").status == 404
    assert "No campaigns" in visitor.get("/d360/campaigns", "ops").text


@pytest.mark.parametrize("user", ["ada", "ron"])
def test_who_may_only_view_runs_sees_a_campaign_and_cannot_control_it(
    visitor: Visitor, store: Store, key: int, user: str
) -> None:
    page = visitor.get(PAGE, user)
    assert "2 of 5" in page.text
    assert "<button" not in page.html
    assert visitor.post(PAGE, {"control": "stop"}, user).status == 403
    assert signal(store) == ("run", None)


def test_who_may_not_view_the_dag_does_not_learn_of_the_campaign(
    visitor: Visitor, store: Store, key: int
) -> None:
    assert visitor.get(PAGE, "bob").status == 404
    assert visitor.post(PAGE, {"control": "stop"}, "bob").status == 404
    assert "spring" not in visitor.get("/d360/campaigns", "bob").text
    assert signal(store) == ("run", None)


def test_a_campaign_shows_its_rate_over_time_and_a_bar_by_state(visitor: Visitor, key: int) -> None:
    page = visitor.get(PAGE, "ops")
    assert "Rate 0.2 a second" in page.text  # two in the last ten seconds
    assert "Time Left About 15 s" in page.text
    assert 'aria-label="2 of 5 done: refused 1, accepted 1, planned 3"' in page.html
    assert 'aria-label="Messages a second over time, at most 2.0"' in page.html


def test_stopping_asks_first(visitor: Visitor, key: int) -> None:
    assert "3 people will not get the message unless somebody resumes it." in visitor.get(PAGE, "ops").text


def test_a_campaign_that_has_not_begun_has_no_chart(visitor: Visitor, store: Store) -> None:
    new = Campaign(0, "new", "d360_default", "shop", "run", "plan", False, {}, "content")
    key = store.campaigns.begin(new).key
    store.campaigns.add(key, [row(key, 1)])
    store.campaigns.finish(key, "audience", {"rows": 1, "planned": 1}, {})
    page = visitor.get("/d360/campaigns/new", "ops")
    assert "0 of 1" in page.text
    assert "Messages a Second" not in page.text


def test_messages_are_counted_over_at_most_sixty_parts_of_the_time(store: Store, key: int) -> None:
    now = time.time()
    before = store.campaign_courses.find(key, now + 3600)
    assert before is not None
    assert (sum(before.counts), before.lately) == (2, 0)
    lease = store.campaign_senders.take(Part(key), "me", 60.0)
    assert lease is not None
    store.campaign_senders.claim(lease, -1, 2, now + 3600, ())
    store.campaign_senders.conclude(
        lease, [Outcome(number, RowState.ACCEPTED, f"m{number}") for number in (3, 4)]
    )
    course = store.campaign_courses.find(key, now + 3605)
    assert course is not None
    assert (len(course.counts), course.counts[0], course.counts[-1], course.lately) == (60, 2, 2, 2)
    assert course.end > now + 3600

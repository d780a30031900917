"""The page of alerts: what failed, what became of the alert, and who may see it."""

from __future__ import annotations

import pytest

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.pages import alerts as alerts_module
from airflow_provider_d360.store.alert_history import AlertFacts
from airflow_provider_d360.store.alert_rules import NewAlert
from tests.receiver.visitors import NOW, assert_harmless, page_of, send
from tests.recorded import NUMBER

PAGE = "/d360/alerts"


def alert(store, id="a", *, at=NOW - 60, numbers=(1,), finish=True, facts=None, **options):
    """Register an alert about the task load of the DAG shop, and send it."""
    known = {"event": "failed", "dag_id": "shop", "run_id": "run", "task_id": "load", **(facts or {})}
    new = NewAlert(
        id=id,
        at=at,
        expires_at=at + 3600,
        conn_id="d360_default",
        content=lambda count, since: "{}",
        facts=AlertFacts(**known, recipients=["44…23", "49…31"]),
        **options,
    )
    due = store.alerts.register(new, f"process of {id}", at).due
    if due and finish:
        message_ids = [f"wamid.{number}" for number in numbers]
        store.alerts.finish(due, reached=bool(numbers), message_ids=message_ids)
    return due


def test_an_alert_says_what_failed_who_was_told_and_leads_to_its_messages(visitor, store):
    alert(store, numbers=(1, 2), facts={"map_index": 3})
    page = visitor.get(PAGE)
    assert "1 Alert " in page.text
    assert "Sent Task failed shop run load [3] 44…23, 49…31 Message 1 , Message 2" in page.text
    assert {"/dags/shop", "/dags/shop/runs/run", "/dags/shop/runs/run/tasks/load/mapped/3"} <= set(page.links)
    assert f"{page_of('wamid.1')}?of=alerts" in page.links
    assert_harmless(page)


def test_from_an_alert_to_its_message_and_back(visitor, store):
    send(store, "wamid.1", source="alert")
    alert(store)
    path = f"{PAGE}?days=30&status=sent"
    [link] = {link for link in visitor.get(path).links if link.startswith(page_of("wamid.1"))}
    page = visitor.get(link)
    assert path in page.links
    assert PAGE in page.links  # the tab above


def test_the_menu_of_the_pages_leads_to_the_alerts(visitor):
    assert PAGE in visitor.get("/d360/messages").links


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"numbers": ()}, "Failed"),
        ({"finish": False}, "Due"),
        ({"facts": {"event": "deadline", "task_id": ""}}, "Sent Deadline missed shop run "),
        ({"facts": {"event": "dag_failed"}}, "Sent Dag failed"),
        ({"facts": {"event": "of_tomorrow"}}, "Sent Of tomorrow"),
        ({"facts": {"event": "broken_file", "dag_id": "", "run_id": "", "task_id": "etl.py"}}, "etl.py"),
    ],
)  # fmt: skip
def test_each_alert_is_named(visitor, store, options, words):
    alert(store, **options)
    assert words in visitor.get(PAGE).text


def test_what_is_held_back_or_waits_says_why(visitor, store):
    alert(store, "a", cooldown="f", cooldown_seconds=60.0)
    alert(store, "b", cooldown="f", cooldown_seconds=60.0)
    alert(store, "c", run="r")
    alert(store, "d", run="r")
    page = visitor.get(PAGE)
    assert "Its cooldown is not over" in page.text
    assert "A summary of its run will report it" in page.text


def test_what_is_tried_again_or_left_says_what_to_do(visitor, store):
    due = alert(store, finish=False, at=NOW - 120)
    assert "Run airflow d360 deliver-due" in visitor.get(PAGE).text
    store.alerts.postpone(due, NOW + 60, "{}")
    assert "Sending it through the connection d360_default failed once" in visitor.get(PAGE).text


def test_what_nobody_was_told_of_comes_first_among_the_states(visitor, store):
    alert(store, "a")
    alert(store, "b", numbers=())
    page = visitor.get(PAGE)
    assert "2 All 1 Failed 1 Sent" in page.text
    assert visitor.get(f"{PAGE}?status=failed").text.count("Task failed") == 1


@pytest.mark.parametrize("part", ["shop", "HO"])
def test_a_part_of_its_name_finds_a_dag(visitor, store, part):
    alert(store, "a")
    alert(store, "b", facts={"dag_id": "billing"})
    page = visitor.get(f"{PAGE}?dag={part}")
    assert ("/dags/shop" in page.links, "/dags/billing" in page.links) == (True, False)
    assert page.text.count("Task failed") == 1


def test_the_period_can_be_chosen(visitor, store):
    alert(store, at=NOW - 20 * 86_400)
    assert "No alerts in the last 7 days" in visitor.get(PAGE).text
    assert f"{PAGE}?days=365" in visitor.get(PAGE).links
    assert "1 Alert" in visitor.get(f"{PAGE}?days=30").text


def test_an_empty_page_says_what_to_do_next(visitor):
    assert "[d360] alert_to" in visitor.get(PAGE).text
    page = visitor.get(f"{PAGE}?dag=nothing&status=failed")
    assert (
        "There was no alert with the state 'failed' by a Dag like 'nothing' in the last 7 days." in page.text
    )
    assert "No alerts match" in page.text
    assert PAGE in page.links  # reset


def test_a_search_by_number_finds_the_alerts_to_it(visitor, store):
    send(store, "m1", source="alert")
    send(store, "m2")
    response = visitor.post("/d360/messages", {"q": NUMBER, "source": "alert"})
    assert response.status == 303
    page = visitor.get(response.headers["location"])
    assert (short_id("m1") in page.html, short_id("m2") in page.html) == (True, False)
    assert 'name="source" value="alert"' in visitor.get(PAGE).html


@pytest.mark.parametrize(
    ("user", "status", "sees"),
    [(None, 401, False), ("stranger", 403, False), ("bob", 200, False), ("ada", 200, True)],
)
def test_alerts_are_for_those_who_may_read_the_dag(visitor, store, user, status, sees):
    alert(store, facts={"task_id": "secret_task"})
    page = visitor.get(PAGE, user)
    assert (page.status, "secret_task" in page.text, "Sent" in page.text) == (status, sees, sees)


def test_older_ones_stand_on_the_next_page(visitor, store, monkeypatch):
    monkeypatch.setattr(alerts_module, "_PAGE_ROWS", 2)
    for number in range(5):
        alert(store, f"a{number}", at=NOW - 60 - number, facts={"task_id": f"task{number}"})
    shown, path = [], PAGE
    while path:
        page = visitor.get(path)
        shown.append([number for number in range(5) if f"task{number}" in page.text])
        path = page.older
    assert shown == [[0, 1], [2, 3], [4]]


def test_names_are_text_and_never_markup(visitor, store):
    alert(store, facts={"task_id": "<img src=x onerror=alert(1)>"})
    assert_harmless(visitor.get(PAGE))

"""What became of each alert, as people read it later; on SQLite and PostgreSQL."""

from __future__ import annotations

import time

import pytest

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store.alert_rules import CALM_SECONDS
from airflow_provider_d360.store.due import CLAIM_SECONDS
from tests.store.test_alerts import HOUR, NOON, ask, recover, send


def history(store):
    """Return state and messages of each alert."""
    found = store.alert_history.recent(since=NOON - HOUR, dag_ids=["shop"])
    return {alert.id: (alert.state, list(alert.messages)) for alert in found}


def messages(*numbers):
    return [short_id(f"wamid.{number}") for number in numbers]


def finish(store, due, *numbers, **options):
    options = {"reached": bool(numbers), "message_ids": [f"wamid.{number}" for number in numbers], **options}
    store.alerts.finish(due, **options)


def test_an_alert_is_due_until_it_is_sent_and_then_names_its_messages(store):
    due = ask(store, "a").due
    assert history(store) == {"a": ("due", [])}
    finish(store, due, 1, 2)
    assert history(store) == {"a": ("sent", messages(1, 2))}


def test_it_says_what_the_alert_was_about(store):
    ask(store, "a")
    [alert] = store.alert_history.recent(since=NOON - HOUR, dag_ids=["shop"])
    facts = alert.facts
    assert (facts.event, facts.dag_id, facts.run_id, facts.task_id) == ("failed", "shop", "run", "load")
    assert (alert.at, alert.conn_id, facts.recipients) == (NOON, "d360_default", ["44…23"])
    assert (alert.due_at, alert.attempts) == (NOON, 0)


def test_an_alert_that_reached_nobody_failed_and_begins_anew_when_it_comes_again(store):
    finish(store, ask(store, "a").due)
    assert history(store) == {"a": ("failed", [])}
    finish(store, ask(store, "a", NOON + 1).due, 1)
    assert history(store) == {"a": ("sent", messages(1))}


def test_what_a_cooldown_holds_back_is_told_by_the_next_alert(store):
    finish(store, ask(store, "a", cooldown="f").due, 1)
    ask(store, "b", NOON + 60, cooldown="f")
    assert history(store)["b"] == ("held", [])
    finish(store, ask(store, "c", NOON + HOUR, cooldown="f").due, 2)
    assert history(store) == {
        "a": ("sent", messages(1)),
        "b": ("summarised", messages(2)),
        "c": ("sent", messages(2)),
    }


@pytest.mark.parametrize(("numbers", "state"), [([2], "summarised"), ([], "failed")])
def test_what_waits_for_a_summary_is_told_by_it(store, numbers, state):
    finish(store, ask(store, "a", run="r").due, 1)
    ask(store, "b", NOON + 1, run="r")
    assert history(store)["b"] == ("waiting", [])
    summary = store.alerts.take("x", NOON + 2 + CALM_SECONDS)
    message_ids = [f"wamid.{number}" for number in numbers]
    store.alerts.finish_summary(summary, ["b"], "{}", NOON + 20, message_ids)
    assert history(store)["b"] == (state, messages(*numbers))


@pytest.mark.parametrize("at_once", [True, False])
def test_an_alert_about_a_whole_run_is_told_by_the_one_before_it(store, at_once):
    due = ask(store, "a", run="r").due
    if at_once:
        finish(store, due, 1)
    ask(store, "whole", NOON + 1, run="r", is_whole=True)
    if not at_once:
        finish(store, due, 1)
    assert history(store)["whole"] == ("summarised", messages(1))


def test_what_would_have_been_told_by_an_alert_that_reached_nobody_failed(store):
    due = ask(store, "a", run="r").due
    ask(store, "whole", NOON + 1, run="r", is_whole=True)
    finish(store, due)
    assert history(store) == {"a": ("failed", []), "whole": ("failed", [])}


def backup_of(store, due, *, reached):
    from dataclasses import replace

    backup = replace(due, id=f"{due.id} backup", group_name=None, due_at=NOON, claim=None, content="{}")
    finish(store, due, *([1] if reached else []), backup=backup)
    [alert] = store.alert_history.recent(since=NOON - HOUR, dag_ids=["shop"])
    assert alert.due_at == NOON  # when the backup is told
    return store.alerts.take("x", NOON + CLAIM_SECONDS)


@pytest.mark.parametrize("reached", [True, False])
def test_when_the_backup_was_told_it_says_so(store, reached):
    due = backup_of(store, ask(store, "a").due, reached=reached)
    assert history(store) == {"a": ("sent", messages(1)) if reached else ("due", [])}
    numbers = [1, 2] if reached else [2]
    finish(store, due, *numbers)
    assert history(store) == {"a": ("backup", messages(*numbers))}


def test_a_backup_that_was_not_needed_changes_nothing(store):
    finish(store, backup_of(store, ask(store, "a").due, reached=True), reached=True)
    assert history(store) == {"a": ("sent", messages(1))}


def test_when_the_backup_is_not_reached_either_the_alert_failed(store):
    finish(store, backup_of(store, ask(store, "a").due, reached=False))
    assert history(store) == {"a": ("failed", [])}


def test_a_problem_that_has_ended_has_recovered(store):
    finish(store, ask(store, "a", subject="s", cooldown="f").due, 1)
    ask(store, "b", NOON + 1, subject="s", cooldown="f")
    ask(store, "other", NOON + 1, subject="t")
    finish(store, recover(store, "s", NOON + 2), 2)
    assert history(store) == {
        "a": ("recovered", messages(1)),
        "b": ("recovered", []),
        "other": ("due", []),
        "recovery": ("sent", messages(2)),
    }


def test_an_alert_that_was_being_sent_when_its_problem_ended_names_its_message(store):
    due = ask(store, "a", subject="s").due
    recover(store, "s", NOON + 2)
    finish(store, due, 1)
    assert history(store)["a"] == ("recovered", messages(1))


def test_what_could_not_be_sent_in_time_has_expired_with_all_that_it_would_have_told_of(store):
    ask(store, "a", run="r")
    ask(store, "b", NOON + 1, run="r")
    ask(store, "whole", NOON + 2, run="r", is_whole=True)
    store.alerts.expire(NOON + 5 * HOUR)
    assert history(store) == {name: ("expired", []) for name in ("a", "b", "whole")}


def test_it_is_counted_paged_and_purged(store):
    for number in range(3):
        send(store, f"a{number}", NOON + number)
    ask(store, "b", NOON + 3)
    assert store.alert_history.counts(since=NOON, dag_ids=["shop"]) == {"sent": 3, "due": 1}
    assert store.alert_history.counts(since=NOON, dag_ids=["billing"]) == {}
    assert store.alert_history.dag_ids(since=NOON) == {"shop"}
    first = store.alert_history.recent(since=NOON, dag_ids=["shop"], state="sent", limit=2)
    assert [alert.id for alert in first] == ["a2", "a1"]
    rest = store.alert_history.recent(since=NOON, before=first[-1].at, dag_ids=["shop"])
    assert [alert.id for alert in rest] == ["a0"]
    assert store.alert_history.purge(NOON + 2, time.time()) == 2
    assert store.alert_history.count() == 2

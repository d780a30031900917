"""Alerts of many processes: one sends, the others count or wait for a summary; on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from airflow_provider_d360.store import Store
from airflow_provider_d360.store.alert_history import AlertFacts
from airflow_provider_d360.store.alert_rules import (
    CALM_SECONDS,
    QUIET_SECONDS,
    WAIT_SECONDS,
    Decision,
    NewAlert,
)
from airflow_provider_d360.store.due import CLAIM_SECONDS, DueAlert
from tests.programs import Program

NOON, HOUR, DAY = 1_767_268_800.0, 3600.0, 86_400.0  # of a day in 2026

CLAIM = """
import sys
from tests.store.test_alerts import NOON, ask
from airflow_provider_d360.store import Store
store = Store(sys.argv[1], retry_seconds=10)
store.check_writable()
sys.stdin.readline()
answers = [ask(store, f"{sys.argv[2]} {number}", NOON, cooldown="f").decision.name for number in range(5)]
print(answers.count("SEND"))
"""


def alert(id, now=NOON, **options):
    """Make an alert; it names what was held back before it."""
    if "cooldown" in options:
        options = {"cooldown_seconds": HOUR, **options}
    return NewAlert(
        id=id,
        at=now,
        expires_at=now + 4 * HOUR,
        conn_id=options.pop("conn_id", "d360_default"),
        content=lambda count, since: json.dumps([count, since]),
        facts=AlertFacts("failed", "shop", "run", options.pop("task", "load"), -1, ["44…23"]),
        label=f"task {id}",
        summary="{}",
        **options,
    )


def ask(store, id, now=NOON, **options):
    return store.alerts.register(alert(id, now, **options), f"process of {id}", now)


def send(store, id, now=NOON, **options):
    """Ask, send what may be sent, and return what it says was held back before; None if it must not go."""
    due = ask(store, id, now, **options).due
    if due is None:
        return None
    store.alerts.finish(due, reached=True)
    return json.loads(due.content)


def recover(store, subject, now=NOON, id="recovery"):
    row = DueAlert(id, None, None, "d360_default", now, now, now + HOUR, 0, f"process of {id}", "")
    facts = AlertFacts("recovered", "shop", "run", "load", -1, ["44…23"])
    return store.alerts.recover(subject, row, lambda ended: json.dumps([ended.since, ended.held]), now, facts)


def test_the_first_alert_goes_and_the_others_are_counted_until_the_cooldown_is_over(store):
    assert send(store, "a", cooldown="f") == [0, 0.0]
    for minute in (0, 1, 59):
        assert ask(store, f"b{minute}", NOON + minute * 60, cooldown="f").decision is Decision.HELD
    assert send(store, "c", NOON + HOUR, cooldown="f") == [3, NOON]
    assert ask(store, "d", NOON + HOUR + 1, cooldown="f").decision is Decision.HELD
    assert send(store, "e", NOON + 2 * HOUR, cooldown="f") == [1, NOON + HOUR + 1]


def test_the_same_alert_again_is_not_taken_for_another_one(store):
    """The response to a commit may be lost, and then the same work is done again."""
    first, again = ask(store, "a", cooldown="f", run="r"), ask(store, "a", cooldown="f", run="r")
    assert first == again
    assert first.decision is Decision.SEND
    held = [ask(store, "b", cooldown="f") for _ in range(3)]
    assert {one.decision for one in held} == {Decision.HELD}
    assert send(store, "c", NOON + HOUR, cooldown="f")[0] == 1


def test_who_waited_long_for_its_turn_does_not_take_it_for_a_clock_that_is_wrong(store):
    assert send(store, "a", NOON, cooldown="f")
    assert send(store, "earlier", NOON - 90, cooldown="f") is None
    assert send(store, "behind", NOON - DAY, cooldown="f") is not None


def test_different_alerts_do_not_wait_for_each_other(store):
    assert send(store, "a", cooldown="f")
    assert send(store, "b", cooldown="g")
    assert send(store, "c", run="r")
    assert send(store, "d", run="s")


def test_without_a_cooldown_nothing_is_held_back(store):
    assert [send(store, str(number), cooldown="f", cooldown_seconds=0.0) for number in range(3)] == [
        [0, 0.0]
    ] * 3


def test_an_alert_that_reached_nobody_is_made_up_for_at_once_and_counted(store):
    store.alerts.finish(ask(store, "a", cooldown="f").due, reached=False)
    assert send(store, "b", NOON + 1, cooldown="f") == [1, NOON]


def test_an_alert_that_reached_nobody_needs_no_recovery(store):
    store.alerts.finish(ask(store, "a", cooldown="f", subject="s").due, reached=False)
    assert recover(store, "s") is None


def test_of_one_run_the_first_alert_goes_and_one_summary_tells_of_the_others(store):
    assert ask(store, "a", run="r").decision is Decision.SEND
    answers = [ask(store, f"b{second}", NOON + second, run="r") for second in range(1, 6)]
    assert {one.decision for one in answers} == {Decision.SUMMARY}
    assert store.alerts.take("x", NOON + 6, but_not=[], id="summary r") is None
    summary = store.alerts.take("x", NOON + 5 + CALM_SECONDS)
    told = store.alerts.summary("r")
    assert [label for _, label in told] == [f"task b{second}" for second in range(1, 6)]
    assert ask(store, "late", NOON + 13, run="r").decision is Decision.SUMMARY
    store.alerts.finish_summary(summary, [id for id, _ in told], "{}", NOON + 14)
    assert [label for _, label in store.alerts.summary("r")] == ["task late"]
    assert store.alerts.due_at("summary r") == NOON + 14 + QUIET_SECONDS
    assert ask(store, "much later", NOON + 15 + QUIET_SECONDS, run="r").decision is Decision.SEND


def test_a_summary_waits_until_nothing_more_fails_but_not_for_ever(store):
    ask(store, "a", run="r")
    due = []
    for second in range(1, 300, 5):
        ask(store, f"b{second}", NOON + second, run="r")
        due.append(store.alerts.due_at("summary r") - NOON)
    assert due[0] == 1 + CALM_SECONDS
    assert due[3] == 16 + CALM_SECONDS
    assert max(due) == 1 + 120


def test_whenever_a_summary_is_due_somebody_stays_for_it_and_seldom_two(store):
    ask(store, "a", run="r")
    ends = {}
    for second in range(1, 100):
        if ask(store, f"b{second}", NOON + second, run="r").summary:
            ends[second] = NOON + second + WAIT_SECONDS
        due_at = store.alerts.due_at("summary r")
        assert any(end >= due_at for end in ends.values())
    assert len(ends) < 40


def test_the_alert_of_a_dag_and_those_of_its_tasks_are_one(store):
    assert ask(store, "task", run="r", subject="t").decision is Decision.SEND
    assert ask(store, "dag", NOON + 2, run="r", subject="d", is_whole=True).decision is Decision.TOLD
    assert ask(store, "dag first", run="q", is_whole=True).decision is Decision.SEND
    assert ask(store, "its task", NOON + 2, run="q").decision is Decision.TOLD
    assert store.alerts.due_at("summary r") is None


def test_the_end_of_a_run_makes_its_summary_due(store):
    for id in ("a", "b"):
        ask(store, id, run="r")
    ask(store, "dag", NOON + 1, run="r", is_whole=True)
    assert store.alerts.due_at("summary r") == NOON + 1


def test_a_recovery_ends_all_that_was_told_of_its_subject_once(store):
    for id, cooldown, subject in (("a", "f", "s"), ("b", "g", "s"), ("c", "h", "t")):
        send(store, id, cooldown=cooldown, subject=subject)
    ask(store, "d", NOON + 1, cooldown="f", subject="s")
    due = recover(store, "s", NOON + 2)
    assert json.loads(due.content) == [NOON, 1]
    store.alerts.finish(due, reached=True)
    assert recover(store, "s", NOON + 3) is None
    assert send(store, "e", NOON + 3, cooldown="f", subject="s") == [0, 0.0]


def test_a_recovery_whose_commit_was_lost_is_not_lost_with_it(store):
    send(store, "a", subject="s")
    assert recover(store, "s") == recover(store, "s")


def test_what_has_recovered_before_it_went_out_is_not_told_and_neither_is_the_recovery(store):
    due = ask(store, "a", subject="s").due
    store.alerts.postpone(due, NOON + 5, due.content)
    assert recover(store, "s", NOON + 6) is None
    assert store.alerts.take("x", NOON + 7) is None


def test_a_dag_has_not_recovered_either_if_its_tasks_alert_was_never_sent(store):
    due = ask(store, "task", run="r", subject="t").due
    store.alerts.postpone(due, NOON + 5, due.content)
    assert ask(store, "dag", NOON + 1, run="r", subject="d", is_whole=True).decision is Decision.TOLD
    assert recover(store, "t", NOON + 6) is None
    assert recover(store, "d", NOON + 7) is None
    assert store.alerts.count_due() == 0


def test_what_is_being_sent_when_it_recovers_counts_as_told(store):
    ask(store, "a", subject="s")
    assert recover(store, "s", NOON + 1) is not None


def test_a_summary_tells_nothing_of_what_has_recovered(store):
    send(store, "a", run="r")
    ask(store, "b", NOON + 1, run="r", subject="b")
    ask(store, "c", NOON + 1, run="r", subject="c")
    assert recover(store, "b", NOON + 2) is None
    assert [id for id, _ in store.alerts.summary("r")] == ["c"]


def test_whoever_dies_while_sending_leaves_the_alert_to_the_next(store):
    ask(store, "a", cooldown="f")
    assert store.alerts.take("x", NOON + CLAIM_SECONDS - 1) is None
    taken = store.alerts.take("x", NOON + CLAIM_SECONDS + 1)
    assert taken.id == "a"
    assert store.alerts.take("y", NOON + CLAIM_SECONDS + 2) is None


def test_who_was_slow_does_not_delete_what_another_has_claimed(store):
    mine = ask(store, "a").due
    taken = store.alerts.take("x", NOON + CLAIM_SECONDS + 1)
    store.alerts.finish(mine, reached=True)
    store.alerts.postpone(mine, NOON, "{}")
    assert store.alerts.take("y", NOON + 3 * CLAIM_SECONDS).content == taken.content


def test_what_is_due_goes_out_in_the_order_in_which_it_happened(store):
    for id, at in (("b", NOON + 1), ("a", NOON), ("c", NOON + 2)):
        due = ask(store, id, at, conn_id="down" if id == "a" else "up").due
        store.alerts.postpone(due, at, due.content)
    taken = [store.alerts.take(str(turn), NOON + 10, but_not=["down"]) for turn in range(3)]
    assert [one and one.id for one in taken] == ["b", "c", None]
    assert store.alerts.take("x", NOON + 10).id == "a"


def test_what_is_too_old_is_dropped_and_the_next_goes_at_once(store):
    due = ask(store, "a", cooldown="f", cooldown_seconds=DAY, subject="s").due
    store.alerts.postpone(due, NOON, due.content)
    assert store.alerts.expire(NOON + 4 * HOUR - 1) == []
    assert [one.id for one in store.alerts.expire(NOON + 4 * HOUR)] == ["a"]
    assert send(store, "b", NOON + 5 * HOUR, cooldown="f") is not None


def test_a_claim_from_the_future_holds_nothing_back(store):
    due = ask(store, "a", NOON + DAY).due
    store.alerts.postpone(due, NOON, due.content)
    assert store.alerts.take("ahead", NOON + 2 * HOUR) is not None
    assert store.alerts.take("right", NOON + 1) is not None


def test_a_backup_is_written_in_the_same_moment_as_the_outcome(store):
    due = ask(store, "a").due
    backup = replace(due, id="a backup", due_at=NOON + 120, claim=None)
    store.alerts.finish(due, reached=True, backup=backup)
    assert store.alerts.due_at("a") is None
    assert store.alerts.take("x", NOON + 119) is None
    assert store.alerts.take("x", NOON + 121).id == "a backup"


def test_texts_and_numbers_are_deleted_with_the_final_outcome(store):
    assert ask(store, "a").due is not None
    assert store.alerts.count_due() == 1
    store.alerts.finish(store.alerts.take("x", NOON + CLAIM_SECONDS + 1), reached=True)
    assert store.alerts.count_due() == 0


@pytest.mark.parametrize("kind", ["cooldown", "run"])
def test_of_many_threads_one_sends(url, kind):
    stores = [Store(url, retry_seconds=10.0) for _ in range(8)]
    start, answers = threading.Barrier(len(stores)), []

    def work(number, store):
        start.wait()
        answers.append(ask(store, str(number), **{kind: "f"}).decision)
        store.close()

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(Decision.SEND) == 1
    assert len(answers) == 8


def test_of_many_threads_each_takes_another_alert(url, store):
    for number in range(8):
        due = ask(store, str(number), NOON + number).due
        store.alerts.postpone(due, NOON, due.content)
    stores = [Store(url, retry_seconds=10.0) for _ in range(8)]
    start, taken = threading.Barrier(len(stores)), []

    def work(number, store):
        start.wait()
        while due := store.alerts.take(f"{number}", NOON + 10):
            taken.append(due.id)
        store.close()

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [str(number) for number in range(8)]


def test_of_two_processes_one_sends_and_all_others_are_counted(url, store):
    both = [Program("-c", CLAIM, url, name) for name in "ab"]
    for program in both:
        program.stdin.close()
    assert sorted(int(program.end().stdout) for program in both) == [0, 1]
    assert send(store, "c", NOON + HOUR, cooldown="f")[0] == 9

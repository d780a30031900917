"""The memory of alerts: one of many processes sends, the others count; on SQLite and on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace

import psycopg2  # type: ignore[import-untyped]

from airflow_provider_d360.store import Store
from airflow_provider_d360.store.cooldowns import Cooldown

NOON, HOUR, DAY = 43_200.0, 3600.0, 86_400.0

CLAIM = """
import sys
from airflow_provider_d360.store import Store
store = Store(sys.argv[1], retry_seconds=10)
store.check_writable()
sys.stdin.readline()
print([store.cooldowns.claim("f", "s", 43200.0, 3600.0) is not None for _ in range(5)].count(True))
"""


def claim(store, now, fingerprint="f", subject="s", cooldown=HOUR):
    """Take the right to send, and use it."""
    before = store.cooldowns.claim(fingerprint, subject, now, cooldown)
    if before is not None:
        store.cooldowns.confirm(fingerprint, now + cooldown)
    return before


def test_the_first_alert_goes_and_the_others_are_counted_until_the_cooldown_is_over(store):
    assert claim(store, NOON) is not None
    assert [claim(store, NOON + minute * 60) for minute in (0, 1, 59)] == [None, None, None]
    assert claim(store, NOON + HOUR) == Cooldown("f", "s", NOON, NOON + HOUR, 3)
    assert claim(store, NOON + HOUR + 1) is None


def test_whoever_dies_while_sending_silences_nobody_for_long(store):
    assert store.cooldowns.claim("f", "s", NOON, HOUR) is not None
    assert store.cooldowns.claim("f", "s", NOON + 19, HOUR) is None
    assert store.cooldowns.claim("f", "s", NOON + 21, HOUR).held == 1


def test_a_confirmation_that_comes_late_ends_no_cooldown_early(store):
    claim(store, NOON)
    store.cooldowns.confirm("f", NOON + 60)
    assert store.cooldowns.claim("f", "s", NOON + 61, HOUR) is None


def test_different_alerts_do_not_wait_for_each_other(store):
    assert claim(store, NOON, "f")
    assert claim(store, NOON, "g")


def test_without_a_cooldown_nothing_is_held_back(store):
    assert [claim(store, NOON, cooldown=0.0) is None for _ in range(3)] == [False, False, False]


def test_an_alert_that_reached_nobody_is_made_up_for_at_once_and_counted(store):
    store.cooldowns.restore(claim(store, NOON))
    before = claim(store, NOON + 1)
    assert (before.held, before.since, before.subject) == (1, NOON, None)
    store.cooldowns.restore(before)
    assert claim(store, NOON + 2).held == 2


def test_an_alert_whose_cooldown_was_deleted_meanwhile_is_counted_once(store):
    claim(store, NOON)
    assert claim(store, NOON) is None
    before = claim(store, NOON + HOUR)
    assert before.held == 1
    store.cooldowns.recover("s")
    store.cooldowns.restore(before)
    assert claim(store, NOON + HOUR).held == 2


def test_what_is_held_back_while_an_alert_fails_is_not_lost(store):
    before = claim(store, NOON)
    assert claim(store, NOON) is None
    store.cooldowns.restore(before)
    assert claim(store, NOON).held == 2


def test_a_recovery_returns_all_alerts_about_its_subject_once(store):
    for fingerprint, subject in (("f", "s"), ("g", "s"), ("h", "t"), ("i", None)):
        claim(store, NOON, fingerprint, subject)
    assert {row.fingerprint for row in store.cooldowns.recover("s")} == {"f", "g"}
    assert store.cooldowns.recover("s") == []
    assert claim(store, NOON) is not None


def test_an_alert_that_was_never_sent_needs_no_recovery(store):
    store.cooldowns.restore(claim(store, NOON))
    assert store.cooldowns.recover("s") == []


def test_a_recovery_that_reached_nobody_is_remembered_except_for_what_is_newer(store):
    claim(store, NOON, "f")
    claim(store, NOON, "g")
    rows = store.cooldowns.recover("s")
    claim(store, NOON + 5, "g")
    store.cooldowns.undo_recovery(rows)
    again = {row.fingerprint: row.since for row in store.cooldowns.recover("s")}
    assert again == {"f": NOON, "g": NOON + 5}


def test_of_two_recoveries_at_once_on_postgresql_one_gets_the_alerts(postgres):
    url = postgres.new_schema()
    stores = [Store(url, retry_seconds=20.0) for _ in range(2)]
    claim(stores[0], NOON)
    recovered = []
    threads = [
        threading.Thread(target=lambda store=store: recovered.append(store.cooldowns.recover("s")))
        for store in stores
    ]
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'd360_alerts'"
    holder, observer = psycopg2.connect(url), psycopg2.connect(url)
    observer.autocommit = True
    try:
        holder.cursor().execute("SELECT * FROM d360_alerts FOR UPDATE")
        for thread in threads:
            thread.start()
        deadline, cursor = time.monotonic() + 20, observer.cursor()
        while cursor.execute(waiting) or cursor.fetchone() != (2,):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        holder.close()
        observer.close()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert sorted(len(rows) for rows in recovered) == [0, 1]


def test_old_alerts_are_forgotten_when_a_new_kind_comes_up(store):
    claim(store, NOON, "old")
    claim(store, NOON, "patient", cooldown=200 * DAY)
    claim(store, NOON + 91 * DAY, "new")
    remembered = store.cooldowns.recover("s")
    assert {row.fingerprint for row in remembered} == {"patient", "new"}
    assert replace(remembered[0], fingerprint="") != replace(remembered[1], fingerprint="")


def test_of_many_threads_one_sends(url):
    stores = [Store(url, retry_seconds=10.0) for _ in range(8)]
    start, won = threading.Barrier(len(stores)), []

    def work(store):
        start.wait()
        if claim(store, NOON) is not None:
            won.append(store)
        store.close()

    threads = [threading.Thread(target=work, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_of_two_processes_one_sends_and_all_others_are_counted(url, store):
    command = [sys.executable, "-c", CLAIM, url]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sorted(int(process.communicate(timeout=60)[0]) for process in processes) == [0, 1]
    assert claim(store, NOON + HOUR).held == 9

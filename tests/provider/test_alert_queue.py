"""One message per failure, and none lost: alerts of one run, of an outage, of killed processes, to a backup."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest

from airflow_provider_d360.alerts.deliverer import deliver_due
from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.notifications.d360 import D360Notifier
from airflow_provider_d360.store import Store
from tests import programs
from tests.provider.test_notifier import OTHER, TO, both, logged, of_a_task, texts, values
from tests.provider.test_notifier import store as store_path

__all__ = ["store_path"]


@pytest.fixture
def open_store(store_path):
    return lambda: Store(f"sqlite:///{store_path}")


@pytest.fixture
def clock(monkeypatch):
    """Set the clock ahead by some seconds; waiting for a summary then takes no time."""
    real = time.time

    def set_ahead(seconds):
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return set_ahead


@pytest.fixture
def no_wait(monkeypatch):
    """Nobody stays for a summary: whoever is alive sends it."""
    monkeypatch.setattr("airflow_provider_d360.store.alert_rules.WAIT_SECONDS", 0.0)


def deliver(open_store):
    with closing(open_store()) as store:
        delivered = deliver_due(store, time.monotonic() + 60)
    return delivered.sent, delivered.kept, delivered.dropped


def of_a_dag(run_id="run_A", reason="task_failure"):
    context = of_a_task(run_id)
    return {**context, "reason": reason, "dag_run": context.get("dag_run") or {"run_id": run_id}}


def fail_instances(notifier, count, run_id="run_A"):
    for index in range(count):
        notifier(of_a_task(run_id, map_index=index))


@pytest.mark.usefixtures("no_wait")
def test_twenty_failures_of_one_run_are_one_alert_and_one_summary(d360_emulator, open_store, clock):
    fail_instances(D360Notifier(to=TO), 20)
    assert len(d360_emulator.sent) == 1
    clock(30)
    assert deliver(open_store) == (1, 0, 0)
    summary = texts(d360_emulator)[1].splitlines()
    assert summary[:3] == ["🔴 More tasks failed", "DAG: etl", "Run: run_A"]
    assert summary[3] == (
        "19 more: load [1]: ValueError, load [2]: ValueError, load [3]: ValueError, load [4]: ValueError, "
        "load [5]: ValueError and 14 others"
    )
    assert summary[4] == "http://localhost:8080/dags/etl/runs/run_A"


def test_the_process_of_the_second_failure_stays_to_send_the_summary(d360_emulator, monkeypatch):
    monkeypatch.setattr("airflow_provider_d360.store.alert_rules.CALM_SECONDS", 0.5)
    fail_instances(D360Notifier(to=TO), 2)
    assert [text.splitlines()[0] for text in texts(d360_emulator)] == [
        "🔴 Task failed",
        "🔴 More tasks failed",
    ]


@pytest.mark.usefixtures("no_wait")
def test_a_summary_uses_the_template(d360_emulator, open_store, clock):
    fail_instances(D360Notifier(to=TO, template="pager"), 2)
    clock(30)
    deliver(open_store)
    assert values(d360_emulator.sent[1])[:6] == [
        "More tasks failed", "etl", "-", "run_A", "-", "1 more: load [1]: ValueError",
    ]  # fmt: skip


def test_a_task_and_its_dag_are_one_alert(d360_emulator):
    for context in (of_a_task(), of_a_dag()):
        D360Notifier(to=TO)(context)
    assert [text.splitlines()[0] for text in texts(d360_emulator)] == ["🔴 Task failed"]


@pytest.mark.usefixtures("no_wait")
def test_the_end_of_the_run_brings_its_summary_at_once(d360_emulator):
    fail_instances(D360Notifier(to=TO), 3)
    D360Notifier(to=TO)(of_a_dag())
    assert [text.splitlines()[0] for text in texts(d360_emulator)] == [
        "🔴 Task failed",
        "🔴 More tasks failed",
    ]


def test_successes_are_messages_of_their_own(d360_emulator):
    for index in range(3):
        D360Notifier(to=TO, message=f"report {index}")(
            of_a_task(state="success", error=None, map_index=index)
        )
    assert texts(d360_emulator) == ["report 0", "report 1", "report 2"]


def test_a_recovery_needs_no_cooldown(d360_emulator):
    recovered = D360Notifier(to=TO, only_after_failure=True)
    recovered(of_a_task("run_0", state="success", error=None))
    D360Notifier(to=TO)(of_a_task())
    for run_id in ("run_B", "run_C"):
        recovered(of_a_task(run_id, state="success", error=None))
    assert [text.splitlines()[0] for text in texts(d360_emulator)] == ["🔴 Task failed", "🟢 Task recovered"]


@both
def test_an_alert_of_an_outage_is_kept_and_sent_later_with_its_time(
    d360_emulator, open_store, clock, alert, caplog, capsys
):
    d360_emulator.fail_next(faults.too_many_requests(retry_after=3600))
    with pytest.raises(D360Error):
        alert(D360Notifier(to=TO), of_a_task())
    assert "is kept, and tried again for 14400 s" in logged(caplog, capsys)
    assert deliver(open_store) == (0, 0, 0)
    clock(3700)
    assert deliver(open_store) == (1, 0, 0)
    assert "\nSent late, this was at 20" in texts(d360_emulator)[0]
    assert deliver(open_store) == (0, 0, 0)


def test_the_next_callback_sends_what_an_outage_has_left(d360_emulator, clock):
    d360_emulator.fail_next(faults.too_many_requests(retry_after=60))
    with pytest.raises(D360Error):
        D360Notifier(to=TO)(of_a_task())
    clock(90)
    D360Notifier(to=TO)(of_a_task("run_B"))
    assert ["run_B" in text for text in texts(d360_emulator)] == [True, False]


def test_a_task_that_still_runs_does_not_wait_for_the_alerts_of_others(d360_emulator, clock):
    d360_emulator.fail_next(faults.too_many_requests(retry_after=60))
    with pytest.raises(D360Error):
        D360Notifier(to=TO)(of_a_task())
    clock(90)
    D360Notifier(to=TO)(of_a_task("run_B", state=None, error=None))
    assert [text.splitlines()[0] for text in texts(d360_emulator)] == ["🔵 Task started"]


def test_who_was_reached_in_an_outage_gets_no_second_alert(d360_emulator, open_store, clock):
    d360_emulator.reject(131042, to=OTHER, times=1)  # the account cannot pay
    with pytest.raises(D360Error):
        D360Notifier(to=[TO, OTHER])(of_a_task())
    clock(30)
    assert deliver(open_store) == (1, 0, 0)
    assert [message.to for message in d360_emulator.sent] == [TO, OTHER]


def test_while_one_connection_is_out_the_alerts_of_others_go_on(
    d360_emulator, open_store, clock, monkeypatch
):
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", d360_emulator.connection())
    for run_id in ("run_A", "run_B"):
        d360_emulator.fail_next(faults.too_many_requests(retry_after=20))
        with pytest.raises(D360Error):
            D360Notifier(to=TO)(of_a_task(run_id))
    with pytest.raises(Exception, match="missing"):
        D360Notifier(to=TO, d360_conn_id="missing")(of_a_task("run_C"))
    monkeypatch.setenv("AIRFLOW_CONN_MISSING", d360_emulator.connection())
    clock(30)
    d360_emulator.fail_next(faults.too_many_requests(retry_after=600))
    assert deliver(open_store) == (1, 1, 0)
    assert ["run_C" in text for text in texts(d360_emulator)] == [True]


def test_an_alert_that_has_expired_is_dropped_with_a_line_in_the_log(
    d360_emulator, open_store, clock, caplog, capsys
):
    d360_emulator.fail_next(faults.too_many_requests(retry_after=100))
    with pytest.raises(D360Error):
        D360Notifier(to=TO, expires_after=timedelta(minutes=5))(of_a_task())
    clock(301)
    assert deliver(open_store) == (0, 0, 1)
    assert "1 alerts could not be sent in time, and are dropped: etl run_A" in logged(caplog, capsys)
    assert d360_emulator.sent == []


def test_what_recovers_during_the_outage_is_not_told_at_all(d360_emulator, open_store, clock):
    d360_emulator.fail_next(faults.too_many_requests(retry_after=30))
    with pytest.raises(D360Error):
        D360Notifier(to=TO)(of_a_task())
    D360Notifier(to=TO, only_after_failure=True)(of_a_task("run_B", state="success", error=None))
    clock(60)
    assert deliver(open_store) == (0, 0, 0)
    assert d360_emulator.sent == []


def test_what_is_just_being_tried_again_when_it_recovers_is_not_told_either(d360_emulator, open_store, clock):
    d360_emulator.fail_next(faults.too_many_requests(retry_after=30))
    with pytest.raises(D360Error):
        D360Notifier(to=TO)(of_a_task())
    clock(60)
    with closing(open_store()) as store:
        tried = store.alerts.take("another process", time.time())
        giving_up = threading.Timer(0.5, store.alerts.postpone, (tried, time.time(), tried.content))
        giving_up.start()
        D360Notifier(to=TO, only_after_failure=True)(of_a_task("run_B", state="success", error=None))
        giving_up.join()
    assert deliver(open_store) == (0, 0, 0)
    assert d360_emulator.sent == []


def test_what_may_have_arrived_is_sent_again_once_and_says_so(d360_emulator, open_store, clock):
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    with pytest.raises(D360Error):
        D360Notifier(to=TO)(of_a_task())
    clock(30)
    assert deliver(open_store) == (0, 0, 0)
    clock(90)
    assert deliver(open_store) == (1, 0, 0)
    first, second = texts(d360_emulator)
    assert "Perhaps you got this before" in second
    assert "Perhaps" not in first


def test_what_a_status_proves_to_have_arrived_is_not_sent_again(d360_emulator, open_store, clock):
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    with pytest.raises(D360Error):
        D360Notifier(to=TO)(of_a_task())
    (message,) = d360_emulator.sent
    store = open_store()
    store.add(
        [
            StatusEvent(
                message.message_id, "sent", biz_opaque_callback_data=message.body["biz_opaque_callback_data"]
            )
        ],
        time.time(),
    )
    store.close()
    clock(90)
    assert deliver(open_store) == (1, 0, 0)
    assert len(d360_emulator.sent) == 1


def test_an_alert_that_cannot_be_read_does_not_stop_the_others(d360_emulator, open_store, clock):
    for run_id in ("run_A", "run_B"):
        d360_emulator.fail_next(faults.too_many_requests(retry_after=20))
        with pytest.raises(D360Error):
            D360Notifier(to=TO)(of_a_task(run_id))
    with closing(open_store()) as store:
        oldest = store.alerts.take("x", time.time() + 30)
        store.alerts.postpone(oldest, time.time(), '{"of": "another version"}')
    clock(30)
    assert deliver(open_store) == (1, 0, 1)
    assert ["run_B" in text for text in texts(d360_emulator)] == [True]


def test_an_alert_nobody_can_get_is_given_up_at_once(d360_emulator, open_store, clock):
    d360_emulator.reject(131026)
    with pytest.raises(D360Error):
        D360Notifier(to=TO)(of_a_task())
    clock(3600)
    assert deliver(open_store) == (0, 0, 0)
    assert len(d360_emulator.requests) == 1


@both
def test_the_backup_gets_what_was_not_delivered_in_time(d360_emulator, open_store, clock, alert):
    alert(D360Notifier(to=TO, backup=OTHER, delivered_within=60), of_a_task())
    assert deliver(open_store) == (0, 0, 0)
    clock(61)
    assert deliver(open_store) == (1, 0, 0)
    assert [message.to for message in d360_emulator.sent] == [TO, OTHER]
    assert "\nYou get this because nobody else has got it" in texts(d360_emulator)[1]


@pytest.mark.parametrize("status", ["delivered", "read"])
def test_the_backup_sleeps_when_somebody_got_it(d360_emulator, open_store, clock, status):
    D360Notifier(to=TO, backup=OTHER, delivered_within=timedelta(minutes=1))(of_a_task())
    store = open_store()
    store.add([StatusEvent(d360_emulator.sent[0].message_id, status)], time.time())
    store.close()
    clock(61)
    assert deliver(open_store) == (0, 0, 0)
    assert len(d360_emulator.sent) == 1


def test_the_backup_gets_at_once_what_was_refused_to_everybody(d360_emulator):
    d360_emulator.reject(131026, to=TO)
    with pytest.raises(D360Error):
        D360Notifier(to=TO, backup=OTHER)(of_a_task())
    assert [message.to for message in d360_emulator.sent] == [OTHER]


KILLED = """
import sys
from types import SimpleNamespace
from airflow_provider_d360.notifications.d360 import D360Notifier
ti = SimpleNamespace(dag_id="etl", task_id="load", run_id="run_A", map_index=-1, try_number=1, max_tries=0,
                     state="failed", start_date=1)
D360Notifier(to="4915112345689")({"ti": ti, "exception": ValueError("no rows")})
"""


def test_an_alert_whose_process_was_killed_while_it_was_sent_is_sent_by_another(
    d360_emulator, open_store, clock
):
    d360_emulator.fail_next(faults.slow(60))
    process = programs.Program("-c", KILLED)
    while not d360_emulator.requests:
        assert process.returncode is None
        time.sleep(0.01)
    process.kill()
    clock(40)  # by then its claim is over; it may have arrived, so a status that proves it is waited for
    assert deliver(open_store) == (0, 1, 0)
    clock(110)
    assert deliver(open_store) == (1, 0, 0)
    assert "Perhaps you got this before" in texts(d360_emulator)[-1]


def test_the_command_sends_what_is_due_and_says_so(d360_emulator, clock, capsys):
    from airflow_provider_d360.cli import main

    assert main(["deliver-due"]) == 0
    assert capsys.readouterr().out == "0 sent, 0 kept, 0 given up\n"
    d360_emulator.fail_next(faults.too_many_requests(retry_after=20))
    with pytest.raises(D360Error):
        D360Notifier(to=TO)(of_a_task())
    clock(30)
    capsys.readouterr()
    d360_emulator.fail_next(faults.too_many_requests(retry_after=600))
    assert main(["deliver-due"]) == 1
    clock(3600)
    assert main(["deliver-due"]) == 0
    out = capsys.readouterr().out
    assert "0 sent, 1 kept, 0 given up" in out
    assert "1 sent, 0 kept, 0 given up" in out


def test_the_command_says_when_the_store_cannot_be_used(monkeypatch, capsys):
    from airflow_provider_d360.cli import main

    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", "/nowhere/at/all.sqlite")
    assert main(["deliver-due"]) == 9
    assert "The store cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1"])
def test_the_command_refuses_a_time_in_which_nothing_would_be_sent_or_nothing_would_end(capsys, seconds):
    from airflow_provider_d360.cli import main

    assert main(["deliver-due", f"--seconds={seconds}"]) == 2
    assert "above 0" in capsys.readouterr().err


def test_the_command_says_when_the_connection_of_the_store_is_missing(monkeypatch, capsys):
    from airflow_provider_d360.cli import main

    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "nobody_has_this")
    assert main(["deliver-due"]) == 9
    assert "Its connection is missing" in capsys.readouterr().err

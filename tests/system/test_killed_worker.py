"""Kill -9 at random instants around the sending: no message goes out twice that nobody asked for."""

from __future__ import annotations

import sys
import time
from collections import Counter

import pytest

from airflow_provider_d360.emulator import faults
from airflow_provider_d360.store import Store

pytestmark = pytest.mark.system

LATENCY_SECONDS = 0.1


def outcomes(airflow, emulator, policy):
    """Run all messages of a policy, and return each task instance with how many messages it sent."""
    dag_id = f"killed_worker_{policy}"
    emulator.fail_next(faults.slow(LATENCY_SECONDS), times=1000, path="/messages")
    run_id = airflow.run(dag_id, timeout_seconds=900)
    sent = Counter(message.body["text"]["body"] for message in emulator.sent)
    emulator.reset()  # other tests do not want the latency
    return run_id, [(task, sent[f"{dag_id} {task['map_index']}"]) for task in airflow.tasks(dag_id, run_id)]


def test_no_kill_makes_a_second_message(airflow, emulator):
    run_id, tasks = outcomes(airflow, emulator, "fail")
    killed = [(task["state"], count) for task, count in tasks if task["try_number"] == 2]
    ambiguous = [count for state, count in killed if state == "failed"]
    report = f"{len(killed)} of {len(tasks)} killed, {len(ambiguous)} ambiguous, {ambiguous.count(0)} of them never sent"
    sys.stdout.write(f"{report}\n")
    assert len(killed) >= len(tasks) / 2, Counter((task["state"], count) for task, count in tasks)
    assert {count for _, count in tasks} <= {0, 1}
    assert {count for task, count in tasks if task["state"] == "success"} == {1}
    assert ambiguous.count(0) <= max(1, len(killed) / 10)  # only between the intent and the first byte
    failed = {task["map_index"] for task, _ in tasks if task["state"] == "failed"}
    ledger = Store(f"sqlite:///{airflow.home}/d360.sqlite").ledger
    listed = [entry for entry in ledger.unsettled(older_than=time.time()) if entry.run_id == run_id]
    assert {entry.map_index for entry in listed if entry.dag_id == "killed_worker_fail"} == failed
    if failed:
        log = airflow.task_log("killed_worker_fail", run_id, "send", 2, min(failed))
        assert "interrupted while it was sending" in log


def test_the_resend_policy_sends_each_at_least_once(airflow, emulator):
    _, tasks = outcomes(airflow, emulator, "resend")
    assert {task["state"] for task, _ in tasks} == {"success"}
    assert {count for _, count in tasks} <= {1, 2}

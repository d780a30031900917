"""Kill -9 at random instants around the sending: no message goes out twice that nobody asked for."""

from __future__ import annotations

from collections import Counter

import pytest

pytestmark = pytest.mark.system


def outcomes(airflow, emulator, policy):
    """Run all messages of a policy, and return each task instance with how many messages it sent."""
    dag_id = f"killed_worker_{policy}"
    run_id = airflow.run(dag_id, timeout_seconds=400)
    sent = Counter(message.body["text"]["body"] for message in emulator.sent)
    return run_id, [(task, sent[f"{dag_id} {task['map_index']}"]) for task in airflow.tasks(dag_id, run_id)]


def test_no_kill_makes_a_second_message(airflow, emulator):
    run_id, tasks = outcomes(airflow, emulator, "fail")
    killed = [(task, count) for task, count in tasks if task["try_number"] == 2]
    assert len(killed) >= 50, Counter((task["state"], count) for task, count in killed)
    assert {count for _, count in tasks} <= {0, 1}
    assert {count for task, count in tasks if task["state"] == "success"} == {1}
    failed = [task for task, _ in tasks if task["state"] == "failed"]
    assert failed
    log = airflow.task_log("killed_worker_fail", run_id, "send", 2, failed[0]["map_index"])
    assert "interrupted while it was sending" in log


def test_the_resend_policy_sends_each_at_least_once(airflow, emulator):
    _, tasks = outcomes(airflow, emulator, "resend")
    assert {task["state"] for task, _ in tasks} == {"success"}
    assert {count for _, count in tasks} <= {1, 2}

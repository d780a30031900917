"""Through scheduler, executor, worker, execution API and log server, as in production."""

from __future__ import annotations

import json

import pytest

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.emulator import CLOUD_KEY
from scripts.real_airflow import RealAirflow, session_of
from tests.system.conftest import WRONG_KEY

pytestmark = pytest.mark.system


def test_a_scheduled_run_sends_exactly_one_message(airflow, emulator):
    airflow.unpause("scheduled_message")
    (run_id,) = airflow.wait(lambda: airflow.run_ids("scheduled_message"), "a scheduled run")

    airflow.require_success("scheduled_message", run_id)
    ours = [sent for sent in emulator.sent if sent.body["text"]["body"] == f"Once, for {run_id}"]
    assert run_id.startswith("scheduled__")
    assert [sent.to for sent in ours] == ["4915123456789"]
    assert airflow.xcom("scheduled_message", run_id, "send") == ours[0].message_id
    log = airflow.task_log("scheduled_message", run_id, "send")
    assert short_id(ours[0].message_id) in log
    assert ours[0].message_id not in log
    for secret in ("15123456789", "Once, for", CLOUD_KEY):
        assert secret not in log


def test_a_wrong_key_fails_the_task_at_once_and_the_log_says_what_to_do(airflow, emulator):
    before = len(emulator.sent)
    run_id = airflow.run("wrong_key")

    (task,) = airflow.tasks("wrong_key", run_id)
    assert (task["state"], task["try_number"]) == ("failed", 1)
    log = airflow.task_log("wrong_key", run_id, "send")
    assert "D360AuthError" in log
    assert "API key into the connection's password" in log
    assert WRONG_KEY not in log
    assert "15123456789" not in log
    assert len(emulator.sent) == before


@pytest.mark.parametrize(("key", "works"), [(CLOUD_KEY, True), (WRONG_KEY, False)])
def test_the_test_button_of_the_form_tells_a_right_key_from_a_wrong_one(airflow, server, key, works):
    answer = airflow.post(
        "/connections/test",
        {
            "connection_id": "typed_into_the_form",
            "conn_type": "d360",
            "host": server.url,
            "password": key,
            "extra": json.dumps({"hosting": "cloud"}),
        },
    )
    assert answer["status"] is works, answer
    assert key not in answer["message"]


def test_nothing_is_left_when_the_start_is_interrupted(tmp_path):
    def interrupt_half_way():
        if len(session_of(airflow.leader)) > 3:
            raise KeyboardInterrupt

    airflow = RealAirflow(tmp_path, {}, tick=interrupt_half_way)
    with pytest.raises(KeyboardInterrupt), airflow:
        pass
    assert session_of(airflow.leader) == []
    assert not airflow.home.exists()

"""360dialog is down while DAGs fail and Airflow is killed: afterwards each failure is told, once."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer
from airflow_provider_d360.emulator.server import connection_json
from airflow_provider_d360.store import Store
from scripts.ports import free_port
from scripts.real_airflow import RealAirflow, session_of
from tests.store.conftest import postgres  # noqa: F401
from tests.system.test_attack import new_database

NUMBER = "4915199988866"
IS_WHOLE = os.environ.get("ATTACK") == "whole"
FAILING, RECOVERING, SECONDS, TABLES = (30, 3, 120.0, 50) if IS_WHOLE else (6, 2, 20.0, 8)

pytestmark = pytest.mark.system


class Service:
    """A 360dialog that can be down: nobody listens on its port."""

    def __init__(self) -> None:
        self.emulator, self.port = Emulator(), free_port()
        self._stack = ExitStack()

    def start(self) -> None:
        self._stack.enter_context(EmulatorServer(self.emulator, self.port))

    def stop(self) -> None:
        self._stack.close()

    def alerts(self) -> list[str]:
        return [message.body["text"]["body"] for message in self.emulator.sent]


@pytest.fixture(scope="module")
def service():
    service = Service()
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def airflow(service, postgres):  # noqa: F811
    connection = json.loads(connection_json(f"http://127.0.0.1:{service.port}", CLOUD_KEY, "cloud"))
    connection["extra"] |= {"webhook_username": "d360", "webhook_password": "secret", "max_attempts": 1}
    environment = {
        # Thirty runs at once lock a SQLite file for so long that Airflow's own scheduler ends.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": new_database(postgres),
        "AIRFLOW_CONN_D360_DEFAULT": json.dumps(connection),
        "AIRFLOW__D360__ALERT_TO": NUMBER,
        "AIRFLOW__D360__ALERT_ON": "failed_runs,failed_tasks,recoveries",
        "AIRFLOW__D360__WEBHOOK_ENABLED": "True",
        "TABLES": str(TABLES),
    }
    with RealAirflow(Path(__file__).parent / "dags_without_notifiers", environment) as airflow:
        yield airflow
    assert session_of(airflow.leader) == []


@pytest.fixture
def store(airflow):
    with closing(Store(f"sqlite:///{airflow.home}/d360.sqlite", retry_seconds=30.0)) as store:
        yield store


def test_mapped_tasks_that_fail_at_once_are_two_messages(airflow, service, store):
    airflow.run("mapped", timeout_seconds=900)

    def is_told() -> bool:
        return len(service.alerts()) > 1 and not store.alerts.count_due()

    airflow.wait(is_told, "alert and summary", 180)
    first, *summaries = service.alerts()
    assert first.startswith("🔴 Task failed\nDAG: mapped\n")
    told = [int(number) for text in summaries for number in re.findall(r"\n(\d+) more: copy \[", text)]
    assert sum(told) == TABLES - 1
    # One, unless a busy machine makes a pause of nine seconds between two failures.
    assert len(summaries) == len(told) <= 2
    service.emulator.reset()


def test_after_an_outage_with_kills_each_failure_is_told_once_and_none_that_recovered(
    airflow, service, store
):
    service.stop()
    began = time.monotonic()
    dag_ids = [f"outage_{number}" for number in range(FAILING)]
    runs = {dag_id: airflow.start_run(dag_id, {"fail": True}) for dag_id in dag_ids}
    for dag_id, run_id in runs.items():
        assert airflow.wait_for_end(dag_id, run_id, 600) == "failed"
    airflow.wait(lambda: store.alerts.count_due() == FAILING, "the alerts to be written down", 300)
    recovered = dag_ids[:RECOVERING]
    for dag_id in recovered:
        airflow.run(dag_id, timeout_seconds=300)
    left = FAILING - RECOVERING
    airflow.wait(lambda: store.alerts.count_due() == left, "the alerts of what recovered to be deleted", 120)
    for component in ("scheduler", "dag-processor", "triggerer", "api-server"):
        airflow.kill(component)
    time.sleep(max(0.0, SECONDS - (time.monotonic() - began)))
    service.start()
    airflow.wait(lambda: len(service.alerts()) >= left and store.alerts.count_due() == 0, "the alerts", 300)
    time.sleep(15)  # what comes a second time comes now
    told = Counter(text.splitlines()[1].removeprefix("DAG: ") for text in service.alerts())
    assert told == Counter(dag_ids[RECOVERING:])

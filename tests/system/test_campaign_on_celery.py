"""A campaign in four shards on two Celery workers, of which one is killed: everybody exactly once, or named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from airflow_provider_d360.emulator import Emulator, EmulatorServer
from airflow_provider_d360.store.campaign_senders import SENDERS
from scripts.real_airflow import RealAirflow
from tests.store.conftest import postgres  # noqa: F401
from tests.system.campaigns import Campaign
from tests.system.test_attack import new_database, store_connection

pytest.importorskip(
    "airflow.providers.celery", reason="the Celery provider is installed with Airflow 3.3 only"
)

from tests.system.redis_server import served_redis

pytestmark = pytest.mark.system

PEOPLE, BATCH, SHARDS = 700, 20, 4
RATE = 30  # messages per second, of which the sender leaves a part
HEARTBEAT_TIMEOUT_SECONDS = 15  # instead of five minutes; then Airflow retries what a dead worker had
RUN_SECONDS = 300


@pytest.fixture
def campaign(postgres) -> Iterator[Campaign]:  # noqa: F811
    with (
        EmulatorServer(Emulator()) as server,
        Campaign(server, new_database(postgres), PEOPLE, BATCH, messages_per_second=RATE) as campaign,
    ):
        yield campaign


@contextmanager
def airflow_with_celery(campaign: Campaign, metadata_url: str) -> Iterator[RealAirflow]:
    timeout = str(HEARTBEAT_TIMEOUT_SECONDS)
    with served_redis() as broker:
        environment = {
            "AIRFLOW_CONN_D360_DEFAULT": campaign.connection,
            "AIRFLOW_CONN_D360_STORE": store_connection(campaign.url),
            "AIRFLOW__D360__STORE_CONN_ID": "d360_store",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor,CeleryExecutor",  # `standalone` insists on the first one
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url,
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": timeout,
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        }
        with RealAirflow(Path(__file__).parent / "dags_on_celery", environment) as airflow:
            yield airflow


def supervisors(worker: psutil.Process) -> list[psutil.Process]:
    """Return the processes of a worker's pool that supervise a task just now."""
    return [one for one in worker.children() if one.children()]


def kill_all_of(worker: psutil.Process) -> None:
    """Kill a worker as the loss of its machine does."""
    for process in [worker, *worker.children(recursive=True)]:
        process.kill()


def senders(campaign: Campaign) -> int:
    query = SENDERS.select().where(SENDERS.c.owner.is_not(None))
    return len(campaign.store._database.read(lambda connection: connection.execute(query).all()))


def test_everybody_gets_one_message_though_task_supervisor_and_worker_are_killed(campaign, postgres, capsys):  # noqa: F811
    with airflow_with_celery(campaign, new_database(postgres)) as airflow:
        run_id = airflow.start_run("campaign_shards")
        first, second = map(psutil.Process, airflow.start_workers("first", "second", slots=2))
        airflow.wait(lambda: senders(campaign) == SHARDS and len(campaign.emulator.sent) > 40, "all shards")
        of_task, of_supervisor = supervisors(first)
        of_task.children()[0].kill()
        of_supervisor.kill()
        kill_all_of(second)
        before = len(campaign.emulator.sent)
        state = airflow.wait_for_end("campaign_shards", run_id, RUN_SECONDS)
        totals = airflow.xcom("campaign_shards", run_id, "report")
        tries = sorted(
            task["try_number"]
            for task in airflow.tasks("campaign_shards", run_id)
            if task["task_id"] == "send"
        )
    copies, unknown = campaign.copies(), totals["states"].get("unknown", 0)
    with capsys.disabled():
        sys.stdout.write(
            f"\nCelery: {PEOPLE} people, killed after {before} messages; tries of the shards: {tries}; "
            f"{sum(count > 1 for count in copies.values())} got two, {unknown} unknown, of whom "
            f"{PEOPLE - len(copies)} got none\n"
        )
    assert state == "success"
    assert campaign.faults() == []
    assert sum(totals["states"].values()) == PEOPLE
    assert set(totals["states"]) <= {"accepted", "unknown"}
    assert unknown <= SHARDS * BATCH
    assert tries[0] > 1  # no shard was spared

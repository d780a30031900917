"""A campaign in four shards on two Celery workers that are killed with -9: everybody exactly once, or named."""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
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

BATCH, SHARDS, SLOTS = 20, 4, 2
# The rate is messages per second, of which the sender leaves a part.
IS_WHOLE = os.environ.get("ATTACK") == "whole"
PEOPLE, KILLS, RATE, RUN_SECONDS = (5000, 45, 16, 1200) if IS_WHOLE else (700, 3, 30, 300)
VICTIMS = ("task", "supervisor", "worker")
HEARTBEAT_TIMEOUT_SECONDS = 15  # instead of five minutes; then Airflow retries what a dead worker had


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


class Workers:
    """Two Celery workers, each replaced when it is killed."""

    def __init__(self, airflow: RealAirflow) -> None:
        self._airflow, self._names = airflow, (f"worker-{number}" for number in itertools.count(1))
        self._workers = self._started(2)

    @property
    def supervisors(self) -> list[psutil.Process]:
        """The processes that supervise a task just now, each in the pool of its worker."""
        return [one for worker in self._workers for one in worker.children() if one.children()]

    def kill(self, victim: str) -> None:
        """Kill a task, a supervisor, or a worker with all its processes, as the loss of its machine does."""
        supervisor = random.choice(self.supervisors)  # noqa: S311 - chance, not secrecy
        if victim == "task":
            supervisor.children()[0].kill()
        elif victim == "supervisor":
            supervisor.kill()
        else:
            worker = supervisor.parent()
            for process in [worker, *worker.children(recursive=True)]:
                process.kill()
            self._workers.remove(worker)
            self._workers += self._started(1)

    def _started(self, count: int) -> list[psutil.Process]:
        names = itertools.islice(self._names, count)
        return [psutil.Process(pid) for pid in self._airflow.start_workers(*names, slots=SLOTS)]


def senders(campaign: Campaign) -> int:
    query = SENDERS.select().where(SENDERS.c.owner.is_not(None))
    return len(campaign.store._database.read(lambda connection: connection.execute(query).all()))


def is_sending(campaign: Campaign, workers: Workers, before: int) -> bool:
    return len(campaign.emulator.sent) > before and bool(workers.supervisors)


def test_everybody_gets_one_message_though_task_supervisor_and_worker_are_killed(campaign, postgres, capsys):  # noqa: F811
    with airflow_with_celery(campaign, new_database(postgres)) as airflow:
        workers = Workers(airflow)
        run_id = airflow.start_run("campaign_shards")
        airflow.wait(lambda: senders(campaign) == SHARDS and len(campaign.emulator.sent) > 40, "all shards")
        kills: Counter[str] = Counter()
        for victim in itertools.islice(itertools.cycle(VICTIMS), KILLS):
            goes_on = partial(is_sending, campaign, workers, len(campaign.emulator.sent))
            airflow.wait(goes_on, "the next message", RUN_SECONDS)
            time.sleep(random.uniform(0, 1))  # noqa: S311 - chance, not secrecy
            if len(campaign.emulator.sent) > 0.9 * PEOPLE:
                break
            with suppress(psutil.NoSuchProcess, IndexError):  # its task ended just now
                workers.kill(victim)
                kills[victim] += 1
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
            f"\nCelery: {PEOPLE} people, killed: {dict(kills)}; tries of the shards: {tries}; "
            f"{sum(count > 1 for count in copies.values())} got two, {unknown} unknown, of whom "
            f"{PEOPLE - len(copies)} got none\n"
        )
    assert state == "success"
    assert campaign.faults() == []
    assert sum(totals["states"].values()) == PEOPLE
    assert set(totals["states"]) <= {"accepted", "unknown"}
    assert unknown <= kills["worker"] * SLOTS * BATCH + (kills["task"] + kills["supervisor"]) * BATCH
    assert set(kills) == set(VICTIMS)
    assert tries[-1] > 1  # they hit tasks

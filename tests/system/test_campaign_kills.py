"""Kill -9 at random instants while a campaign is sent: everybody exactly once, or named as unknown."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_d360.campaigns.planning import PlanRequest, plan_campaign
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer, faults
from airflow_provider_d360.emulator.server import connection_json
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.messages import column, template
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.campaign_rows import RowState
from tests.provider.campaigns import add_template, people
from tests.store.conftest import postgres, url  # noqa: F401

pytestmark = pytest.mark.system

PEOPLE, KILLS = (5000, 50) if os.environ.get("ATTACK") == "whole" else (400, 4)  # on each kind of database
BATCH = 50
LATENCY_SECONDS = 0.05
LONGEST_INSTANT_SECONDS = 0.5  # after the first POST of a process
WHOLE_SECONDS = 1800
SCRIPT = Path(__file__).parent / "campaign_sender.py"


class Campaign:
    """A planned campaign, its server, and the processes that send it."""

    def __init__(self, emulator: Emulator, server: EmulatorServer, store_url: str, count: int) -> None:
        self.emulator, self.url = emulator, store_url
        add_template(emulator)
        connection = connection_json(
            server.url, CLOUD_KEY, "cloud", timeout_seconds=1, messages_per_second=300
        )
        self.environment = {
            **os.environ,
            "AIRFLOW_CONN_D360_DEFAULT": connection,
            "PYTHONPATH": str(Path.cwd()),
        }
        self.store = Store(store_url)
        self.people = people(count)
        request = PlanRequest("spring", self.people, template("promo", "en", body=[column("name")]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_D360_DEFAULT", connection)
            self.key = plan_campaign(self.store, D360Hook(), request).key

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(SCRIPT), self.url, "spring", str(BATCH)]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def kill_somewhere(self, sender: subprocess.Popen[str]) -> bool:
        """Kill a sender at a random instant of its sending; return False if it ended before."""
        before = len(self.emulator.sent)
        while sender.poll() is None and len(self.emulator.sent) == before:
            time.sleep(0.005)
        time.sleep(random.uniform(0, LONGEST_INSTANT_SECONDS))  # noqa: S311 - chance, not secrecy
        was_alive = sender.poll() is None
        sender.kill()
        sender.communicate()
        return was_alive

    def faults(self) -> list[str]:
        """Return what must not be, one sentence each."""
        copies = Counter(message.to for message in self.emulator.sent)
        outcomes = {
            self.people[one.number - 1]["to"].removeprefix("+"): one
            for one in self.store.campaign_results.people(self.key)
        }
        wrong = [f"{to} got {count}" for to, count in copies.items() if count > 1]
        wrong += [
            f"{to} got none, and is {one.current}"
            for to, one in outcomes.items()
            if not copies[to] and one.current != "unknown"
        ]
        wrong += [
            f"{to} got one, and is {one.current}"
            for to, one in outcomes.items()
            if copies[to] and one.current not in ("accepted", "unknown")
        ]
        by_epoch = self.store._database.read(
            lambda connection: connection.exec_driver_sql(
                "SELECT epoch, COUNT(*) FROM d360_campaign_rows WHERE state = 'unknown' GROUP BY epoch"
            ).all()
        )
        return wrong + [f"{count} are unknown after one kill" for _, count in by_epoch if count > BATCH]


def test_everybody_gets_one_message_or_is_named_as_unknown(url, capsys):  # noqa: F811
    emulator = Emulator()
    with EmulatorServer(emulator) as server:
        campaign = Campaign(emulator, server, url, PEOPLE)
        emulator.fail_next(faults.slow(LATENCY_SECONDS), times=1_000_000, path="/messages")
        kills = 0
        while kills < KILLS and campaign.kill_somewhere(campaign.start()):
            kills += 1
        last = campaign.start()
        output, errors = last.communicate(timeout=WHOLE_SECONDS)
        assert (last.returncode, output.splitlines()[-1]) == (0, "DONE"), errors[-2000:]
        counts = campaign.store.campaign_results.counts(campaign.key)
        copies = Counter(message.to for message in emulator.sent)
        with capsys.disabled():
            sys.stdout.write(
                f"\n{url.partition(':')[0]}: {PEOPLE} people, {kills} kills: {sum(n > 1 for n in copies.values())} got two, "
                f"{counts.get(RowState.UNKNOWN, 0)} unknown, of whom "
                f"{PEOPLE - len(copies)} got none\n"
            )
        assert campaign.faults() == []
        assert kills >= KILLS // 2


def test_two_copies_at_once_send_to_everybody_once(url):  # noqa: F811
    emulator = Emulator()
    with EmulatorServer(emulator) as server:
        campaign = Campaign(emulator, server, url, 3000)
        copies = [campaign.start(), campaign.start()]
        ends = sorted((copy.communicate(timeout=WHOLE_SECONDS), copy.returncode)[1] for copy in copies)
        assert campaign.faults() == []
        assert len(emulator.sent) == 3000
        assert ends == [0, 1]  # the other one gave up, because somebody was sending

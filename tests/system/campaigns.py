"""A planned campaign for system tests, the processes that send it, and what must not be."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_d360.campaigns.planning import PlanRequest, plan_campaign
from airflow_provider_d360.emulator import CLOUD_KEY, EmulatorServer
from airflow_provider_d360.emulator.server import connection_json
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.messages import column, template
from airflow_provider_d360.store import Store
from tests.provider.campaigns import add_template, people
from tests.system.campaign_sender import SENT_AT, Sender

_TIMEOUT_SECONDS = 3  # a busy machine takes long to respond; and each kill is followed by this time
_LONGEST_INSTANT_SECONDS = 0.5  # after the first POST of a process


class Campaign:
    """
    A planned campaign, its server, and the processes that send it, which do not outlive it.

    :param server: Serves the emulator that it is sent to.
    :param store_url: The store.
    :param count: How many people get it.
    :param batch: How many messages a sender has under way at most.
    :param extra: Extras of the connection.
    """

    def __init__(
        self, server: EmulatorServer, store_url: str, count: int, batch: int = 50, **extra: float
    ) -> None:
        self.emulator, self.url, self.batch = server.emulator, store_url, batch
        add_template(self.emulator)
        self.connection = connection_json(
            server.url, CLOUD_KEY, "cloud", timeout_seconds=_TIMEOUT_SECONDS, **extra
        )
        self._environment = {**os.environ, "AIRFLOW_CONN_D360_DEFAULT": self.connection}
        self._folder = Path(tempfile.mkdtemp(prefix="d360-campaign-"))
        self.store = Store(store_url)
        self.people = people(count)
        request = PlanRequest("spring", self.people, template("promo", "en", body=[column("name")]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_D360_DEFAULT", self.connection)
            self.key = plan_campaign(self.store, D360Hook(), request).key
        self._senders: list[Sender] = []

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *_: object) -> None:
        for sender in self._senders:
            sender.kill()
        self.store.close()
        shutil.rmtree(self._folder)

    def start(self, shard: str = "1/1") -> Sender:
        """Start a process that sends a part of it."""
        output = self._folder / f"sender {len(self._senders)}"
        sender = Sender(self._environment, self.url, self.batch, shard, output)
        self._senders.append(sender)
        return sender

    def kill_somewhere(self, sender: Sender) -> bool:
        """Kill a sender at a random instant of its sending; return False if it ended before."""
        before = len(self.emulator.sent)
        while sender.exit_code is None and len(self.emulator.sent) == before:
            time.sleep(0.005)
        time.sleep(random.uniform(0, _LONGEST_INSTANT_SECONDS))  # noqa: S311 - chance, not secrecy
        was_alive = sender.exit_code is None
        sender.kill()
        return was_alive

    def faults(self) -> list[str]:
        """Return what must not be, one sentence each."""
        copies = self.copies()
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
        return wrong + [f"{count} are unknown after one kill" for _, count in by_epoch if count > self.batch]

    def copies(self) -> Counter[str]:
        """Count the messages of each person at the emulator."""
        return Counter(message.to for message in self.emulator.sent)

    def arrivals(self) -> list[float]:
        """Return when each message arrived at the emulator, in Unix seconds, ascending."""
        return sorted(message.accepted_at for message in self.emulator.sent)

    def moments(self) -> list[float]:
        """
        Return when each message was sent, on the clock of all processes of this machine, ascending.

        A server on a busy machine notices them later, and then several at once.
        """
        posts = [request for request in self.emulator.requests if request.path == "/messages"]
        return sorted(float(request.headers[SENT_AT]) for request in posts)

    @property
    def reason(self) -> str | None:
        """Why it was stopped or paused."""
        campaign = self.store.campaigns.find("spring")
        assert campaign is not None
        return campaign.reason

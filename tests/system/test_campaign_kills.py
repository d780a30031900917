"""Kill -9 at random instants while a campaign is sent: everybody exactly once, or named as unknown."""

from __future__ import annotations

import os
import sys

import pytest

from airflow_provider_d360.emulator import Emulator, EmulatorServer, faults
from airflow_provider_d360.store.campaign_rows import RowState
from tests.store.conftest import postgres, url  # noqa: F401
from tests.system.campaigns import Campaign

pytestmark = pytest.mark.system

PEOPLE, KILLS = (5000, 50) if os.environ.get("ATTACK") == "whole" else (400, 4)  # on each kind of database
LATENCY_SECONDS = 0.05
WHOLE_SECONDS = 1800
RATE = 300


def test_everybody_gets_one_message_or_is_named_as_unknown(url, capsys):  # noqa: F811
    emulator = Emulator()
    emulator.fail_next(faults.slow(LATENCY_SECONDS), times=1_000_000, path="/messages")
    with (
        EmulatorServer(emulator) as server,
        Campaign(server, url, PEOPLE, messages_per_second=RATE) as campaign,
    ):
        kills = 0
        while kills < KILLS and campaign.kill_somewhere(campaign.start()):
            kills += 1
        last = campaign.start()
        assert last.wait(WHOLE_SECONDS) == "DONE", campaign.reason
        counts = campaign.store.campaign_results.counts(campaign.key)
        copies = campaign.copies()
        with capsys.disabled():
            sys.stdout.write(
                f"\n{url.partition(':')[0]}: {PEOPLE} people, {kills} kills: {sum(n > 1 for n in copies.values())} got two, "
                f"{counts.get(RowState.UNKNOWN, 0)} unknown, of whom "
                f"{PEOPLE - len(copies)} got none\n"
            )
        assert campaign.faults() == []
        assert kills >= KILLS // 2


def test_two_copies_at_once_send_to_everybody_once(url):  # noqa: F811
    with (
        EmulatorServer(Emulator()) as server,
        Campaign(server, url, 3000, messages_per_second=RATE) as campaign,
    ):
        copies = [campaign.start(), campaign.start()]
        ends = [copy.wait(WHOLE_SECONDS) for copy in copies]
        assert campaign.faults() == []
        assert len(campaign.emulator.sent) == 3000
        assert "DONE" in ends
        assert {copy.exit_code for copy in copies} == {0, 1}  # the other one gave up: somebody was sending

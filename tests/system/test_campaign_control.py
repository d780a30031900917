"""A campaign in other processes is controlled while it runs; what counts is when messages come to the server."""

from __future__ import annotations

import sys
import time
from bisect import bisect_right
from collections.abc import Iterator

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer, Webhook
from tests.receiver.doors import LOGIN, standalone, wait_until
from tests.store.conftest import postgres, url  # noqa: F401
from tests.system.campaign_sender import Sender
from tests.system.campaigns import Campaign

pytestmark = pytest.mark.system

LIMIT = 40  # messages in any second
SECONDS_TO_FOLLOW = 1.0
WAIT_SECONDS = 300  # a busy machine takes long to start a process


@pytest.fixture
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(Emulator()) as server:
        yield server


def busiest_second(moments: list[float]) -> int:
    """Return how many messages there are within one second, wherever it begins."""
    return max(bisect_right(moments, at + 1.0) - number for number, at in enumerate(moments))


def wait_for_messages(campaign: Campaign, more: int) -> None:
    goal = len(campaign.emulator.sent) + more
    wait_until(lambda: len(campaign.emulator.sent) >= goal, WAIT_SECONDS)


def rate_over(campaign: Campaign, seconds: float) -> float:
    """Return how many messages a second come, after the senders have had a second to follow."""
    time.sleep(SECONDS_TO_FOLLOW)
    began, before = time.monotonic(), len(campaign.emulator.sent)
    time.sleep(seconds)
    return (len(campaign.emulator.sent) - before) / (time.monotonic() - began)


def last_words(senders: list[Sender]) -> list[str]:
    """Wait until senders have ended, and return what each said last."""
    return [sender.wait(WAIT_SECONDS) for sender in senders]


def test_two_senders_follow_each_signal_and_stay_below_the_limit(url, server, capsys):  # noqa: F811
    with Campaign(server, url, 900, messages_per_second=LIMIT) as campaign:
        signal = campaign.store.campaigns.signal

        def silent_after(word: str, end: str, senders: list[Sender]) -> float:
            """Give a signal that ends two senders; return how long after it the last message came."""
            at = time.time()
            signal("spring", word, "a test")
            assert last_words(senders) == [end, end]
            return max(0.0, campaign.arrivals()[-1] - at)

        shards = [campaign.start(shard) for shard in ("1/2", "2/2")]
        wait_for_messages(campaign, 60)
        pause = silent_after("pause", "PAUSED", shards)
        signal("spring", "run", None, 2.0)
        copies = [campaign.start(shard) for shard in ("1/2", "1/2", "2/2")]
        wait_until(
            lambda: sum(copy.exit_code == 1 for copy in copies) == 1, WAIT_SECONDS
        )  # one of two gives up
        wait_for_messages(campaign, 5)
        signal("spring", "run", None, 6.0)
        slow = rate_over(campaign, 4)
        signal("spring", "run", None, 15.0)
        faster = rate_over(campaign, 4)
        signal("spring", "run", None)
        full = rate_over(campaign, 3)
        stop = silent_after("stop", "STOPPED", [copy for copy in copies if copy.exit_code is None])
        signal("spring", "run", None)
        assert last_words([campaign.start(shard) for shard in ("1/2", "2/2")]) == ["DONE", "DONE"]
        busiest = busiest_second(campaign.moments())
        with capsys.disabled():
            sys.stdout.write(
                f"\n{url.partition(':')[0]}: limit {LIMIT}, most in a second: {busiest}; {slow:.1f} a second when "
                f"6 were asked for, {faster:.1f} when 15, {full:.1f} when all; last message {pause:.2f} s after "
                f"the pause, {stop:.2f} s after the stop\n"
            )
        assert busiest <= LIMIT
        assert slow <= 7 < faster <= 16.5 < full
        assert max(pause, stop) <= SECONDS_TO_FOLLOW
        assert campaign.faults() == []
        assert len(campaign.emulator.sent) == 900


def test_within_a_second_after_a_status_that_stops_everybody_no_message_goes_out(url, server, capsys):  # noqa: F811
    emulator, receiver = server.emulator, standalone(url)
    try:
        with Campaign(server, url, 3000, messages_per_second=100) as campaign:
            unlucky = campaign.people[150]["to"].removeprefix("+")
            emulator.set_statuses(["sent"])
            emulator.set_statuses(["failed:132015"], to=unlucky)
            emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{receiver.port}/", LOGIN)
            assert last_words([campaign.start()]) == ["STOPPED"]
            message = next(one for one in emulator.sent if one.to == unlucky)
            status = campaign.store.statuses.current([message.message_id])[message.message_id]
            seconds = campaign.arrivals()[-1] - status.received_at
            with capsys.disabled():
                sys.stdout.write(
                    f"\n{url.partition(':')[0]}: stopped after {len(emulator.sent)} messages; the last one came "
                    f"{seconds:.2f} s after the status\n"
                )
            assert seconds <= SECONDS_TO_FOLLOW
            assert "a message failed: 132015" in (campaign.reason or "")
    finally:
        receiver.kill()

"""Killing a receiver under load, and asking what it had promised."""

from __future__ import annotations

import http.client
import itertools
import threading
import time

from airflow_provider_d360.store import Store
from tests.receiver.doors import post, standalone, statuses

_SENDERS = 6


def lost_after_kills(url: str, times: int, acknowledged_before_each: int = 120) -> tuple[int, set[str]]:
    """Kill the receiver so many times; return how many events it acknowledged, and those that are lost."""
    receiver = standalone(url)
    numbers, acknowledged, over = itertools.count(), set[str](), threading.Event()

    def send() -> None:
        while not over.is_set():
            message_id = f"wamid.{next(numbers)}"
            try:
                if post(receiver.port, statuses((message_id, "delivered"))) == 200:
                    acknowledged.add(message_id)
            except (
                OSError,
                http.client.HTTPException,
            ):  # killed before it had answered: nothing was promised
                time.sleep(0.01)

    senders = [threading.Thread(target=send) for _ in range(_SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(times):
            _wait_for_more(acknowledged, acknowledged_before_each)
            receiver.kill()
            receiver.start()
    finally:
        over.set()
        for sender in senders:
            sender.join()
        receiver.kill()
    store = Store(url)
    kept = store.statuses.current(acknowledged)
    store.close()
    return len(acknowledged), acknowledged - kept.keys()


def _wait_for_more(acknowledged: set[str], more: int) -> None:
    goal, deadline = len(acknowledged) + more, time.monotonic() + 180
    while len(acknowledged) < goal:
        assert time.monotonic() < deadline, "the receiver answers nobody"
        time.sleep(0.005)

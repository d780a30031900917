"""
A process that sends as fast as its leases allow: ``python -m tests.store.leasing STORE EMULATOR NAME COUNT SKEW``.

Each message carries the moment at which it was sent, on the clock that all processes of a machine share. The
clock of this process is wrong by SKEW seconds; the process sends COUNT messages, and then ends.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

from airflow_provider_d360.sending.turns import Turns
from airflow_provider_d360.store import Store, rate_leases

LIMIT = 80.0


def main(store_url: str, emulator_url: str, name: str, count: int, skew: float) -> None:
    """Send messages."""

    def clock() -> float:
        return time.monotonic() + skew

    vars(rate_leases)["time"] = SimpleNamespace(monotonic=clock, time=time.time)
    store, turns = Store(store_url, retry_seconds=60.0), Turns()
    number = store.rate_leases.key("http://x", "cloud-key")
    connection = http.client.HTTPConnection(urlsplit(emulator_url).netloc)
    while count:
        turn = turns.take(clock())
        if turn is None:
            time.sleep(max(0.0, turns.lease_at(clock()) - clock()))
            lease = store.rate_leases.lease(
                number, messages_per_second=LIMIT, incoming_share=0.1, want=80, holder=name
            )
            turns.add(lease)
            continue
        time.sleep(max(0.0, turn.at - clock()))
        now = clock()
        if now > turn.latest:
            continue
        send(connection, f"4915100{count:06}", now - skew)
        count -= 1
    store.close()


def send(connection: http.client.HTTPConnection, to: str, at: float) -> None:
    """Send a message that carries its moment."""
    body = {
        "messaging_product": "whatsapp",
        "to": to,
        "type": "text",
        "text": {"body": "Hi"},
        "biz_opaque_callback_data": repr(at),
    }
    headers = {"D360-API-KEY": "cloud-key", "Content-Type": "application/json"}
    connection.request("POST", "/messages", json.dumps(body), headers)
    response = connection.getresponse()
    response.read()
    assert response.status == 200


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))

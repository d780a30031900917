"""
An open-loop load generator: requests are due at a fixed rate, whether or not the answers keep up.

Latency counts from the moment a request was due, so time spent waiting for a free connection is in it.
Run as ``python -m benchmarks.open_loop`` in a process of its own; it prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter, deque

BODY = (
    b'{"object":"whatsapp_business_account","entry":[{"id":"108","changes":[{"field":"messages","value":'
    b'{"messaging_product":"whatsapp","metadata":{"display_phone_number":"4930901820","phone_number_id":'
    b'"106540352242922"},"statuses":[{"id":"%s","status":"%s","timestamp":"1767225600","recipient_id":'
    b'"4915112345678","biz_opaque_callback_data":"%s","conversation":{"id":"a3c9","origin":{"type":"utility"}},'
    b'"pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}}]}}]}]}'
)
STATUSES = (b"sent", b"delivered", b"read")


def message_id(run: str, number: int) -> str:
    """Name the message that a delivery is about: each has three."""
    return f"wamid.HBgL{run}{number // 3:024d}"


class Load:
    """
    One run.

    :param port: Where to, on this machine.
    :param path: And to which path.
    :param rate: Requests per second.
    :param total: Requests in all.
    :param run: Makes the message ids of this run its own.
    :param authorization: The value of that header.
    """

    def __init__(self, port: int, path: str, rate: float, total: int, run: str, authorization: str) -> None:
        self.port, self.rate, self.total, self.run = port, rate, total, run
        self.head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {authorization}\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        ).encode()
        self.free: deque[_Connection] = deque()
        self.due: deque[tuple[int, float]] = deque()
        self.latencies: list[float] = []
        self.responses: Counter[str] = Counter()
        self.over = asyncio.Event()

    async def play(self, connections: int) -> dict[str, object]:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.port)
        start, number = time.perf_counter() + 0.05, 0
        while number < self.total:
            late_by = time.perf_counter() - start
            while number < self.total and number / self.rate <= late_by:
                self.due.append((number, start + number / self.rate))
                number += 1
            self.send()
            await asyncio.sleep(0.001)
        while sum(self.responses.values()) < self.total:
            await asyncio.wait_for(self.over.wait(), 60)
        return self._report(time.perf_counter() - start)

    def send(self) -> None:
        while self.due and self.free:
            number, due = self.due.popleft()
            self.free.popleft().post(self._request(number), due)

    def answered(self, connection: _Connection, status: str, seconds: float) -> None:
        self.responses[status] += 1
        self.latencies.append(seconds)
        self.free.append(connection)
        if sum(self.responses.values()) >= self.total:
            self.over.set()
        elif self.due:
            self.send()

    def _request(self, number: int) -> bytes:
        identity = message_id(self.run, number).encode()
        body = BODY % (identity, STATUSES[number % 3], identity[-32:])
        return self.head % len(body) + body

    def _report(self, seconds: float) -> dict[str, object]:
        ordered = sorted(self.latencies)
        report: dict[str, object] = {
            f"p{share}_ms": round(1000 * ordered[int(len(ordered) * share / 100)], 2)
            for share in (50, 95, 99)
        }
        return report | {
            "max_ms": round(1000 * ordered[-1], 2),
            "responses": dict(self.responses),
            "per_second": round(self.total / seconds),
        }


class _Connection(asyncio.Protocol):
    """One connection with one request under way at most."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._due = 0.0
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._load.free.append(self)

    def post(self, request: bytes, due: float) -> None:
        assert self._transport is not None  # noqa: S101
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if b"\r\n\r\n" in self._received:  # all answers have empty bodies
            status = self._received[9:12].decode()
            self._received = b""
            self._load.answered(self, status, time.perf_counter() - self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        raise SystemExit(f"the server closed a connection: {exc}")


def main() -> None:
    """Play one load and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/webhook")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--total", type=int, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--authorization", required=True)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    load = Load(options.port, options.path, options.rate, options.total, options.run, options.authorization)
    print(json.dumps(asyncio.run(load.play(options.connections))))


if __name__ == "__main__":
    main()

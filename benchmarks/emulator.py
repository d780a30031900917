"""
How many messages the emulator accepts from one process, and their price: ``python -m benchmarks.emulator``.

The peer is a loop of bare aiohttp, so what is measured is the emulator. Goal: 2,000 messages per second.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import time
from multiprocessing.connection import Connection

import aiohttp

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer

MESSAGES, CONNECTIONS = 20_000, 64


def serve(pipe: Connection) -> None:
    """Serve an emulator until the pipe says so, and return the CPU time that it took."""
    with EmulatorServer(Emulator(statuses=())) as server:
        before = cpu_seconds()
        pipe.send(server.url)
        pipe.recv()
        pipe.send((cpu_seconds() - before, len(server.emulator.sent)))


def cpu_seconds() -> float:
    """Return the CPU time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def send(url: str) -> float:
    """Send the messages, and return how long that took."""
    numbers = iter(range(MESSAGES))
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, headers={"D360-API-KEY": CLOUD_KEY}) as session:

        async def work() -> None:
            for number in numbers:
                async with session.post(f"{url}/messages", json=message(number)) as response:
                    await response.read()
                    response.raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return time.perf_counter() - began


def message(number: int) -> dict[str, object]:
    """Make a template message to somebody."""
    body = {"type": "body", "parameters": [{"type": "text", "text": f"Name {number}"}]}
    template = {"name": "offer", "language": {"code": "en"}, "components": [body]}
    to = str(4915100000000 + number)
    return {"messaging_product": "whatsapp", "to": to, "type": "template", "template": template}


def main() -> None:
    """Measure, and print the figures."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there,))
    process.start()
    url = here.recv()
    before = cpu_seconds()
    seconds = asyncio.run(send(url))
    client = cpu_seconds() - before
    here.send(None)
    server, accepted = here.recv()
    process.join()
    if accepted != MESSAGES:
        raise SystemExit(f"The emulator accepted {accepted} of {MESSAGES} messages")
    print(
        f"emulator: {MESSAGES / seconds:,.0f} messages/s from one process; CPU for each: "
        f"emulator {server / MESSAGES * 1e6:.0f} us, aiohttp loop {client / MESSAGES * 1e6:.0f} us"
    )


if __name__ == "__main__":
    main()

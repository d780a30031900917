"""
What a message costs: `hook.send` beside a loop over `requests.Session`, `hook.asend` beside bare aiohttp.

One process sends over TLS to a server in another one. The two sides take turns; what counts is the CPU time
of the process with all its threads, so that a busy machine changes little. Measured without a ledger (the
place of the default file is taken by a directory), with SQLite and with PostgreSQL. With a ledger, also the
window in which a killed process leaves an unknown message: from the commit of the intent to the first byte of
the body. Rate limits do not count: the hook's is a million messages per second here. ::

    python -m benchmarks.send                              # half a minute
    python -m benchmarks.send --messages 200 --rounds 15
    python -m benchmarks.send --profile sqlite             # where the time of hook.send goes
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import itertools
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.store.postgres import Postgres, find_programs
from tests.web_servers import untrusted_tls

if TYPE_CHECKING:
    from airflow_provider_d360.hooks.d360 import D360Hook

GOALS = {"send": 1.3, "asend": 2.0}  # times the peer, without a ledger
GOAL_WINDOW_MS = 5.0
LEDGERS = ("none", "sqlite", "postgresql")
AT_ONCE = 20
KEY = "key-of-the-number"
TEXT = "Your order 1234 has left our house and will be with you tomorrow."
SERVER = """
import asyncio, email.utils, json, ssl, sys
certificate, key = sys.argv[1:]
accepted = {"messaging_product": "whatsapp", "contacts": [{"input": "49", "wa_id": "49"}]}
body = json.dumps({**accepted, "messages": [{"id": "wamid.HBgNNDkxNTE"}]}).encode()
date = email.utils.formatdate(usegmt=True).encode()
h = b"HTTP/1.1 200 OK\\r\\nDate: %s\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
response = h % (date, len(body)) + body
async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            writer.write(response)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""

# Few enough for the rate limiter, which remembers whom it has written to, and enough for the limit of each.
recipients = itertools.cycle([f"49151{number:08}" for number in range(5000)])


def main() -> int:
    """Measure, print, and say whether the goals were met."""
    options = parse()
    with prepared() as (url, folder):
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {options.messages} messages a round,")
        print(f"{options.rounds} rounds; asend: {AT_ONCE} at once. CPU ms per message, median.\n")
        met = True
        for ledger in LEDGERS if options.profile is None else (options.profile,):
            with using(ledger, folder):
                if options.profile:
                    return profile(new_hook(), options.messages)
                ratios = {"send": send(new_hook(), url, ledger, options)}
                ratios["asend"] = asyncio.run(asend(new_hook(), url, ledger, options))
                if ledger == "none":
                    met = all(ratios[name] <= goal for name, goal in GOALS.items())
                else:
                    met &= window(new_hook(), options.messages * options.rounds) < GOAL_WINDOW_MS
    goals = " and ".join(f"{name} at most {goal} times its peer" for name, goal in GOALS.items())
    print(
        f"\nWithout a ledger {goals}, median window under {GOAL_WINDOW_MS:g} ms: {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--profile", choices=LEDGERS, help="print where the time goes, with this ledger")
    return parser.parse_args()


@contextmanager
def prepared() -> Iterator[tuple[str, Path]]:
    """Start the server, and set up Airflow before it is imported."""
    with tempfile.TemporaryDirectory(prefix="d360-bench-") as home, ExitStack() as stack:
        folder = Path(home)
        _, certificate = untrusted_tls(folder)
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", SERVER, certificate, folder / "key.pem"],
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(process.terminate)
        port = int(process.stdout.readline() if process.stdout else 0)
        url = f"https://localhost:{port}"
        (folder / "d360.sqlite").mkdir()  # no ledger
        connection = {
            "conn_type": "d360",
            "host": url,
            "password": KEY,
        }
        environment = {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_D360_DEFAULT": json.dumps(connection),
            "REQUESTS_CA_BUNDLE": str(certificate),
        }
        stack.enter_context(mock.patch.dict(os.environ, environment))
        yield url, folder


@contextmanager
def using(ledger: str, folder: Path) -> Iterator[None]:
    """Configure a store, and forget the last one."""
    from airflow_provider_d360.hooks import ledgers

    programs = find_programs() if ledger == "postgresql" else None
    if ledger == "postgresql" and programs is None:
        sys.exit("PostgreSQL is not installed")
    with Postgres(programs) if programs else nullcontext() as server:
        environment = {}
        if ledger == "sqlite":
            environment = {"AIRFLOW__D360__STORE_PATH": str(folder / "ledger.sqlite")}
        elif server:
            extra = {"host": str(server.home)}
            connection = {
                "conn_type": "postgres",
                "login": "d360",
                "schema": "postgres",
                "host": extra["host"],
            }
            environment = {
                "AIRFLOW_CONN_D360_STORE": json.dumps(connection),
                "AIRFLOW__D360__STORE_CONN_ID": "d360_store",
            }
        with mock.patch.dict(os.environ, environment), mock.patch.dict(ledgers._remembered, clear=True):
            yield


def new_hook() -> D360Hook:
    """Make a hook whose rate limit does not matter here."""
    from airflow_provider_d360.hooks.d360 import D360Hook

    hook = D360Hook()
    transport = hook.get_conn()
    transport.settings = replace(transport.settings, messages_per_second=1e6)
    return hook


def send(hook: D360Hook, url: str, ledger: str, options: argparse.Namespace) -> float:
    """Let `hook.send` and a plain session take turns; print a line and return how many times it costs."""
    import requests

    with requests.Session() as session:

        def plain() -> None:
            response = session.post(
                f"{url}/messages", json=body(next(recipients)), headers=HEADERS, timeout=30
            )
            response.raise_for_status()
            response.json()["messages"][0]["id"]

        def ours() -> None:
            hook.send(next(recipients), TEXT)

        def cost(one: Callable[[], None]) -> float:
            start = time.process_time()
            for _ in range(options.messages):
                one()
            return time.process_time() - start

        plain(), ours()
        costs = [(cost(plain), cost(ours)) for _ in range(options.rounds)]
    hook.get_conn().close()
    return show("hook.send", "requests.Session", ledger, costs, options.messages)


async def asend(hook: D360Hook, url: str, ledger: str, options: argparse.Namespace) -> float:
    """Do the same with `hook.asend` and bare aiohttp, several at once."""
    import aiohttp

    from airflow_provider_d360.transport.sockets import tls_context

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls_context())) as session:

        async def plain() -> None:
            post = session.post(f"{url}/messages", json=body(next(recipients)), headers=HEADERS)
            async with post as response:
                response.raise_for_status()
                (await response.json())["messages"][0]["id"]

        async def ours() -> None:
            await hook.asend(next(recipients), TEXT)

        async def cost(one: Callable[[], Awaitable[None]], messages: int) -> float:
            async def several() -> None:
                for _ in range(messages // AT_ONCE):
                    await one()

            start = time.process_time()
            await asyncio.gather(*(several() for _ in range(AT_ONCE)))
            return time.process_time() - start

        for one in plain, ours:
            await cost(one, AT_ONCE)
        messages = options.messages // AT_ONCE * AT_ONCE
        costs = [(await cost(plain, messages), await cost(ours, messages)) for _ in range(options.rounds)]
    await hook.aclose()
    return show("hook.asend", "aiohttp", ledger, costs, messages)


def window(hook: D360Hook, messages: int) -> float:
    """Measure the time from an intent's commit to the first byte of its message; return the median."""
    from sqlalchemy import Engine, event

    from airflow_provider_d360.transport.bodies import BodyStream

    commits: list[float] = []
    took: list[float] = []
    read = BodyStream.read

    def noting(stream: BodyStream, size: int = -1, /) -> bytes:
        chunk = read(stream, size)
        if chunk:  # it goes to the socket now
            took.append(1000 * (time.perf_counter() - commits[-1]))
        return chunk

    def note_commit(connection: object) -> None:
        commits.append(time.perf_counter())

    event.listen(Engine, "commit", note_commit)
    try:
        with mock.patch.object(BodyStream, "read", noting):
            for _ in range(messages):
                hook.send(next(recipients), TEXT)
    finally:
        event.remove(Engine, "commit", note_commit)
    hook.get_conn().close()
    took.sort()
    median, p99 = statistics.median(took), took[int(len(took) * 0.99)]
    times = f"median {median:.2f} ms, p99 {p99:.2f} ms, max {took[-1]:.2f} ms"
    print(f"{'':12}intent committed to first byte: {times}")
    return median


def profile(hook: D360Hook, messages: int) -> int:
    """Print where the time of `hook.send` goes."""
    hook.send(next(recipients), TEXT)
    with cProfile.Profile() as profiler:
        for _ in range(messages):
            hook.send(next(recipients), TEXT)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(70)
    return 0


HEADERS = {"D360-API-KEY": KEY, "Accept": "application/json"}


def body(to: str) -> dict[str, Any]:
    """Build what a user would post by hand."""
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": to,
        "type": "text",
        "text": {"body": TEXT},
    }


def show(name: str, peer: str, ledger: str, costs: list[tuple[float, float]], messages: int) -> float:
    """Print one line, and return the ratio."""
    theirs, ours = (1000 * statistics.median(side) / messages for side in zip(*costs, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in costs)
    print(
        f"ledger {ledger:11} {name:11} {ours:6.3f}   {peer:17} {theirs:6.3f}   ratio {ratio:.2f}", flush=True
    )
    return ratio


if __name__ == "__main__":
    sys.exit(main())

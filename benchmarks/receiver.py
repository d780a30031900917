"""
How many deliveries the standalone receiver takes on one core, how fast, and whether any is lost.

The receiver, as ``python -m airflow_provider_d360.receiver`` starts it, is pinned to one core; the load
generator (``open_loop.py``) and PostgreSQL share another. Beside it, in the same run: a bare Starlette
application that only answers 200, and what one fsync costs where the store is. ::

    python -m benchmarks.receiver                       # 3,000 per second, RAM disk and real disk
    python -m benchmarks.receiver --rates 1000,3000,5000 --seconds 30
    python -m benchmarks.receiver --events 1000000      # memory over a million events, SQLite, RAM disk
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_d360.store import Store
from benchmarks.open_loop import STATUSES, message_id
from tests.store.postgres import Postgres, find_programs

LOGIN = {"webhook_username": "d360", "webhook_password": "secret"}
AUTHORIZATION = "Basic ZDM2MDpzZWNyZXQ="
GOAL_RATE, GOAL_P99_MS = 3000, 80.0
RAM_DISK = "/dev/shm"  # noqa: S108
SERVER_CORE, LOAD_CORE = 0, 1
ROOT = Path(__file__).parents[1]
BARE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def take(request):
    await request.body()
    return Response()
app = Starlette(routes=[Route("/webhook", take, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[-1]), access_log=False, lifespan="off", log_level="warning")
"""


def main() -> int:
    """Measure, print, and say whether the goal was met."""
    options = parse()
    if options.events:
        return memory(options.events, options.rates[0], options.places[0])
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; {options.seconds} s per line\n"
    )
    print(f"{'':34}  due/s  got/s  p50 ms  p95 ms  p99 ms  max ms  lost   MB")
    met = True
    for rate in options.rates:
        with serving([sys.executable, "-c", BARE]) as (port, pid):
            bare = load(port, rate, options.seconds, secrets.token_hex(4))
            show("bare Starlette, stores nothing", rate, bare, lost=None, pid=pid)
        for place in options.places:
            for kind, synchronous in (("sqlite", "NORMAL"), ("sqlite", "FULL"), ("postgresql", "")):
                got = measure(kind, synchronous, place, rate, options.seconds)
                print(f"{'':10}p99 is {got['p99_ms'] / bare['p99_ms']:.1f} times the bare application's")
                if rate == GOAL_RATE and place == RAM_DISK and synchronous != "FULL":
                    met &= got["p99_ms"] < GOAL_P99_MS and got["lost"] == 0
    for place in options.places:
        print(f"\nfsync of 4 kB in {place}: {fsync_latency(place)}")
    goal = f"{GOAL_RATE} deliveries per second on a RAM disk, p99 under {GOAL_P99_MS:g} ms, none lost"
    if GOAL_RATE in options.rates and RAM_DISK in options.places:
        print(f"\n{goal}: {'met' if met else 'MISSED'}")
    return 0 if met else 1


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rates", type=lambda text: [int(rate) for rate in text.split(",")], default=[GOAL_RATE]
    )
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument(
        "--places", type=lambda text: text.split(","), default=[RAM_DISK, tempfile.gettempdir()]
    )
    parser.add_argument("--events", type=int, help="measure memory over so many events instead")
    return parser.parse_args()


def measure(kind: str, synchronous: str, place: str, rate: int, seconds: int) -> dict[str, Any]:
    """Load a receiver that stores, and compare what it acknowledged with what is in the store."""
    with a_store(kind, place) as url, receiver(url, synchronous) as (port, pid):
        run = secrets.token_hex(4)
        got = load(port, rate, seconds, run)
        got["lost"] = lost(url, run, rate * seconds) if got["responses"] == {"200": rate * seconds} else None
        show(f"{kind} {synchronous} on {place}", rate, got, lost=got["lost"], pid=pid)
        return got


def memory(events: int, rate: int, place: str) -> int:
    """Print the receiver's memory while events come in; it must not grow with their number."""
    with a_store("sqlite", place) as url, receiver(url, "NORMAL") as (port, pid):
        resident = [resident_mb(pid)]
        for tenth in range(10):
            got = load(port, rate, events / 10 / rate, secrets.token_hex(4))
            resident.append(resident_mb(pid))
            line = f"{resident[-1]} MB, p99 {got['p99_ms']} ms, {got['answers']}"
            print(f"{(tenth + 1) * events // 10:>9} events: {line}", flush=True)
    start, warm, half, end = (resident[tenth] for tenth in (0, 2, 5, 10))
    flat = end - warm <= max(5, warm // 20)  # by then, its threads and connections are there
    print(f"Memory: {start} MB at the start, {warm} after two tenths, {half} at half, {end} at the end")
    print("It is flat" if flat else f"IT GREW by {end - warm} MB since it was warm")
    return 0 if flat else 1


@contextmanager
def a_store(kind: str, place: str) -> Iterator[str]:
    """Make an empty database in a place, and remove it afterwards."""
    home = Path(tempfile.mkdtemp(prefix="d360-bench-", dir=place))
    try:
        if kind == "sqlite":
            yield f"sqlite:///{home}/store.sqlite"
        else:
            programs = find_programs()
            if programs is None:
                sys.exit("PostgreSQL is not installed")
            with Postgres(programs, place) as server:
                os.sched_setaffinity(server.pid, {LOAD_CORE})
                yield server.new_database()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def receiver(url: str, synchronous: str) -> Iterator[tuple[int, int]]:
    """Start the receiver on its core, with a home of its own."""
    connection = json.dumps({"conn_type": "d360", "password": "key", "extra": LOGIN})
    command = [sys.executable, "-m", "airflow_provider_d360.receiver", "--store", url, "--port"]
    with tempfile.TemporaryDirectory(prefix="d360-bench-home-") as home:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "AIRFLOW_CONN_D360_DEFAULT": connection,
            "AIRFLOW__D360__STORE_SYNCHRONOUS": synchronous or "NORMAL",
        }
        with serving(command, environment) as running:
            yield running


@contextmanager
def serving(command: list[str], environment: Mapping[str, str] | None = None) -> Iterator[tuple[int, int]]:
    """Start a server on its core and yield its port and process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [*command, str(port)], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        try:
            _wait_for(port, process)
            yield port, process.pid
        finally:
            process.terminate()


def load(
    port: int, rate: int, seconds: float, run: str, *, path: str = "/webhook", core: int = LOAD_CORE
) -> dict[str, Any]:
    """Play a load from its core."""
    command = [sys.executable, "-m", "benchmarks.open_loop", "--port", str(port), "--path", path]
    command += ["--rate", str(rate), "--total", str(int(rate * seconds)), "--run", run]
    command += ["--authorization", AUTHORIZATION]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        os.sched_setaffinity(process.pid, {core})
        output, _ = process.communicate()
    if process.returncode:
        sys.exit("the load generator failed")
    return dict(json.loads(output))


def lost(url: str, run: str, total: int) -> int:
    """Count what was acknowledged and is not in the store."""
    store = Store(url)
    count = 0
    for number in range(0, total, 3):
        count += len(
            {kept.status.encode() for kept in store.statuses.history(message_id(run, number))} & set(STATUSES)
        )
    store.close()
    return total - count


def fsync_latency(place: str, times: int = 200) -> str:
    """Measure what one fsync costs."""
    took = []
    with tempfile.TemporaryFile(dir=place) as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            took.append(1000 * (time.perf_counter() - start))
    took.sort()
    return (
        f"p50 {statistics.median(took):.2f} ms, p99 {took[int(times * 0.99)]:.2f} ms, max {took[-1]:.2f} ms"
    )


def resident_mb(pid: int) -> int:
    """Read how much memory a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def show(name: str, rate: int, got: Mapping[str, Any], *, lost: int | None, pid: int) -> None:
    """Print one line."""
    figures = "".join(f"{got[key]:>8}" for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
    missing = "-" if lost is None else lost
    print(f"{name:34}{rate:>7}{got['per_second']:>7}{figures}{missing:>6}{resident_mb(pid):>5}", flush=True)
    if set(got["responses"]) != {"200"}:
        print(f"{'':10}answers: {got['answers']}")


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                sys.exit("the server does not start")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())

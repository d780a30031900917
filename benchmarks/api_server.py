"""
How many deliveries the receiver takes inside Airflow's API server, with one worker and with two.

A real `airflow api-server`, without Airflow's other components, serves the receiver and, in the same
processes, a bare FastAPI plugin whose endpoint only answers 200. The rate climbs until it does not hold,
twice in a row. It holds while the p99 is under 80 ms, every answer is 200, and every delivery is in the
store. What a request costs the processes of the API server stands beside: that figure hardly
depends on what else the machine does. ::

    python -m benchmarks.api_server                     # SQLite on a RAM disk, one worker, then two
    python -m benchmarks.api_server --store postgresql --workers 1
    python -m benchmarks.api_server --set AIRFLOW__LOGGING__NAMESPACE_LEVELS=http.access=WARNING
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from benchmarks.receiver import GOAL_P99_MS, LOGIN, RAM_DISK, a_store, load, lost
from scripts.airflow_environment import airflow_environment
from scripts.ports import free_port
from scripts.real_airflow import end_session, session_of

RATES = (100, 200, 400, 600, 800, 1000, 1250, 1500, 1750, 2000, 2500, 3000)
START_SECONDS = 180
HEAD = f"{'':30} due/s    got/s   p50 ms   p99 ms   max ms  lost  CPU ms"
AIRFLOW = Path(sys.executable).parent / "airflow"
BARE_PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
from fastapi import FastAPI, Request, Response

app = FastAPI()

@app.post("/webhook")
async def take(request: Request) -> Response:
    await request.body()
    return Response()

class BarePlugin(AirflowPlugin):
    name = "bare"
    fastapi_apps = [{"app": app, "url_prefix": "/bare", "name": "bare"}]
"""


@dataclass(frozen=True)
class Target:
    """
    What the load goes to.

    :param name: For people.
    :param path: Where it is mounted.
    :param store: The URL of the store that deliveries must be in afterwards, if any.
    """

    name: str
    path: str
    store: str | None = None


class Server:
    """
    A running API server.

    :param port: Where it listens.
    :param leader: The process that leads its session.
    :param load_core: Where the generator runs.
    """

    def __init__(self, port: int, leader: int, load_core: int) -> None:
        self._port, self._leader, self._load_core = port, leader, load_core

    def holds(self, target: Target, rate: int, seconds: float) -> bool:
        """Load a target, count what arrived, and print a line."""
        run, total = secrets.token_hex(4), int(rate * seconds)
        spent = self._cpu_seconds()
        got = load(self._port, rate, seconds, run, path=target.path, core=self._load_core)
        spent = self._cpu_seconds() - spent
        intact = got["responses"] == {"200": total}
        missing = lost(target.store, run, total) if intact and target.store else None
        figures = "".join(f" {got[key]:>8}" for key in ("per_second", "p50_ms", "p99_ms", "max_ms"))
        cells = "-" if missing is None else missing
        print(f"{target.name:30}{rate:>6}{figures}{cells:>6}{1000 * spent / total:>8.2f}", flush=True)
        if not intact:
            print(f"{'':10}answers: {got['answers']}")
        return intact and not missing and got["p99_ms"] < GOAL_P99_MS

    def _cpu_seconds(self) -> float:
        times = [process.cpu_times() for process in session_of(self._leader)]
        return float(sum(spent.user + spent.system for spent in times))


def main() -> int:
    """Climb with each number of workers, and print the highest rates that held."""
    options = parse()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; {options.seconds:g} s per line"
    )
    lines = []
    with a_store(options.store, options.place) as store, a_home(options.place) as home:
        environment = configured(home, store) | dict(options.set)
        subprocess.run([AIRFLOW, "db", "migrate"], env=environment, check=True, capture_output=True)
        bare = Target("bare endpoint, stores nothing", "/bare/webhook")
        ours = Target(f"receiver, {options.store}", "/d360/webhook", store)
        for workers in options.workers:
            with api_server(environment, workers, home) as server:
                highest = climb(server, [bare, ours], options.rates, options.seconds)
            share = f"{highest[ours] / highest[bare]:.2f} of" if highest[bare] else "and"
            lines.append(f"{workers} worker(s): {highest[ours]} per second, {share} the bare {highest[bare]}")
    print(f"\nThe highest rates with a p99 under {GOAL_P99_MS:g} ms, no error, none lost")
    print("\n".join(lines))
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=numbers, default=[1, 2])
    parser.add_argument("--rates", type=numbers, default=RATES)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--place", default=RAM_DISK, help="where store and AIRFLOW_HOME are")
    parser.add_argument(
        "--set",
        type=lambda text: text.split("=", 1),
        action="append",
        default=[],
        metavar="VARIABLE=VALUE",
        help="set another environment variable of the API server",
    )
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    """Read numbers between commas."""
    return [int(number) for number in text.split(",")]


def climb(server: Server, targets: list[Target], rates: list[int], seconds: float) -> dict[Target, int]:
    """Find the highest rate that each target holds, turn by turn."""
    highest, climbing = dict.fromkeys(targets, 0), list(targets)
    for rate in rates:
        for target in list(climbing):
            if server.holds(target, rate, seconds) or server.holds(target, rate, seconds):
                highest[target] = rate
            else:
                climbing.remove(target)
    return highest


@contextmanager
def a_home(place: str) -> Iterator[Path]:
    """Make an AIRFLOW_HOME with the bare plugin in it."""
    with tempfile.TemporaryDirectory(prefix="d360-bench-home-", dir=place) as name:
        home = Path(name)
        for folder in ("plugins", "dags"):
            (home / folder).mkdir()
        (home / "plugins" / "bare.py").write_text(BARE_PLUGIN)
        yield home


def configured(home: Path, store: str) -> dict[str, str]:
    """Configure Airflow with the receiver, which finds its store as users name it."""
    parts = urlsplit(store)
    if parts.scheme == "sqlite":
        named = {"AIRFLOW__D360__STORE_PATH": parts.path[1:]}
    else:
        host = parse_qs(parts.query)["host"][0]  # the folder of its socket
        connection = {
            "conn_type": "postgres",
            "login": parts.username,
            "host": host,
            "schema": parts.path.strip("/"),
        }
        named = {"AIRFLOW_CONN_STORE": json.dumps(connection), "AIRFLOW__D360__STORE_CONN_ID": "store"}
    login = {"conn_type": "d360", "password": "key", "extra": LOGIN}
    return (
        airflow_environment(home, home / "dags")
        | named
        | {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",  # it makes a token for every request
            "AIRFLOW__D360__WEBHOOK_ENABLED": "True",
            "AIRFLOW_CONN_D360_DEFAULT": json.dumps(login),
        }
    )


@contextmanager
def api_server(environment: Mapping[str, str], workers: int, home: Path) -> Iterator[Server]:
    """Start the API server with its workers on the first cores; the generator gets the last."""
    cores = sorted(os.sched_getaffinity(0))
    theirs, load_core = set(cores[:workers]), cores[-1]
    shares = ", too: THEY TAKE FROM EACH OTHER" if load_core in theirs else ""
    print(f"\n{workers} worker(s) on cores {sorted(theirs)}, the load generator on core {load_core}{shares}")
    port, log = free_port(), home / f"api-server-{workers}.log"
    command = [str(AIRFLOW), "api-server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(workers)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=home,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    os.sched_setaffinity(process.pid, theirs)
    try:
        _wait_for(workers, port, log, process)
        print(HEAD)
        yield Server(port, process.pid, load_core)
    finally:
        end_session(process)


def _wait_for(workers: int, port: int, log: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait for the last worker: the port is open before the first, or may be somebody else's."""
    deadline = time.monotonic() + START_SECONDS
    while log.read_bytes().count(b"Application startup complete") < workers or not _healthy(port):
        if time.monotonic() > deadline or process.poll() is not None:
            sys.exit(
                f"the receiver does not start in the API server:\n{log.read_text(errors='replace')[-3000:]}"
            )
        time.sleep(0.5)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/d360/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())

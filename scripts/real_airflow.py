"""A whole Airflow for a while: `airflow standalone` in a folder with its REST API."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import psutil
import requests

from scripts.airflow_environment import USER, airflow_environment, server_environment
from scripts.ports import free_port

T = TypeVar("T")

START_SECONDS = 240
STOP_SECONDS = 10
REQUEST_SECONDS = 120  # while all cores run tasks, the API server is slow
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


class RealAirflowError(Exception):
    """Airflow did not start, stopped, or did not do something in time; the text holds the end of its log."""


class RealAirflow:
    """
    Runs Airflow as its users do, from ``__enter__`` to ``__exit__``, and leaves neither process nor file.

    :param dags: The folder with the DAGs.
    :param environment: Variables for Airflow, such as ``AIRFLOW_CONN_D360_DEFAULT``.
    :param tick: Called twice a second while something is waited for.
    """

    def __init__(
        self,
        dags: Path,
        environment: dict[str, str],
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.user, self.password = USER, secrets.token_hex(8)
        self._dags, self._environment, self._tick = dags, environment, tick
        self._rest = requests.Session()
        self._rest.trust_env = False  # no proxy stands between us and loopback
        self._stack = ExitStack()
        self._restarted: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> RealAirflow:
        with ExitStack() as stack:
            self.home = Path(tempfile.mkdtemp(prefix="airflow-"))
            stack.callback(shutil.rmtree, self.home, ignore_errors=True)
            stack.callback(self._rest.close)
            self._log = self.home / "standalone.log"
            passwords = self.home / "passwords.json"
            passwords.write_text(json.dumps({self.user: self.password}))
            self.environment = (
                airflow_environment(self.home, self._dags)
                | server_environment(self.url, passwords)
                | self._environment
            )
            self._process = self._start(stack, self._log, "standalone")
            self.wait_until_healthy()
            self._log_in()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def leader(self) -> int:
        """The process that leads Airflow's session."""
        return self._process.pid

    def start_scheduler(self) -> None:
        """Start one more scheduler; Airflow's database must be a PostgreSQL."""
        self._start(self._stack, self.home / "scheduler.log", "scheduler", "--skip-serve-logs")

        def both_alive() -> bool:
            jobs = self.get("/jobs?job_type=SchedulerJob&is_alive=true")
            return int(jobs["total_entries"]) == 2

        self.wait(both_alive, "the second scheduler", START_SECONDS)

    def start_workers(self, *names: str, slots: int) -> list[int]:
        """
        Start Celery workers, wait until they take tasks, and return the process id of each.

        :param names: Their names, as ``[celery]`` knows them.
        :param slots: How many tasks each runs at a time.
        """
        logs = [self.home / f"{name}.log" for name in names]
        quick = ["--concurrency", str(slots), "--skip-serve-logs", "--without-gossip", "--without-mingle"]
        workers = [
            self._start(
                self._stack, log, "celery", "worker", *quick, "--celery-hostname", name, "--pid", f"{log}.pid"
            )
            for name, log in zip(names, logs, strict=True)
        ]

        def ready() -> bool:
            return all(" ready." in log.read_text(errors="replace") for log in logs)

        self.wait(ready, "the Celery workers", START_SECONDS)
        return [worker.pid for worker in workers]

    def kill(self, component: str) -> None:
        """
        Kill a component with all its children, and start another one.

        :param component: ``api-server``, ``dag-processor``, ``scheduler`` or ``triggerer``.
        """
        self.take_down(component)
        self.start(component)

    def take_down(self, component: str) -> None:
        """Kill a component with all its children; see :meth:`kill`."""
        title = f"airflow {component.replace('-', '_')}"  # which the API server gives itself
        first = [one for one in session_of(self.leader) if one.ppid() == self.leader]
        later = [psutil.Process(one.pid) for one in self._restarted if one.poll() is None]
        alive = [one for one in [*first, *later] if one.status() != psutil.STATUS_ZOMBIE]
        (process,) = (
            one
            for one in alive
            if one.cmdline()[-1:] == [component] or " ".join(one.cmdline()).startswith(title)
        )
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                one.kill()

    def start(self, component: str) -> None:
        """Start a component that was taken down."""
        log = self.home / f"{component}-{len(self._restarted)}.log"
        self._restarted.append(self._start(self._stack, log, component))

    def run(self, dag_id: str, conf: Mapping[str, Any] | None = None, timeout_seconds: float = 120) -> str:
        """Unpause a DAG, start a run of it, wait for its end, and return the id of the run."""
        run_id = self.start_run(dag_id, conf)
        self.wait_for_end(dag_id, run_id, timeout_seconds)
        return run_id

    def start_run(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Unpause a DAG, start a run of it, and return the id of the run."""
        self.unpause(dag_id)
        run_id = f"manual__{datetime.now(timezone.utc).isoformat()}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}

        def started() -> bool:
            response = self._request("POST", f"/dags/{dag_id}/dagRuns", body)
            if not response.ok and response.status_code not in (409, 500):
                self._fail("POST", f"/dags/{dag_id}/dagRuns", response)
            return response.status_code != 500  # which Airflow says while its SQLite file is locked

        self.wait(started, f"a run of {dag_id} to be made")
        return run_id

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task with all its mapped instances, and what is upstream of it."""
        selection = {"dag_run_id": run_id, "task_ids": [task_id], "include_upstream": True}
        self.post(f"/dags/{dag_id}/clearTaskInstances", {**selection, "only_failed": False, "dry_run": False})

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler have a DAG, as soon as the DAG processor knows it."""

        def known() -> bool:
            response = self._request("PATCH", f"/dags/{dag_id}", {"is_paused": False})
            return response.ok

        self.wait(known, f"DAG {dag_id} to be read")

    def pause(self, dag_id: str) -> None:
        """Keep the scheduler from starting anything of a DAG."""
        self._checked("PATCH", f"/dags/{dag_id}", {"is_paused": True})

    def wait_for_end(self, dag_id: str, run_id: str, timeout_seconds: float = 120) -> str:
        """Wait until a run has ended, and return how: ``success`` or ``failed``."""

        def ended() -> str | None:
            state = str(self.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"])
            return state if state in {"success", "failed"} else None

        return self.wait(ended, f"{dag_id} {run_id} to end", timeout_seconds)

    def require_success(self, dag_id: str, run_id: str, timeout_seconds: float = 120) -> None:
        """Wait until a run has ended; if it failed, raise an error with the end of Airflow's log."""
        if self.wait_for_end(dag_id, run_id, timeout_seconds) != "success":
            tasks = self.tasks(dag_id, run_id)
            states = [(task["task_id"], task["map_index"], task["state"]) for task in tasks]
            raise RealAirflowError(f"{self.log_tail()}\n{dag_id} {run_id} failed: {states}")

    def wait_until_noticed(self, dag_id: str, run_id: str, tasks: int = 1) -> None:
        """
        Wait until the scheduler has noticed that the processes of tasks have ended that wait for something.

        Airflow 3.3 fails a task that goes on before. Only the scheduler's log tells.
        """
        marks = [run_id, *(task["id"] for task in self.tasks(dag_id, run_id))]

        def noticed() -> bool:
            logs = [self._log, *self.home.glob("scheduler*.log")]
            lines = (line for log in logs for line in log.read_text(errors="replace").splitlines())
            ends = (line for line in lines if "Received executor event with state success" in line)
            return sum(any(mark in line for mark in marks) for line in ends) >= tasks

        self.wait(noticed, f"the scheduler to notice that {tasks} of {dag_id} {run_id} wait", 240)

    def run_ids(self, dag_id: str) -> list[str]:
        return [run["dag_run_id"] for run in self.get(f"/dags/{dag_id}/dagRuns")["dag_runs"]]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run, as the REST API describes them."""
        response = self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=1000")
        return list(response["task_instances"])

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> str:
        """Return the log of one try, as the user interface shows it, line by line with all fields."""
        path = (
            f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}?map_index={map_index}"
        )
        return "\n".join(json.dumps(line, ensure_ascii=False) for line in self.get(path)["content"])

    def xcom(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Any:
        """Return what a task returned."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.get(f"{path}?map_index={map_index}")["value"]

    def get(self, path: str) -> Any:
        return self._checked("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._checked("POST", path, body)

    def wait(self, probe: Callable[[], T | None], what: str, timeout_seconds: float = 60) -> T:
        """Ask until the answer is true, and return it; give up when Airflow ends or the time is over."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            response = probe()
            if response:
                return response
            if self._process.poll() is not None:
                raise RealAirflowError(f"{self.log_tail()}\nAirflow ended while waiting for {what}")
            self._tick()
            time.sleep(0.5)
        raise RealAirflowError(f"{self.log_tail()}\nwaited {timeout_seconds:.0f} s for {what}")

    def log_tail(self, lines: int = 60) -> str:
        with self._log.open(errors="replace") as log:
            return "".join(deque(log, lines))

    def _start(self, stack: ExitStack, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Start an `airflow` command, and end it with the stack."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                [Path(sys.executable).parent / "airflow", *arguments],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        stack.callback(end_session, process)
        return process

    def wait_until_healthy(self) -> None:
        """Wait until each component says that it works: after the start, or after one was killed."""

        def healthy() -> bool:
            with suppress(requests.RequestException, KeyError):  # on a busy machine, it begins with errors
                health = self._rest.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
                return all(health[name]["status"] == "healthy" for name in COMPONENTS)
            return False

        self.wait(healthy, "each component of Airflow", START_SECONDS)

    def _log_in(self) -> None:
        response = self._rest.post(
            f"{self.url}/auth/token", json={"username": self.user, "password": self.password}, timeout=30
        )
        response.raise_for_status()
        self._rest.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        return self._rest.request(method, f"{self.url}/api/v2{path}", json=body, timeout=REQUEST_SECONDS)

    def _checked(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        response = self._request(method, path, body)
        if not response.ok:
            self._fail(method, path, response)
        return response.json()

    def _fail(self, method: str, path: str, response: requests.Response) -> NoReturn:
        raise RealAirflowError(f"{self.log_tail()}\n{method} {path}: {response.status_code} {response.text}")


def session_of(leader: int) -> list[psutil.Process]:
    """Return every living process of a session; `standalone` ends without most of its children."""
    processes = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(pid) == leader:
                processes.append(psutil.Process(pid))
    return [process for process in processes if process.is_running()]


def end_session(leader: subprocess.Popen[bytes]) -> None:
    """Ask every process of a session to end, and end what does not."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        members = session_of(leader.pid)
        for process in members:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(sign)
        psutil.wait_procs(members, timeout=STOP_SECONDS)
    leader.wait()

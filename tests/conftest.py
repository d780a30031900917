"""Where tests run: on this machine alone, with an Airflow home of their own, and their files in memory."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

# Databases wait for a disk at each commit, and no test is about a machine that loses its power.
_MEMORY, _ENOUGH_BYTES = "/dev/shm", 4 << 30  # noqa: S108
if "TMPDIR" not in os.environ and Path(_MEMORY).is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES:
    os.environ["TMPDIR"] = tempfile.tempdir = _MEMORY

_home = tempfile.mkdtemp(prefix="airflow-tests-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)

# Airflow reads these when it is imported, so they stand here and not in a fixture.
for _name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[_name]
os.environ["AIRFLOW_HOME"] = _home
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"


def _stay_on_this_machine(event: str, arguments: tuple[object, ...]) -> None:
    """Answer as a machine without network would, whatever a test tries to reach."""
    if event == "socket.getaddrinfo" and not _is_loopback(arguments[0]):
        raise socket.gaierror(socket.EAI_NONAME, f"tests stay on this machine, and not with {arguments[0]!r}")
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not _is_loopback(arguments[1][0]):
        raise OSError(f"tests stay on this machine, and not with {arguments[1]!r}")


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return name in (None, "", "localhost", "::1", "0.0.0.0") or str(name).startswith("127.")  # noqa: S104


sys.addaudithook(_stay_on_this_machine)

# Airflow is a million objects: to look for garbage among them after each 700 new ones is a tenth of the time.
gc.set_threshold(20_000)


@pytest.fixture(autouse=True)
def _no_remembered_ledger() -> Iterator[None]:
    """Let each test read its own configuration: a process remembers its ledger for a minute."""
    yield
    ledgers = sys.modules.get("airflow_provider_d360.hooks.ledgers")
    if ledgers is not None:
        ledgers._remembered.clear()


@pytest.fixture(autouse=True)
def _no_late_work() -> Iterator[None]:
    """Cancel what a receiver would log, or try again, a minute later: it would stand in the log of another test."""
    yield
    for thread in threading.enumerate():
        owner = getattr(getattr(thread, "function", None), "__self__", None)
        if isinstance(thread, threading.Timer) and type(owner).__name__ in ("ThrottledLog", "Background"):
            thread.cancel()


@pytest.fixture
def seen() -> Iterator[list[tuple[str, float, dict[str, str]]]]:
    """Collect the metrics that are recorded in this process."""
    from airflow_provider_d360 import metrics

    collected: list[tuple[str, float, dict[str, str]]] = []
    before = list(metrics._sinks)
    metrics.add_sink(lambda metric, value, tags: collected.append((metric.name, value, tags)))
    yield collected
    metrics._sinks[:] = before

"""What is counted reaches a StatsD server over a real socket; without one, nothing is looked up."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_d360 import metrics
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.hooks.d360 import D360Hook

pytest.importorskip(
    "statsd", reason="Airflow sends to StatsD with the package statsd, which is not installed"
)

ROOT = Path(__file__).parents[2]
TO = "4915112345689"


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen as StatsD does, and tell Airflow to send there, with tags."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        port = server.getsockname()[1]
        for name, value in {
            "STATSD_ON": "True",
            "STATSD_HOST": "127.0.0.1",
            "STATSD_PORT": str(port),
            "STATSD_PREFIX": "airflow",
            "STATSD_INFLUXDB_ENABLED": "True",
        }.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__{name}", value)
        yield server


# In a process of its own: Airflow sets its statistics up once in each.
SEND = """
import sys
from airflow_provider_d360.hooks.d360 import D360Hook
try:
    print(D360Hook().send(sys.argv[1], "Hi").message_id)
except Exception as error:
    print(type(error).__name__)
"""


def received(server: socket.socket) -> str:
    """Return the next line about this package; Airflow's own are left out."""
    while True:
        line = server.recv(4096).decode()
        if ".d360." in line:
            return line


def send(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", SEND, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_accepted_message_is_counted(d360_emulator, statsd):
    send(TO)
    line = received(statsd)
    assert line == "airflow.d360.messages.accepted,source=hook:1|c"
    assert len(d360_emulator.sent) == 1


def test_a_refused_message_is_counted_by_the_class_of_its_error(d360_emulator, statsd):
    d360_emulator.reject(131047)
    assert "D360RecipientError" in send(TO)
    assert received(statsd) == "airflow.d360.messages.refused,source=hook,error=D360RecipientError:1|c"


def test_a_message_that_may_have_been_sent_is_counted_as_unknown(d360_emulator, statsd):
    d360_emulator.fail_next(faults.accepted_and_cut_off(), path="/messages")
    assert "D360AmbiguousError" in send(TO)
    assert received(statsd) == "airflow.d360.messages.unknown,source=hook:1|c"


def test_a_statistics_server_that_is_away_fails_no_message(d360_emulator, statsd, monkeypatch):
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "no.such.host.invalid")
    send(TO)
    assert len(d360_emulator.sent) == 1


def test_a_held_message_is_not_counted_as_accepted(d360_emulator, seen):
    held = {"messages": [{"id": "wamid.H", "message_status": "held_for_quality_assessment"}]}
    d360_emulator.fail_next(faults.any_response(200, json.dumps(held)), path="/messages")
    D360Hook().send(TO, "Hi")
    assert seen == [("d360.messages.held", 1, {"source": "hook"})]


def test_a_message_that_was_sent_before_is_not_counted_again(d360_emulator, seen):
    for _ in range(2):
        D360Hook().send(TO, "Hi", idempotency_key="one")
    assert [name for name, *_ in seen] == ["d360.messages.accepted"]


def test_a_message_that_we_refuse_is_counted_as_well(d360_emulator, seen):
    with pytest.raises(Exception, match="empty"):
        D360Hook().send(TO, "")
    assert seen == [("d360.messages.refused", 1, {"source": "hook", "error": "D360RequestError"})]


def test_no_tag_holds_a_number_or_a_text(d360_emulator, seen):
    D360Hook().send(TO, "canary")
    d360_emulator.reject(131026)
    with pytest.raises(Exception, match="131026"):
        D360Hook().send(TO, "canary")
    assert len(seen) == 2
    assert not re.search(r"canary|\d{4}", str(seen))


def test_every_tag_of_a_metric_is_given(d360_emulator, seen):
    tags = {metric.name: set(metric.tags) for metric in metrics.METRICS}
    D360Hook().send(TO, "Hi")
    d360_emulator.reject(131026)
    with pytest.raises(Exception, match="131026"):
        D360Hook().send(TO, "Hi again")
    assert [set(given) for _, _, given in seen] == [tags[name] for name, *_ in seen]


def test_a_sink_that_fails_fails_no_message(d360_emulator, seen):
    def fail(*_: object) -> None:
        raise RuntimeError

    metrics.add_sink(fail)
    D360Hook().send(TO, "Hi")
    assert len(d360_emulator.sent) == 1


def test_while_airflow_counts_nothing_its_statistics_are_not_looked_up(d360_emulator):
    code = f"{SEND}\nfrom airflow_provider_d360.compat import airflow_stats\nprint(airflow_stats.cache_info().misses)"
    done = subprocess.run([sys.executable, "-c", code, TO], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "0", done.stderr
    assert len(d360_emulator.sent) == 1


@pytest.mark.skipif(airflow_version.startswith("3.1."), reason="Airflow 3.1 imports its statistics itself")
def test_while_airflow_counts_nothing_its_statistics_are_not_imported(d360_emulator):
    loaded = "[name for name in sys.modules if name.endswith(('airflow.stats', 'sdk.observability.stats'))]"
    code = f"{SEND}\nprint({loaded})"
    done = subprocess.run([sys.executable, "-c", code, TO], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert len(d360_emulator.sent) == 1

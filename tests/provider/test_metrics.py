"""What is counted reaches a StatsD server over a real socket; without one, nothing is looked up."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
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
# In a process of its own: Airflow sets its statistics up when it is imported. Each line on its input is a message.
SEND = """
import os, sys
from airflow_provider_d360.hooks.d360 import D360Hook
for line in sys.stdin:
    os.environ["AIRFLOW_CONN_D360_DEFAULT"] = line
    try:
        print(D360Hook().send("4915112345689", "Hi").message_id, flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
"""


class Counted:
    """
    An Airflow that counts, and what it tells StatsD.

    :param folder: Where its store is.
    :param host: The host of StatsD, as configured.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self._server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._server.bind(("127.0.0.1", 0))
        self._server.settimeout(20)
        options = {
            "STATSD_ON": "True",
            "STATSD_HOST": host,
            "STATSD_PORT": str(self._server.getsockname()[1]),
            "STATSD_PREFIX": "airflow",
            "STATSD_INFLUXDB_ENABLED": "True",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", SEND],
            env={
                **os.environ,
                **{f"AIRFLOW__METRICS__{name}": value for name, value in options.items()},
                "AIRFLOW__D360__STORE_PATH": f"{folder}/store.sqlite",
            },
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        )  # fmt: skip

    def send(self) -> str:
        """Send a message, and return its id, or the class of the error."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(os.environ["AIRFLOW_CONN_D360_DEFAULT"] + "\n")
        self._process.stdin.flush()
        lines = iter(self._process.stdout.readline, "")
        return next(line for line in lines if line.startswith(("wamid", "D360"))).strip()

    def received(self) -> str:
        """Return the next line about this package; Airflow's own are left out."""
        while True:
            line = self._server.recv(4096).decode()
            if ".d360." in line:
                return line

    def close(self) -> None:
        self._process.communicate()
        self._server.close()


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    with closing(Counted(tmp_path_factory.mktemp("counted"))) as counted:
        yield counted


def test_an_accepted_message_is_counted(d360_emulator, airflow):
    assert airflow.send().startswith("wamid")
    line = airflow.received()
    assert line == "airflow.d360.messages.accepted,source=hook:1|c"
    assert len(d360_emulator.sent) == 1


def test_a_refused_message_is_counted_by_the_class_of_its_error(d360_emulator, airflow):
    d360_emulator.reject(131047)
    assert airflow.send() == "D360RecipientError"
    assert airflow.received() == "airflow.d360.messages.refused,source=hook,error=D360RecipientError:1|c"


def test_a_message_that_may_have_been_sent_is_counted_as_unknown(d360_emulator, airflow):
    d360_emulator.fail_next(faults.accepted_and_cut_off(), path="/messages")
    assert airflow.send() == "D360AmbiguousError"
    assert airflow.received() == "airflow.d360.messages.unknown,source=hook:1|c"


def test_a_statistics_server_that_is_away_fails_no_message(d360_emulator, tmp_path):
    with closing(Counted(tmp_path, host="no.such.host.invalid")) as airflow:
        assert airflow.send().startswith("wamid")
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


def test_while_airflow_counts_nothing_its_statistics_are_neither_looked_up_nor_imported(d360_emulator):
    code = f"""{SEND}
from airflow_provider_d360.compat import airflow_stats
print(airflow_stats.cache_info().misses)
print([name for name in sys.modules if name.endswith(("airflow.stats", "sdk.observability.stats"))])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], input=os.environ["AIRFLOW_CONN_D360_DEFAULT"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    *_, misses, imported = done.stdout.splitlines()
    assert misses == "0", done.stderr
    assert imported == "[]" or airflow_version.startswith("3.1.")  # which imports its statistics itself
    assert len(d360_emulator.sent) == 1

"""``python -m airflow_provider_d360.receiver``."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from contextlib import closing

import pytest

from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.receiver.__main__ import main
from airflow_provider_d360.store import Store
from tests.receiver.doors import Process, post, statuses

LOGIN = {"webhook_username": "d360", "webhook_password": "secret"}


def connection(**extra: object) -> str:
    return json.dumps({"conn_type": "d360", "password": "key", "extra": extra})


def test_it_serves_until_it_is_told_to_end(tmp_path):
    url = f"sqlite:///{tmp_path}/store.sqlite"
    environment = {**os.environ, "AIRFLOW_CONN_MINE": connection(**LOGIN)}
    receiver = Process(
        "airflow_provider_d360.receiver", "--store", url, "--conn-id", "mine", environment=environment
    )
    assert post(receiver.port, statuses(("a", "sent"))) == 200
    assert post(receiver.port, statuses(("b", "sent")), {}) == 401
    assert post(receiver.port, b"", {}, "/health", "GET") == 200
    assert receiver.stop() in (0, -15)
    store = Store(url)
    assert store.statuses.current("ab").keys() == {"a"}
    store.close()


def test_by_default_its_store_is_in_its_airflow_home(tmp_path):
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW_CONN_D360_DEFAULT": connection(**LOGIN),
    }
    receiver = Process("airflow_provider_d360.receiver", environment=environment)
    assert post(receiver.port, statuses(("a", "sent"))) == 200
    receiver.kill()
    with closing(Store(f"sqlite:///{tmp_path}/d360.sqlite")) as store:
        assert store.statuses.current("a").keys() == {"a"}


def test_it_says_that_it_is_up_and_where(tmp_path):
    url = f"sqlite:///{tmp_path}/store.sqlite"
    command = [sys.executable, "-m", "airflow_provider_d360.receiver", "--store", url, "--conn-id", "mine"]
    environment = {**os.environ, "AIRFLOW_CONN_MINE": connection(**LOGIN)}
    with subprocess.Popen(
        [*command, "--port", "0"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = next(line for line in process.stdout if line.startswith("The receiver is up"))
        rest = process.stdout.readline() + process.stdout.readline()
        [port] = map(int, re.findall(r"http://127.0.0.1:([0-9]+)/webhook", first))
        assert post(port, statuses(("a", "sent"))) == 200
        process.terminate()
    assert f"http://127.0.0.1:{port}/health" in rest
    assert f"{tmp_path}/store.sqlite" in rest
    assert "secret" not in first + rest


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--conn-id", "without_login"], "No credentials are configured"),
        (["--conn-id", "nowhere"], "nowhere"),
        (["--store", "mysql://there/store"], "SQLite file (sqlite:////…) or a PostgreSQL"),
        (["--store", "sqlite:////no/such/place/store.sqlite"], "not available"),
        (["--store", "garbage"], "SQLite file (sqlite:////…) or a PostgreSQL"),
        (["--store", "postgresql://u:p@h:5x/d"], "SQLite file (sqlite:////…) or a PostgreSQL"),
        (["purge", "--days", "-1"], "must not be negative"),
    ],
)
def test_it_does_not_start_when_something_is_wrong(monkeypatch, capsys, arguments, problem):
    monkeypatch.setenv("AIRFLOW_CONN_WITHOUT_LOGIN", connection())
    assert main(arguments) == 1
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("STORE_CONN_ID", "nowhere", "nowhere"),
        ("STORE_RETENTION_DAYS", "thirty", "thirty"),
        ("WEBHOOK_MAX_BODY_BYTES", "3MB", "webhook_max_body_bytes"),
    ],
)
def test_an_option_that_is_wrong_is_one_line(monkeypatch, capsys, tmp_path, option, value, named):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", connection(webhook_username="u", webhook_password="p"))
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", f"{tmp_path}/store.sqlite")
    monkeypatch.setenv(f"AIRFLOW__D360__{option}", value)
    assert main(["purge"] if "STORE" in option else []) == 1
    assert named in capsys.readouterr().err


def test_a_purge_says_what_it_removed(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/store.sqlite"
    store = Store(url)
    store.add([StatusEvent("old", "sent")], time.time() - 40 * 86_400)
    store.add([StatusEvent("new", "sent")], time.time())
    assert main(["purge", "--store", url]) == 0
    assert (
        capsys.readouterr().out
        == "statuses: 1 removed\ninbox: 0 removed\nledger: 0 removed\nalerts: 0 removed\nalert_history: 0 removed\nnotices: 0 removed\nsuppressions: 0 removed\ncampaigns: 0 removed\ncursors: 0 removed\nquestions: 0 removed\n"
    )
    assert store.statuses.current(["old", "new"]).keys() == {"new"}
    assert main(["purge", "--store", url, "--days", "0"]) == 0
    assert store.count()["statuses"] == 0
    store.close()


def test_it_serves_its_metrics(tmp_path):
    environment = {**os.environ, "AIRFLOW_CONN_MINE": connection(**LOGIN)}
    arguments = ["--store", f"sqlite:///{tmp_path}/store.sqlite", "--conn-id", "mine"]
    receiver = Process("airflow_provider_d360.receiver", *arguments, environment=environment)
    assert post(receiver.port, statuses(("a", "sent"))) == 200
    with closing(http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)) as client:
        client.request("GET", "/metrics")
        text = client.getresponse().read().decode()
    assert 'd360_receiver_deliveries_total{status="200"} 1.0' in text
    receiver.stop()

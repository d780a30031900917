"""Alerts about DAGs that name no notifier, from a whole Airflow with ``[d360] alert_to``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.emulator.records import Number
from scripts.real_airflow import RealAirflow, session_of

KEY = "every-dag-canary-key"
NUMBER = "4915199988866"
SPELLING = "+49 151 999 888 66"

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def dags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alerting") / "dags"
    shutil.copytree(Path(__file__).parent / "dags_without_notifiers", folder)
    return folder


@pytest.fixture(scope="module")
def airflow(dags, server, emulator):
    """An Airflow whose people on call stand in a variable, as its connection stands in its database."""
    emulator.numbers[KEY] = Number(KEY, CLOUD, "4930123456798")
    with RealAirflow(dags, {"AIRFLOW__D360__ALERT_TO": "{{ var.value.on_call }}"}) as airflow:
        airflow.post("/connections", {"connection_id": "d360_default", "conn_type": "d360", "host": server.url, "password": KEY})  # fmt: skip
        airflow.post("/variables", {"key": "on_call", "value": SPELLING})
        yield airflow
    assert session_of(airflow.leader) == []


def texts(emulator):
    return [message.body["text"]["body"] for message in emulator.sent if message.to == NUMBER]


def about(emulator, headline, dag):
    return [text for text in texts(emulator) if text.startswith(f"{headline}\nDAG: {dag}\n")]


def import_errors(airflow):
    return {error["filename"]: error for error in airflow.get("/importErrors")["import_errors"]}


def test_a_failed_run_of_a_dag_that_names_no_notifier_is_one_alert_and_its_next_success_another(
    airflow, emulator
):
    failed = airflow.run("plain", {"fail": True})
    airflow.wait(lambda: about(emulator, "🔴 DAG failed", "plain"), "the alert")
    succeeded = [airflow.run("plain") for _ in range(2)]
    airflow.wait(lambda: about(emulator, "🟢 DAG recovered", "plain"), "the recovery")
    found = [text for text in texts(emulator) if "\nDAG: plain\n" in text]
    assert [text.splitlines()[0] for text in found] == ["🔴 DAG failed", "🟢 DAG recovered"]
    assert f"\nRun: {failed}\n" in found[0]
    assert f"\nRun: {succeeded[0]}\n" in found[1]


def test_a_broken_dag_file_is_one_alert_until_its_error_changes(airflow, emulator, dags):
    file = dags / "folder" / "broken.py"
    file.parent.mkdir()
    headline, name = "🔴 DAG file cannot be read", "folder/broken.py"
    file.write_text("from airflow.sdk import DAG\nimport no_such_module\n")
    airflow.wait(lambda: about(emulator, headline, name), "the alert about the file")
    first = import_errors(airflow)[name]["timestamp"]
    file.write_text("from airflow.sdk import DAG\n\nimport no_such_module\n")
    airflow.wait(lambda: import_errors(airflow)[name]["timestamp"] != first, "the file to be read again", 120)
    assert about(emulator, headline, name) == [
        f"{headline}\nDAG: {name}\nModuleNotFoundError: No module named 'no_such_module'\n{airflow.url}"
    ]
    file.write_text("from airflow.sdk import DAG\nraise ValueError('other')\n")
    airflow.wait(lambda: len(about(emulator, headline, name)) == 2, "the alert about another error", 120)
    assert "\nValueError: other\n" in about(emulator, headline, name)[1]


def test_no_log_holds_the_number_or_the_key(airflow, emulator):
    files = [file for file in airflow.home.rglob("*") if file.is_file() and file.suffix in (".log", "")]
    logs = "\n".join(file.read_text(errors="replace") for file in files if ".sqlite" not in file.name)
    assert "Alert accepted for 49…66" in logs
    assert [private for private in (KEY, NUMBER, SPELLING) if private in logs] == []

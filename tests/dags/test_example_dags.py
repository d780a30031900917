"""Every example, through `airflow dags test` in a process of its own: what counts is what got sent."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version as installed
from pathlib import Path

import pytest

from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer
from airflow_provider_d360.emulator.records import SentMessage
from airflow_provider_d360.emulator.server import connection_json
from airflow_provider_d360.store import Store
from scripts.real_airflow import airflow_environment
from tests.dags.forked_airflow import run_airflow

FOLDER = Path(__file__).parents[2] / "example_dags"
RECIPIENT = "447700900123"


def nothing(emulator: Emulator) -> None:
    """Leave an emulator as it is."""


def refuse_the_recipient(emulator: Emulator) -> None:
    emulator.reject(131026, to=RECIPIENT)


def _two_messages_the_second_a_reply(emulator, output):
    greeting, chart = emulator.sent
    assert greeting.to == chart.to == RECIPIENT
    assert greeting.body["text"]["body"].startswith("Hello! The report of 20")
    assert chart.body["image"]["link"] == "https://www.example.com/chart.png"
    assert chart.body["context"] == {"message_id": greeting.message_id}


def _a_template_with_a_value_from_another_task(emulator, output):
    (report,) = emulator.sent
    assert report.body["template"] == {
        "name": "daily_report",
        "language": {"policy": "deterministic", "code": "en"},
        "components": [
            {
                "type": "body",
                "parameters": [{"type": "text", "text": "Ada"}, {"type": "text", "text": "1,204"}],
            }
        ],
    }


def _one_message_for_each_recipient(emulator, output):
    assert sorted(sent.to for sent in emulator.sent) == ["12025550143", RECIPIENT, "447700900456"]
    assert len({json.dumps(sent.body["text"]) for sent in emulator.sent}) == 1
    assert "3 messages accepted" in output


def _the_webhook_is_set(emulator, output):
    webhook = emulator.numbers[CLOUD_KEY].webhook
    assert webhook is not None
    assert webhook.url == "https://hooks.example.com/whatsapp"
    assert "Before, deliveries went to nobody" in output
    assert emulator.sent == []


def _the_message_arrives_and_no_email_is_written(emulator, output):
    assert [sent.to for sent in emulator.sent] == [RECIPIENT]
    assert "Nothing else to do" in output
    assert "Here an email would be written" not in output


def _nothing_is_sent_and_an_email_is_written(emulator, output):
    assert emulator.sent == []
    assert [request.path for request in emulator.requests] == ["/messages"]
    assert "Here an email would be written" in output
    assert "Nothing else to do" not in output


# In `airflow dags test`, and there only, Airflow before 3.3 keeps the error from callbacks.
ERROR = ["ValueError: no orders since midnight"] if installed("apache-airflow") >= "3.3" else []


def _one_alert_goes_out(emulator, output):
    (alert,) = emulator.sent
    assert alert.to == RECIPIENT
    assert "Alert accepted for 44…23" in output
    assert alert.body["template"]["name"] == "airflow_alert"
    values = [value["text"] for value in alert.body["template"]["components"][0]["parameters"]]
    assert values[:3] == ["Task failed", "example_d360_alert_on_failure", "load_orders"]
    assert values[5] == (ERROR or ["-"])[0]


def _a_document_goes_out_and_another_one_to_two_people(emulator, output):
    assert sorted(sent.to for sent in emulator.sent) == ["12025550143", RECIPIENT, RECIPIENT]
    names = sorted(sent.body["document"]["filename"] for sent in emulator.sent)
    assert names == ["orders.csv", "orders.csv", "report.csv"]
    (left,) = emulator.media.stored.values()
    assert (left.content, left.mime_type) == (b"day,orders\nMonday,1204\n", "text/plain")
    assert left.media_id in {sent.body["document"]["id"] for sent in emulator.sent}


def _a_template_comes_and_goes(emulator, output):
    (greeting,) = emulator.sent
    assert greeting.body["template"]["name"] == "welcome"
    assert "Template welcome in en_US is approved" in output
    assert emulator.templates.stored == []


def _two_files_wait(emulator: Emulator) -> None:
    emulator.media.add(b"%PDF-1.7", "application/pdf", media_id="1234567890123456")
    emulator.media.add(b"\xff\xd8\xff", "image/jpeg", media_id="1234567890123457")


def _two_files_arrive(emulator, output):
    (line,) = [line for line in output.splitlines() if "Downloaded /" in line]
    assert "/inbox/1234567890123456.pdf, " in line
    assert "/inbox/1234567890123457.jp" in line


def _statuses_reach_the_store(emulator: Emulator) -> None:
    """Stand in for the receiver, which has tests of its own: write each status where Airflow's store is."""
    store = Store(f"sqlite:///{emulator.store_path}")  # type: ignore[attr-defined]

    def tell(sent: SentMessage) -> None:
        statuses = [{"id": sent.message_id, "status": status} for status in sent.statuses]
        store.add(read_events({"statuses": statuses}), time.time())

    emulator.on_change = tell


def _both_waits_end(emulator, output):
    (sent,) = emulator.sent
    assert sent.to == RECIPIENT
    assert re.search(f"Message {short_id(sent.message_id)} is (delivered|read)", output)
    assert "The recipient has seen it: read" in output


def _an_empty_store_stays_empty(emulator, output):
    assert "'statuses': 0" in output


def _the_profile_is_set_and_nobody_stays_blocked(emulator, output):
    assert "The profile says: Open from 9 to 5" in output
    assert "Blocked 1, failed 0" in output
    assert emulator.settings[CLOUD_KEY].blocked == []


# Example, what is done to the emulator before, and what is true afterwards.
Prepare = Callable[[Emulator], None]
Expect = Callable[[Emulator, str], None]
EXPECTATIONS: list[tuple[str, Prepare, Expect]] = [
    ("example_d360_send_message", nothing, _two_messages_the_second_a_reply),
    ("example_d360_send_template", nothing, _a_template_with_a_value_from_another_task),
    ("example_d360_fan_out", nothing, _one_message_for_each_recipient),
    ("example_d360_configure_webhook", nothing, _the_webhook_is_set),
    ("example_d360_branch_on_error", nothing, _the_message_arrives_and_no_email_is_written),
    ("example_d360_branch_on_error", refuse_the_recipient, _nothing_is_sent_and_an_email_is_written),
    ("example_d360_alert_on_failure", nothing, _one_alert_goes_out),
    ("example_d360_send_document", nothing, _a_document_goes_out_and_another_one_to_two_people),
    ("example_d360_template_lifecycle", nothing, _a_template_comes_and_goes),
    ("example_d360_download_media", _two_files_wait, _two_files_arrive),
    ("example_d360_wait_until_delivered", _statuses_reach_the_store, _both_waits_end),
    ("example_d360_purge_store", nothing, _an_empty_store_stays_empty),
    ("example_d360_account", nothing, _the_profile_is_set_and_nobody_stays_blocked),
]
Run = Callable[[str, Prepare], "Future[tuple[Emulator, int, str]]"]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an ``AIRFLOW_HOME`` with an empty database."""
    home = tmp_path_factory.mktemp("airflow")
    environment = airflow_environment(home, FOLDER)
    with pytest.MonkeyPatch.context() as patch:  # Airflow is imported in the environment of the first process
        for name in set(os.environ) - set(environment):
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        output = home / "migration.log"
        assert run_airflow(["db", "migrate"], environment, output) == 0, output.read_text()
    return home


@pytest.fixture(scope="session")
def runs(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Start runs, two at a time."""

    def run(dag_id: str, prepare: Prepare) -> tuple[Emulator, int, str]:
        folder = tmp_path_factory.mktemp(dag_id)
        shutil.copy(migrated / "airflow.db", folder)
        dags = folder / "dags"  # of this example alone: `dags test` would parse all of them
        dags.mkdir()
        shutil.copy(FOLDER / f"{dag_id}.py", dags)
        emulator = Emulator()
        emulator.store_path = folder / "d360.sqlite"  # type: ignore[attr-defined]
        prepare(emulator)
        with EmulatorServer(emulator) as server:
            environment = airflow_environment(migrated, dags) | {
                "AIRFLOW_CONN_D360_DEFAULT": connection_json(server.url, CLOUD_KEY, "cloud"),
                "AIRFLOW_VAR_ON_CALL": RECIPIENT,
                "AIRFLOW__D360__STORE_PATH": str(folder / "d360.sqlite"),
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
            }
            code = run_airflow(["dags", "test", dag_id], environment, folder / "output")
        return emulator, code, (folder / "output").read_text()

    with ThreadPoolExecutor(max_workers=2) as pool:
        started = {
            (dag_id, prepare): pool.submit(run, dag_id, prepare) for dag_id, prepare, _ in EXPECTATIONS
        }
        yield lambda dag_id, prepare: started[dag_id, prepare]
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("dag_id", "prepare", "expect"), EXPECTATIONS)
def test_an_example_does_what_it_says(runs, dag_id, prepare, expect):
    emulator, code, output = runs(dag_id, prepare).result()
    assert code == 0, output
    expect(emulator, output)


def test_every_example_has_an_expectation():
    assert {file.stem for file in FOLDER.glob("*.py")} == {dag_id for dag_id, *_ in EXPECTATIONS}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_an_example_is_one_screen_that_explains_itself(file):
    source = file.read_text()
    assert len(source.splitlines()) <= 60
    assert "d360_default" in (ast.get_docstring(ast.parse(source)) or "")
    assert f'DAG("{file.stem}"' in source.replace("DAG(\n    ", "DAG(")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_an_example_has_tags_and_sends_nothing_by_itself(file):
    source = file.read_text()
    assert 'tags=["example", "whatsapp"]' in source
    assert re.findall(r"schedule=(None|[^,)]+)", source)[0] == (
        "None" if "purge" not in file.stem else '"@daily"'
    )

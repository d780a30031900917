"""Every example, through `airflow dags test` in a process of its own: what counts is what got sent."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer
from airflow_provider_d360.emulator.server import connection_json
from scripts.real_airflow import airflow_environment

FOLDER = Path(__file__).parents[2] / "example_dags"
AIRFLOW = Path(sys.executable).parent / "airflow"
TIMEOUT_SECONDS = 180
RECIPIENT = "4915123456789"


def nothing(emulator: Emulator) -> None:
    """Leave an emulator as it is."""


def refuse_the_recipient(emulator: Emulator) -> None:
    emulator.refuse(131026, to=RECIPIENT)


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
    assert sorted(sent.to for sent in emulator.sent) == ["12025550143", "33612345678", RECIPIENT]
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
]
Run = Callable[[str, Prepare], "Future[tuple[Emulator, subprocess.CompletedProcess[str]]]"]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("airflow")
    subprocess.run(
        [AIRFLOW, "db", "migrate"], check=True, capture_output=True, env=airflow_environment(home, FOLDER)
    )
    return home


@pytest.fixture(scope="session")
def runs(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Start runs two at a time: nearly all of their time goes into importing Airflow."""

    def run(dag_id: str, prepare: Prepare) -> tuple[Emulator, subprocess.CompletedProcess[str]]:
        home = tmp_path_factory.mktemp(dag_id) / "home"
        shutil.copytree(migrated, home)
        emulator = Emulator()
        prepare(emulator)
        with EmulatorServer(emulator) as server:
            connection = connection_json(server.url, CLOUD_KEY, "cloud")
            environment = airflow_environment(home, FOLDER) | {"AIRFLOW_CONN_D360_DEFAULT": connection}
            done = subprocess.run(
                [AIRFLOW, "dags", "test", dag_id],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env=environment, timeout=TIMEOUT_SECONDS,
            )  # fmt: skip
        return emulator, done

    with ThreadPoolExecutor(max_workers=2) as pool:
        started = {
            (dag_id, prepare): pool.submit(run, dag_id, prepare) for dag_id, prepare, _ in EXPECTATIONS
        }
        yield lambda dag_id, prepare: started[dag_id, prepare]
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("dag_id", "prepare", "expect"), EXPECTATIONS)
def test_an_example_does_what_it_says(runs, dag_id, prepare, expect):
    emulator, done = runs(dag_id, prepare).result()
    assert done.returncode == 0, done.stdout
    expect(emulator, done.stdout)


def test_every_example_has_an_expectation():
    assert {file.stem for file in FOLDER.glob("*.py")} == {dag_id for dag_id, *_ in EXPECTATIONS}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_an_example_is_one_screen_that_explains_itself(file):
    source = file.read_text()
    assert len(source.splitlines()) <= 60
    assert "d360_default" in (ast.get_docstring(ast.parse(source)) or "")
    assert f'DAG("{file.stem}"' in source.replace("DAG(\n    ", "DAG(")

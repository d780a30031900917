"""Every example, through `airflow dags test` in a process of its own: what counts is what got sent."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from importlib.metadata import version as installed
from pathlib import Path

import pytest

from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer, Webhook
from airflow_provider_d360.emulator.records import SentMessage
from airflow_provider_d360.emulator.server import connection_json
from airflow_provider_d360.store import Store
from scripts.airflow_environment import airflow_environment
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


def _nothing_was_due(emulator, output):
    assert "0 sent, 0 kept, 0 given up" in output
    assert emulator.sent == []


def _an_empty_store_stays_empty(emulator, output):
    assert "'statuses': 0" in output


def _the_profile_is_set_and_nobody_stays_blocked(emulator, output):
    assert "The profile says: Open from 9 to 5" in output
    assert "Blocked 1, failed 0" in output
    assert emulator.settings[CLOUD_KEY].blocked == []


def _whoever_opted_out_is_skipped(emulator, output):
    (sent,) = emulator.sent
    assert sent.to == "447700900124"
    assert "asked for no more marketing messages" in output


def _five_hundred_customers(emulator: Emulator) -> None:
    """Fill the database of the connection ``shop``, and let the template of the sale be approved."""
    with closing(sqlite3.connect(emulator.store_path.parent / "shop.sqlite")) as shop:  # type: ignore[attr-defined]
        shop.execute("CREATE TABLE customers (id INTEGER, phone TEXT, first_name TEXT)")
        customers = [(number, f"+49 151 00{number:06}", f"Ann {number}") for number in range(500)]
        shop.executemany("INSERT INTO customers VALUES (?, ?, ?)", customers)
        shop.commit()
    body = {"type": "BODY", "text": "Hello {{1}}, our sale has begun.", "example": {"body_text": [["Ann"]]}}
    content = {"name": "spring_sale", "language": "en", "category": "MARKETING", "components": [body]}
    emulator.templates.add(content, status="approved")
    _statuses_reach_the_store(emulator)


def _all_customers_get_one_message(emulator, output):
    assert Counter(sent.to for sent in emulator.sent) == {f"4915100{number:06}": 1 for number in range(500)}
    names = {sent.body["template"]["components"][0]["parameters"][0]["text"] for sent in emulator.sent}
    assert names == {f"Ann {number}" for number in range(500)}


def _a_broadcast_reports(emulator, output):
    _all_customers_get_one_message(emulator, output)
    assert "500 tried, 0 failed, 0 unknown" in output
    assert "15100000" not in output


def _a_tenth_of_the_first_customers_fail(emulator: Emulator) -> None:
    _five_hundred_customers(emulator)
    for number in range(0, 200, 10):
        emulator.set_statuses(["sent", "failed:131026"], to=f"4915100{number:06}")


def _only_the_first_customers_get_a_message(emulator, output):
    assert Counter(sent.to for sent in emulator.sent) == {f"4915100{number:06}": 1 for number in range(200)}
    assert "must not go on: more than 5 % failed: 200 tried" in output


def _store_of(emulator: Emulator) -> Store:
    return Store(f"sqlite:///{emulator.store_path}")  # type: ignore[attr-defined]


def _deliver(emulator: Emulator, store: Store, message_id: str) -> None:
    """Stand in for the receiver, as above: what a person does comes into the store."""
    for delivery in emulator.deliveries:
        if delivery.message_id == message_id:
            store.add(read_events(delivery.body), time.time())


def _connect(emulator: Emulator) -> None:
    emulator.numbers[CLOUD_KEY].webhook = Webhook("http://127.0.0.1:9/nobody")
    emulator.retry_delays_seconds = ()
    emulator.set_statuses([])


def _answer_with(emulator: Emulator, answer: Callable[[SentMessage, int], str | None]) -> None:
    """Let people answer what they get: by the id of what they do; None for who does nothing."""
    _connect(emulator)
    store = _store_of(emulator)
    seen: list[str] = []

    def react(sent: SentMessage) -> None:
        seen.append(sent.message_id)
        message_id = answer(sent, len(seen))
        if message_id is not None:
            _deliver(emulator, store, message_id)

    emulator.on_change = react


def _two_of_three_approve(emulator: Emulator) -> None:
    def answer(sent: SentMessage, number: int) -> str | None:
        return emulator.tap(sent.message_id, "Approve") if number != 2 else None

    _answer_with(emulator, answer)


def _the_first_rejects_and_so_does_the_second(emulator: Emulator) -> None:
    _answer_with(
        emulator, lambda sent, number: emulator.tap(sent.message_id, "Reject") if number < 3 else None
    )


def _it_is_deployed_by_two(emulator, output):
    assert [sent.to for sent in emulator.sent] == [RECIPIENT, "447700900456", "12025550143"]
    assert "Deploying: approved by 44…23 and 12…43" in output


def _nothing_is_deployed(emulator, output):
    assert len(emulator.sent) == 3
    assert "what is downstream is skipped" in output
    assert "Deploying" not in output


def _the_customer_answers_at_the_second_try(emulator: Emulator) -> None:
    answers = {1: "Somewhere in Berlin", 2: "Beispielweg 1, 10115 Berlin", 3: "No, thanks"}

    def answer(sent: SentMessage, number: int) -> str | None:
        is_last = number == 3
        if number not in answers:
            return None
        reply_to = sent.message_id if is_last else None
        return emulator.receive(answers[number], sender=sent.to, reply_to=reply_to)

    _answer_with(emulator, answer)


def _the_address_is_saved(emulator, output):
    question, hint, thanks = emulator.sent
    assert question.body["text"]["body"].startswith("Where shall we send your order 4711?")
    assert hint.body["text"]["body"].startswith("We need street, postcode and town")
    assert thanks.body["text"]["body"].startswith("Thank you.")
    assert "Address saved" in output
    assert "Beispielweg" not in output


def _somebody_and_a_stranger_write(emulator: Emulator) -> None:
    _connect(emulator)
    store = _store_of(emulator)
    for text, sender in (("Deploy!", RECIPIENT), ("deploy", "4915199999999"), ("hello", RECIPIENT)):
        _deliver(emulator, store, emulator.receive(text, sender=sender))


def _one_run_is_started(emulator, output):
    assert "Cursor commands: 1 messages" in output
    marks = [request for request in emulator.requests if b"typing_indicator" in request.body]
    assert len(marks) == 1


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
    ("example_d360_approval", _two_of_three_approve, _it_is_deployed_by_two),
    ("example_d360_approval", _the_first_rejects_and_so_does_the_second, _nothing_is_deployed),
    ("example_d360_ask_address", _the_customer_answers_at_the_second_try, _the_address_is_saved),
    ("example_d360_keywords", _somebody_and_a_stranger_write, _one_run_is_started),
    ("example_d360_purge_store", nothing, _an_empty_store_stays_empty),
    ("example_d360_opt_out", nothing, _whoever_opted_out_is_skipped),
    ("example_d360_deliver_due", nothing, _nothing_was_due),
    ("example_d360_broadcast", _five_hundred_customers, _a_broadcast_reports),
    ("example_d360_campaign", _five_hundred_customers, _all_customers_get_one_message),
    ("example_d360_campaign", _a_tenth_of_the_first_customers_fail, _only_the_first_customers_get_a_message),
    ("example_d360_campaign_shards", _five_hundred_customers, _all_customers_get_one_message),
    ("example_d360_account", nothing, _the_profile_is_set_and_nobody_stays_blocked),
]
FAILS = {_a_tenth_of_the_first_customers_fail}  # the others end with success
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
        migration = run_airflow(["db", "migrate"], environment, home)
        assert migration.returncode == 0, migration.stderr
    return home


@pytest.fixture(scope="session")
def runs(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Start runs, four at a time: they wait as much as they compute."""

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
                "AIRFLOW_CONN_SHOP": json.dumps({"conn_type": "sqlite", "host": f"{folder}/shop.sqlite"}),
                "AIRFLOW_VAR_OPENS": "00:00",
                "AIRFLOW_VAR_CLOSES": "23:59",
                "AIRFLOW_VAR_ON_CALL": RECIPIENT,
                "AIRFLOW__D360__STORE_PATH": str(folder / "d360.sqlite"),
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
            }
            ended = run_airflow(["dags", "test", dag_id], environment, folder)
        return emulator, ended.returncode, ended.stdout + ended.stderr

    with ThreadPoolExecutor(max_workers=4) as pool:
        started = {
            (dag_id, prepare): pool.submit(run, dag_id, prepare) for dag_id, prepare, _ in EXPECTATIONS
        }
        yield lambda dag_id, prepare: started[dag_id, prepare]
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("dag_id", "prepare", "expect"), EXPECTATIONS)
def test_an_example_does_what_it_says(runs, dag_id, prepare, expect):
    emulator, code, output = runs(dag_id, prepare).result()
    assert code == (1 if prepare in FAILS else 0), output
    expect(emulator, output)


# `airflow dags test` waits for a person for ever; tests/system/test_conversations.py answers such a DAG.
WAITS_FOR_A_PERSON = {"example_d360_hitl"}


def test_every_example_has_an_expectation():
    expected = {dag_id for dag_id, *_ in EXPECTATIONS} | WAITS_FOR_A_PERSON
    assert {file.stem for file in FOLDER.glob("*.py")} == expected


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
    schedules = {
        "example_d360_purge_store": '"@daily"',
        "example_d360_keywords": "[commands]",
        "example_d360_deliver_due": '"* * * * *"',  # what it sends, other DAGs have failed to
    }
    assert re.findall(r"schedule=(None|[^,)]+)", source)[0] == schedules.get(file.stem, "None")

"""Messages of which nobody knows whether they went out, on the command line."""

import re
import subprocess
import sys
import time

import airflow
import pytest

from airflow_provider_d360 import cli
from airflow_provider_d360.cli.stores import NO_STORE
from airflow_provider_d360.cli.unknown import NOT_THERE
from airflow_provider_d360.store import State
from tests import programs
from tests.recorded import NUMBER, outside, record

pytestmark = pytest.mark.usefixtures("client")


@pytest.fixture
def lost(store):
    """Return one message of each unsettled state."""
    old = time.time() - 700
    return [
        record(store, state=State.UNKNOWN, at=1_780_000_000.0, run_id="manual__1", map_index=3),
        record(store, state=State.WITHHELD, at=1_780_000_001.0),
        record(store, state=State.UNKNOWN, at=1_780_000_002.0, **outside()),
        record(store, state=State.INTENDED, at=old, source="alert", task_id=""),
    ]


def run(capsys, *arguments):
    code = cli.main(["unknown", *arguments])
    out, error = capsys.readouterr()
    assert NUMBER not in out + error
    return code, out, error


def states(store, entries):
    return [store.ledger.find(entry.id).state.value for entry in entries]


def test_the_list_shows_what_is_unsettled_oldest_first_and_nothing_else(store, lost, capsys):
    record(store, "m1")
    record(store, state=State.REFUSED)
    record(store, state=State.INTENDED)  # it is being sent
    code, out, _ = run(capsys)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "Were these messages sent? (4; times in UTC)"
    assert [line[:32] for line in lines[1:5]] == [entry.id for entry in lost]
    assert lines[1].endswith("  2026-05-28 20:26:40  unknown   49…78    task shop / manual__1 / tell[3]")
    assert "withheld  49…78    task shop / scheduled__2026-01-01T00:00:00+00:00 / tell" in lines[2]
    assert lines[3].endswith("unknown   49…78    hook outside of a task")
    assert lines[4].endswith("intended  49…78    alert shop / scheduled__2026-01-01T00:00:00+00:00")
    assert "--not-sent ID" in out


def test_an_empty_list_names_the_store_that_was_read(store, capsys, tmp_path):
    code, out, _ = run(capsys)
    assert (code, out) == (
        0,
        f"No message is unknown or withheld in the store sqlite:///{tmp_path}/d360.sqlite\n",
    )


def test_a_store_of_this_machine_alone_is_named_as_such(monkeypatch, capsys):
    monkeypatch.delenv("AIRFLOW__D360__STORE_PATH", raising=False)
    code, out, _ = run(capsys)
    assert code == 0
    assert "It is this machine's own. Run the command on each machine that runs tasks." in out


@pytest.mark.parametrize(("flag", "state"), [("--sent", "accepted"), ("--not-sent", "refused")])
def test_messages_are_settled_by_their_ids(store, lost, capsys, flag, state):
    code, out, _ = run(capsys, flag, lost[1].id, lost[3].id)
    assert code == 0
    outcome = "settled as sent" if state == "accepted" else "settled as not sent"
    assert [line.endswith(f": {outcome}") for line in out.splitlines()] == [True, True]
    assert states(store, lost) == ["unknown", state, "unknown", state]
    assert run(capsys)[1].startswith("Were these messages sent? (2;")


def test_all_can_be_settled_at_once(store, lost, capsys):
    being_sent = record(store, state=State.INTENDED)
    code, out, _ = run(capsys, "--not-sent", "all")
    assert (code, out.count("settled as not sent")) == (0, 4)
    assert states(store, [*lost, being_sent]) == ["refused"] * 4 + ["intended"]
    assert run(capsys, "--sent", "all")[:2] == (0, "There is nothing to settle.\n")


def test_an_id_that_is_wrong_settles_nothing(store, lost, capsys):
    sent = record(store, "m1")
    being_sent = record(store, state=State.INTENDED)
    for wrong, said in {
        "0" * 32: f"There is no message {'0' * 32}.",
        NUMBER: "There is no such id: ids have 32 characters, as the list shows them.",
        sent.id: f"Message {sent.id} is not unknown: it is accepted.",
        being_sent.id: f"Message {being_sent.id} is being sent; try again in ten minutes.",
    }.items():
        code, out, error = run(capsys, "--sent", lost[0].id, wrong)
        assert (code, out, error) == (NOT_THERE, "", f"{said}\nNothing was changed.\n")
    assert states(store, lost) == ["unknown", "withheld", "unknown", "intended"]


def test_a_message_is_not_both_sent_and_not_sent(store, lost, capsys):
    code, out, error = run(capsys, "--sent", lost[0].id, "--not-sent", lost[1].id)
    assert (code, out, error) == (2, "", "Give --sent or --not-sent, not both.\n")
    assert states(store, lost) == ["unknown", "withheld", "unknown", "intended"]


@pytest.mark.parametrize("setting", ["STORE_PATH", "STORE_CONN_ID"])
def test_a_store_that_cannot_be_used_is_an_error_of_its_own(tmp_path, monkeypatch, capsys, setting):
    monkeypatch.setenv(f"AIRFLOW__D360__{setting}", f"{tmp_path}/nowhere/store.sqlite")
    code, out, error = run(capsys)
    assert (code, out) == (NO_STORE, "")
    assert "The store cannot be used." in error
    assert "Traceback" not in error


def test_without_sqlalchemy_2_the_error_says_what_to_install():
    program = (
        "import sys, sqlalchemy, airflow.sdk; sqlalchemy.__version__ = '1.4.54';"
        "from airflow_provider_d360.cli import main; sys.exit(main(['unknown']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == NO_STORE
    assert "pip install 'sqlalchemy>=2.0'" in done.stderr


def test_ids_of_airflow_cannot_write_to_the_terminal(store, capsys):
    record(store, state=State.UNKNOWN, run_id="manual\x1b[31m\nred")
    assert "manual?[31m?red" in run(capsys)[1]


@pytest.mark.skipif(airflow.__version__ < "3.2", reason="Airflow takes commands from providers since 3.2")
def test_airflow_offers_the_command(store, lost):
    done = programs.run("-m", "airflow", "d360", "unknown", "--sent", lost[0].id, lost[1].id)
    assert done.returncode == 0, done.stderr
    assert len(re.findall("settled as sent$", done.stdout, re.MULTILINE)) == 2
    assert states(store, lost) == ["accepted", "accepted", "unknown", "intended"]

"""The canary: each step of the way is proven, and each kind of trouble has its own exit code."""

import json
import os
import subprocess
import sys

import airflow
import pytest

from airflow_provider_d360 import cli
from airflow_provider_d360.emulator import faults

TO = "+49 151 123456-89"


@pytest.fixture(autouse=True)
def context(monkeypatch):
    """The command marks its process as a server's; that must not outlive a test."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")


def run(capsys, *arguments):
    code = cli.main(["check", *arguments])
    return code, capsys.readouterr().out


def test_everything_right_is_three_findings_and_nothing_sent(d360_emulator, capsys):
    code, out = run(capsys)
    assert code == 0
    assert "✓ connection  d360_default: cloud at http://127.0.0.1" in out
    assert "✓ health      the number is AVAILABLE" in out
    assert "! webhook     none is set" in out
    assert d360_emulator.sent == []


def test_a_real_message_is_sent_when_a_number_is_given(d360_emulator, capsys):
    code, out = run(capsys, "--to", TO)
    assert code == 0
    assert f"✓ message     accepted for 49…89, message id {d360_emulator.sent[0].message_id}" in out
    assert "d360_default" in d360_emulator.sent[0].body["text"]["body"]


def test_a_template_is_sent_when_one_is_named(d360_emulator, capsys):
    assert run(capsys, "--to", TO, "--template", "alert", "--language", "de")[0] == 0
    template = d360_emulator.sent[0].body["template"]
    assert (template["name"], template["language"]["code"]) == ("alert", "de")
    values = [value["text"] for value in template["components"][0]["parameters"]]
    assert values[:2] == ["Test of the alerts", "airflow d360 check"]
    assert len(values) == 7


def test_a_template_for_nobody_is_a_command_called_wrongly(d360_emulator, capsys):
    assert run(capsys, "--template", "alert") == (2, "")
    assert d360_emulator.requests == []


def test_a_configured_webhook_is_shown_without_its_query(d360_emulator, capsys):
    from airflow_provider_d360.hooks.d360 import D360Hook

    D360Hook().configure_webhook("https://hooks.example/d360?token=canary")
    out = run(capsys)[1]
    assert "✓ webhook     deliveries go to https://hooks.example/d360\n" in out


@pytest.mark.parametrize("hosting", ["on_premise", "sandbox"])
def test_the_other_hostings_are_checked_as_far_as_they_go(d360_emulator, monkeypatch, capsys, hosting):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(hosting))
    code, out = run(capsys, "--to", TO)
    assert code == 0
    assert ("! health" in out) == (hosting == "sandbox")
    assert len(d360_emulator.sent) == 1


def wrong_key(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection().replace("cloud-key", "wrong-key"))


def unreachable(emulator, monkeypatch):
    there = json.loads(emulator.connection(max_attempts=1))
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", json.dumps({**there, "host": "http://127.0.0.1:9"}))


TROUBLE = {
    "no connection": (lambda e, m: m.delenv("AIRFLOW_CONN_D360_DEFAULT"), "connection", 3, "There is no connection"),
    "a wrong field": (
        lambda e, m: m.setenv("AIRFLOW_CONN_D360_DEFAULT", e.connection(hosting="cloud").replace('"cloud"', '"clod"')),
        "connection",
        3,
        "extra 'hosting'",
    ),
    "a wrong key": (wrong_key, "health", 4, "API key"),
    "a blocked number": (lambda e, m: setattr(e, "can_send_message", "BLOCKED"), "health", 4, "360dialog Hub"),
    "a closed window": (lambda e, m: e.refuse(131047), "message", 5, "approved template"),
    "an unreachable host": (unreachable, "health", 6, "Nothing was sent"),
    "a wrong message": (lambda e, m: e.refuse(132001), "message", 3, "name and language"),
    "a lost answer": (
        lambda e, m: e.fail_next(faults.accepted_and_cut_off(), path="/messages"), "message", 7, "before sending it again"),
}  # fmt: skip


@pytest.mark.parametrize(("cause", "step", "code", "said"), TROUBLE.values(), ids=TROUBLE)
def test_each_trouble_stops_at_its_step_with_its_exit_code(
    d360_emulator, monkeypatch, capsys, cause, step, code, said
):
    cause(d360_emulator, monkeypatch)
    ended, out = run(capsys, "--to", TO, "--output", "json")
    answer = json.loads(out)
    assert (ended, answer["exit_code"], answer["ok"]) == (code, code, False)
    assert (answer["steps"][-1]["step"], answer["steps"][-1]["state"]) == (step, "failed")
    assert said in answer["steps"][-1]["text"]
    for private in ("4915112345689", "cloud-key", "wrong-key"):
        assert private not in out


def test_a_limited_number_is_a_warning(d360_emulator, capsys):
    d360_emulator.can_send_message = "LIMITED"
    code, out = run(capsys)
    assert code == 0
    assert "! health" in out


def test_a_wrong_call_ends_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["check", "--colour"])
    assert caught.value.code == 2


def test_the_help_explains_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["check", "--help"])
    out = capsys.readouterr().out
    assert all(f"  {code}  " in out for code in {0, 2, *cli.EXIT_CODES.values()})


def environment(d360_emulator):
    return {**os.environ, "AIRFLOW_CONN_D360_DEFAULT": d360_emulator.connection()}


def test_the_module_runs_as_a_command(d360_emulator):
    command = [sys.executable, "-m", "airflow_provider_d360", "check", "--output", "json"]
    done = subprocess.run(command, env=environment(d360_emulator), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True


@pytest.mark.skipif(airflow.__version__ < "3.2", reason="Airflow takes commands from providers since 3.2")
def test_airflow_offers_the_command(d360_emulator):
    command = [sys.executable, "-m", "airflow", "d360", "check", "--to", TO]
    done = subprocess.run(command, env=environment(d360_emulator), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "✓ message" in done.stdout
    assert len(d360_emulator.sent) == 1

"""``python -m airflow_provider_d360.emulator``, as a person at a terminal has it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from airflow_provider_d360.api.wire import Request
from airflow_provider_d360.emulator.__main__ import main, parse, run
from tests.emulator.services import TEXT, eventually, over_http

HEADERS = {"D360-API-KEY": "cloud-key", "Content-Type": "application/json"}


def send(port: int, body: object) -> None:
    over_http(port, Request("POST", "/messages", HEADERS, json.dumps(body).encode()))


def port_in(line: str) -> int:
    return int(line.split(";")[0].rpartition(":")[2])


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is said while it runs with a failing recipient."""
    printed: list[str] = []
    stop = threading.Event()
    options = parse(["--port", "0", "--statuses", "sent,failed:131026", "--delay-seconds", "0"])
    thread = threading.Thread(target=run, args=(options, stop, printed.append), daemon=True)
    thread.start()
    eventually(lambda: len(printed) == 6)
    yield printed
    stop.set()
    thread.join()


def test_it_says_where_it_is_and_how_to_connect(lines: list[str]) -> None:
    assert lines[0].startswith("360dialog emulator on http://127.0.0.1:")
    assert [line.split()[1] for line in lines[2:5]] == ["cloud-key:", "on-premise-key:", "1234567_sandbox:"]
    name, _, value = lines[5].strip().partition("=")
    assert name == "export AIRFLOW_CONN_D360_DEFAULT"
    assert json.loads(value.strip("'"))["host"] == f"http://127.0.0.1:{port_in(lines[0])}"


def test_it_says_what_reached_whatsapp_and_what_became_of_it(lines: list[str]) -> None:
    send(port_in(lines[0]), TEXT)
    eventually(lambda: len(lines) == 9)
    message_id = lines[6].partition(":")[0]
    assert lines[6:] == [
        f"{message_id}: text 'Hi' to 4915112345678",
        f"{message_id}: sent",
        f"{message_id}: failed",
    ]


def test_it_names_a_template_and_the_kind_of_everything_else(lines: list[str]) -> None:
    template = {"name": "order_update", "language": {"code": "en"}}
    send(port_in(lines[0]), {**TEXT, "type": "template", "template": template})
    eventually(lambda: len(lines) == 9)
    assert lines[6].endswith(": template 'order_update' to 4915112345678")
    send(port_in(lines[0]), {**TEXT, "type": "image", "image": {"id": "1"}})
    eventually(lambda: len(lines) == 12)
    assert lines[9].endswith(": image to 4915112345678")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_when_told_to(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "airflow_provider_d360.emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = port_in(process.stdout.readline())
        send(port, TEXT)
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_a_port_in_use_is_an_error_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert capsys.readouterr().err == f"Cannot serve on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [(["--help"], "--deliver-to URL"), (["--statuses", "failed:x"], "--statuses")],
)
def test_help_and_mistakes_name_the_options(
    arguments: list[str], printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    captured = capsys.readouterr()
    assert printed in captured.out + captured.err


def test_strict_is_an_option() -> None:
    assert parse(["--strict"]).strict
    assert not parse([]).strict


def test_no_statuses_may_be_asked_for() -> None:
    assert parse(["--statuses", ""]).statuses == ()

"""The bar of a long wait, and the version."""

from __future__ import annotations

import io
import sys

import pytest

from airflow_provider_d360 import __version__, cli, progress_bar
from airflow_provider_d360.cli.stores import in_time
from airflow_provider_d360.progress_bar import Progress
from tests.receiver.doors import wait_until


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("airflow_provider_d360.progress_bar.time.monotonic", lambda: now[0])
    return now


def drawn(monkeypatch, clock, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress("waiting for the status", 60) as bar:
        for clock[0] in (101.0, 130.0, 170.0):
            bar.update()
            yield stream.getvalue().rpartition("\r")[2]
    yield stream.getvalue().rpartition("\r")[2]


def test_a_bar_appears_after_two_seconds_and_goes_at_the_end(monkeypatch, clock):
    first, half, over, end = drawn(monkeypatch, clock, Terminal())
    assert first == ""
    assert half == "\x1b[K  [###############...............] 30 of 60 s: waiting for the status"
    assert over == f"\x1b[K  [{'#' * 30}] 70 of 60 s: waiting for the status"
    assert end == "\x1b[K"


def test_nothing_is_drawn_where_there_is_no_terminal(monkeypatch, clock):
    assert list(drawn(monkeypatch, clock, io.StringIO())) == [""] * 4


def test_work_of_unknown_length_shows_how_long_it_takes(monkeypatch, clock):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress("deleting old rows") as bar:
        clock[0] += 3.0
        bar.update()
        assert terminal.getvalue() == f"\r\x1b[K  [{'.' * 12}#{'.' * 17}] 3 s: deleting old rows"


def test_a_bar_is_drawn_while_work_goes_on_and_is_gone_before_its_result(monkeypatch):
    monkeypatch.setattr(progress_bar, "SILENT_SECONDS", 0.0)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar.ticking("deleting old rows"):
        wait_until(lambda: "deleting old rows" in terminal.getvalue())
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_the_lines_of_a_command_come_whole_and_in_order():
    assert list(in_time(iter(["a", "b"]), "reading")) == ["a", "b"]
    assert list(in_time(iter([]), "reading")) == []


def test_the_module_says_its_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.endswith(f"airflow-provider-d360 {__version__}\n")


def test_airflow_says_the_version_too(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["airflow", "d360", "--version"])
    with pytest.raises(SystemExit) as ended:
        cli.commands()
    assert not ended.value.code
    assert capsys.readouterr().out.endswith(f"airflow-provider-d360 {__version__}\n")

"""Of hundreds of processes that fail at once, few prepare an alert at a time; none waits for one that hangs."""

from __future__ import annotations

import os
import threading
import time

import pytest

from airflow_provider_d360.alerts import turns
from airflow_provider_d360.alerts.turns import in_turn
from tests.programs import Program

HOLD = """
import sys, time
from pathlib import Path
from airflow_provider_d360.alerts import turns
turns.AT_ONCE = 1
def work():
    print("begun", flush=True)
    sys.stdin.read()
turns.in_turn(Path(sys.argv[1]), work)
"""


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch):
    monkeypatch.setattr(turns, "AT_ONCE", 1)
    monkeypatch.setattr(turns, "_SLICE_SECONDS", 0.05)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "turns"


@pytest.fixture
def other(path):
    """Another process that has its turn until its input ends."""
    program = Program("-c", HOLD, str(path))
    assert program.stdout.readline() == "begun\n"
    yield program
    program.kill()
    program.end()


def begun_in_a_thread(path):
    begun = threading.Event()
    threading.Thread(target=in_turn, args=[path, begun.set], daemon=True).start()
    return begun


def test_a_turn_begins_when_that_of_another_process_ends(path, other):
    begun = begun_in_a_thread(path)
    assert not begun.wait(0.5)
    other.stdin.close()
    assert begun.wait(30)


def test_a_killed_process_gives_its_turn_up(path, other):
    begun = begun_in_a_thread(path)
    assert not begun.wait(0.2)
    other.kill()
    assert begun.wait(30)


def test_nobody_waits_for_ever_for_a_process_that_hangs(path, other, monkeypatch):
    monkeypatch.setattr(turns, "_WAIT_SECONDS", 0.3)
    assert in_turn(path, lambda: "done") == "done"


def test_whoever_sees_turns_end_waits_on(path, other, monkeypatch):
    monkeypatch.setattr(turns, "_WAIT_SECONDS", 0.5)
    begun = begun_in_a_thread(path)
    ends = time.monotonic() + 2
    while time.monotonic() < ends:
        os.utime(path)  # as each process does whose turn ends
        assert not begun.wait(0.05)
    assert begun.wait(30)


def test_where_there_can_be_no_file_the_work_is_done_at_once(tmp_path):
    assert in_turn(tmp_path / "nowhere" / "turns", lambda: "done") == "done"


def test_an_error_of_the_work_ends_the_turn(path):
    def fail():
        raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows"):
        in_turn(path, fail)
    assert begun_in_a_thread(path).wait(30)

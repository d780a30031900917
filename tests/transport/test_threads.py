"""Blocking work with a time limit, on threads that are used again."""

from __future__ import annotations

import os
import threading

import pytest

from airflow_provider_d360.transport import threads
from airflow_provider_d360.transport.threads import within


@pytest.fixture(autouse=True)
def _no_idle_threads(monkeypatch):
    monkeypatch.setattr(threads, "_idle", [])


def test_one_piece_of_work_after_the_other_runs_on_the_same_thread():
    first = within(30, threading.current_thread)
    assert within(30, threading.current_thread) is first is not threading.current_thread()


def test_an_error_is_raised_and_the_thread_goes_on():
    thread = within(30, threading.current_thread)
    with pytest.raises(ZeroDivisionError):
        within(30, lambda: 1 / 0)
    assert within(30, threading.current_thread) is thread


def test_work_that_takes_too_long_keeps_its_thread_which_then_ends():
    begun, go_on, stuck = threading.Event(), threading.Event(), []

    def work():
        stuck.append(threading.current_thread())
        begun.set()
        go_on.wait(30)

    with pytest.raises(TimeoutError):
        within(0.01, work)
    assert begun.wait(30)
    assert within(30, threading.current_thread) is not stuck[0]
    go_on.set()
    stuck[0].join(30)
    assert not stuck[0].is_alive()


def test_the_limit_begins_anew_while_the_work_gets_on():
    progress, done = iter(range(6)), threading.Event()
    last = 0

    def get_on():
        nonlocal last
        last = next(progress, last)
        if last == 5:
            done.set()
        return last

    assert within(0.1, lambda: done.wait(30), 0.05, get_on)


def test_an_interrupt_while_waiting_ends_the_thread(monkeypatch):
    thread = within(30, threading.current_thread)
    worker = threads._idle[0]

    class Interrupted:
        def get(self, timeout):
            raise KeyboardInterrupt

        def put(self, outcome):
            pass

    monkeypatch.setattr(worker, "outcomes", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        within(30, list)
    thread.join(30)
    assert not thread.is_alive()


def test_a_forked_process_starts_threads_of_its_own():
    within(30, list)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if within(30, lambda: "done") == "done" else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_few_idle_threads_are_kept():
    barrier = threading.Barrier(threads._MOST_IDLE + 2)
    callers = [
        threading.Thread(target=within, args=(30, barrier.wait)) for _ in range(threads._MOST_IDLE + 2)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert 1 <= len(threads._idle) <= threads._MOST_IDLE

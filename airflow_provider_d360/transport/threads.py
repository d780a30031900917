"""
Blocking work with a time limit, on a thread of its own.

requests limits each read of a socket, but not their sum, nor the look-up of a name; and an alert cannot wait
for a store that is stuck. The threads are used again, because starting one takes some 75 microseconds. A
stuck one does not keep the process alive.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_MOST_IDLE = 8


class _Worker:
    """A thread that does one piece of work after the other, until it gets None."""

    def __init__(self) -> None:
        self.work: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self.outcomes: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="d360-within", daemon=True).start()

    def _run(self) -> None:
        while (work := self.work.get()) is not None:
            try:
                outcome: tuple[Any, BaseException | None] = work(), None
            except BaseException as error:  # noqa: BLE001 - raised by within()
                outcome = None, error
            self.outcomes.put(outcome)
            del work, outcome  # while it waits, nothing keeps a request and its key in memory


def _outcome(
    worker: _Worker, seconds: float, slice_seconds: float, progress: Callable[[], object]
) -> tuple[Any, BaseException | None]:
    left, last = seconds, progress()
    while True:
        try:
            return worker.outcomes.get(timeout=min(slice_seconds, left))
        except queue.Empty:
            left -= slice_seconds
            if last != (last := progress()):
                left = seconds
            if left <= 0:
                raise


_idle: list[_Worker] = []
os.register_at_fork(after_in_child=lambda: _idle.clear())  # threads stay with the parent


def within(
    seconds: float,
    work: Callable[[], T],
    slice_seconds: float | None = None,
    progress: Callable[[], object] = lambda: None,
) -> T:
    """
    Do blocking work with a time limit, and return its result.

    :param seconds: The limit. Work that takes longer goes on by itself, and its outcome is dropped.
    :param work: The work.
    :param slice_seconds: Count the limit in slices of this length: on a machine so busy that this process
        seldom runs, each slice takes longer, and so does the limit. By default, the clock alone counts.
    :param progress: Returns how far the work has come: the limit starts again when that has changed in a
        slice. By default, it never does.
    :raises TimeoutError: when the limit is over.
    :raises Exception: what the work raises.
    """
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
    is_done = False
    try:
        worker.work.put(work)
        result, error = _outcome(worker, seconds, slice_seconds or seconds, progress)
        is_done = True
    except queue.Empty:
        pass
    finally:
        if is_done and len(_idle) < _MOST_IDLE:
            _idle.append(worker)
        else:
            worker.work.put(None)
    if not is_done:
        raise TimeoutError
    if error is not None:
        try:
            raise error
        finally:
            del error  # or its traceback would keep itself alive
    done: T = result
    return done

"""
Turns: when hundreds of tasks of a machine fail at once, few of their processes prepare an alert at a time.

Otherwise none gets far in its 15 seconds, and each opens the store. PostgreSQL has a hundred connections for
all its users, and each one that it refuses costs it a process.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from airflow_provider_d360.transport.threads import within

T = TypeVar("T")

AT_ONCE = 8
_WAIT_SECONDS = 10.0  # in which nobody's turn ends: then something hangs
_SLICE_SECONDS = 0.5


def in_turn(path: Path, work: Callable[[], T]) -> T:
    """
    Wait for a turn, do something, and return its result.

    When a process is killed, its turn ends. When locks do not work here, or no other process ends its turn,
    the work is done at once.

    :param path: A file that all processes of this machine know. It stays empty: each of its first bytes is
        locked by one of them.
    :param work: What to do.
    """
    turn = _Turn(path)
    with suppress(TimeoutError, OSError):  # a network's file system may know no locks
        within(_WAIT_SECONDS, turn.begin, _SLICE_SECONDS, turn.last_end)
    try:
        return work()
    finally:
        turn.end()


class _Turn:
    """One turn. It ends once, also when it has not begun yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: int | None = None
        self._is_over = False

    def begin(self) -> None:
        """Wait until fewer others have their turn."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX, 1, random.randrange(AT_ONCE))  # noqa: S311
        except OSError:
            os.close(file)
            raise
        with self._lock:
            if self._is_over:
                os.close(file)
            else:
                self._file = file

    def end(self) -> None:
        """Let the next one begin, and show to all who wait that turns end."""
        with self._lock:
            self._is_over = True
            if self._file is not None:
                with suppress(OSError):
                    os.utime(self._file)
                os.close(self._file)

    def last_end(self) -> int:
        """Return when the last turn ended; 0 if that is not known."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0

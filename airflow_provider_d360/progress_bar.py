"""A bar for what takes more than two seconds, in a terminal and nowhere else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SILENT_SECONDS = 2.0

_WIDTH = 30
_TICK_SECONDS = 0.25


class Progress:
    """
    Shows on stderr how much of a time limit is over, or that work goes on; nothing where it is no terminal.

    :param what: What is waited for.
    :param total_seconds: The time limit; None if nobody knows how long it takes.
    """

    def __init__(self, what: str, total_seconds: float | None = None) -> None:
        self._what, self._total = what, total_seconds
        self._begun = time.monotonic()
        self._is_shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def update(self) -> None:
        """Draw the bar as it is now."""
        seconds = time.monotonic() - self._begun
        if seconds < SILENT_SECONDS or not sys.stderr.isatty():
            return
        self._is_shown = True
        if self._total is None:
            before = round(seconds / _TICK_SECONDS) % _WIDTH
            bar, limit = "." * before + "#" + "." * (_WIDTH - before - 1), ""
        else:
            full = min(_WIDTH, int(_WIDTH * seconds / self._total))
            bar, limit = "#" * full + "." * (_WIDTH - full), f" of {self._total:.0f}"
        print(f"\r\x1b[K  [{bar}] {seconds:.0f}{limit} s: {self._what}", end="", file=sys.stderr, flush=True)


@contextmanager
def ticking(what: str, total_seconds: float | None = None) -> Iterator[None]:
    """
    Show the bar while a piece of work goes on that cannot draw it itself. It must print nothing meanwhile.

    :param what: What is being done.
    :param total_seconds: The time limit; None without one.
    """
    ended = threading.Event()
    with Progress(what, total_seconds) as bar:

        def tick() -> None:
            while not ended.wait(_TICK_SECONDS):
                bar.update()

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

"""A bar for what takes more than two seconds, in a terminal and nowhere else."""

from __future__ import annotations

import sys
import time

SILENT_SECONDS = 2.0

_WIDTH = 30


class Progress:
    """
    Shows how much of a time limit is over, on stderr; nothing where stderr is no terminal.

    :param what: What is waited for.
    :param total_seconds: The time limit.
    """

    def __init__(self, what: str, total_seconds: float) -> None:
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
        full = min(_WIDTH, int(_WIDTH * seconds / self._total))
        bar = "#" * full + "." * (_WIDTH - full)
        print(
            f"\r\x1b[K  [{bar}] {seconds:.0f} of {self._total:.0f} s: {self._what}",
            end="",
            file=sys.stderr,
            flush=True,
        )

"""DAG files that cannot be imported, as values. No I/O, no import of Airflow."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

# What changes without another error: addresses in memory, and the lines that moved.
_CHANGING = re.compile(r"0x[0-9a-f]+|line \d+", re.I)
_ERROR_LINE = re.compile(r"[A-Za-z_][\w.]*(: .*)?")


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """
    A DAG file that cannot be imported.

    :param name: The file, relative to its DAG bundle.
    :param trace: The stack trace that Airflow shows.
    """

    name: str
    trace: str

    @property
    def digest(self) -> str:
        """Names the file and its error: the same after a restart, or when lines have moved."""
        text = f"{self.name}\n{_CHANGING.sub('', self.trace)}"
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def error_line(trace: str) -> str:
    """
    Return the line of a stack trace that names the error: the last one that begins with a name.

    The text of an error may have several lines; then the last line of the trace says little.

    :param trace: The stack trace.
    """
    lines = [line for line in trace.splitlines() if line.strip()]
    named = [line for line in lines if _ERROR_LINE.fullmatch(line)]
    return next(reversed(named or lines), "").strip()

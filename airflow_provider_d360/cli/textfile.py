"""The result of a check as a file for the textfile collector of Prometheus' node exporter."""

from __future__ import annotations

import os
import time
from pathlib import Path

NAMES = ("d360_check_ok", "d360_check_exit_code", "d360_check_timestamp_seconds")


def write_result(file: Path, conn_id: str, code: int) -> None:
    """
    Write the result of a check, in one step: a reader sees the old file or the new one, whole.

    :param file: The file, in the collector's directory; its name ends with ``.prom``.
    :param conn_id: The connection that was checked.
    :param code: The exit code of the check.
    :raises OSError: The file cannot be written.
    """
    label = conn_id.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    helps = ("Whether the check succeeded.", "Its exit code.", "When it ended, in Unix seconds.")
    values = (int(code == 0), code, round(time.time(), 3))
    lines = []
    for name, help_text, value in zip(NAMES, helps, values, strict=True):
        lines += [
            f"# HELP {name} {help_text}",
            f"# TYPE {name} gauge",
            f'{name}{{conn_id="{label}"}} {value}',
        ]
    part = file.with_name(f"{file.name}.{os.getpid()}")  # not .prom, so that nobody reads it
    try:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)

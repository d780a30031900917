"""The last lines of a task's log, as its process can read them: Airflow writes them to a file beside it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_provider_d360.alerts.alert import flat

MOST_LINES = 20
_LONGEST_LINE = 160
_LONGEST = 1600
_TAIL_BYTES = 128 * 1024
_WAIT_SECONDS = 1.0  # the file is written by another process, a moment later
_PAUSE_SECONDS = 0.1
_END = "Task failed with exception"  # Airflow's own line, on 3.1 to 3.4; the traceback is a part of it


def read_task_log(ti: Any, count: int) -> str:
    """
    Return the last lines that a failed task has logged or printed; an empty text where its log is not here.

    It is here in the process of the task. A callback about a killed task runs in the DAG processor, which may
    be on another machine.

    :param ti: The task instance of the callback's context.
    :param count: How many lines; the text has 1,600 characters at most.
    """
    try:
        return _cut(_read(_path(ti), count))
    except Exception:  # noqa: BLE001 - whatever it is, the alert goes out without these lines
        return ""


def _path(ti: Any) -> Path:
    """Return the file, named as Airflow's executors name it."""
    from airflow.utils.helpers import log_filename_template_renderer

    from airflow_provider_d360.compat import conf

    return Path(conf.get("logging", "base_log_folder"), log_filename_template_renderer()(ti=ti))


def _read(path: Path, count: int) -> list[str]:
    ends = time.monotonic() + _WAIT_SECONDS
    while _END not in [text for text, _ in _lines(path)] and time.monotonic() < ends:
        time.sleep(_PAUSE_SECONDS)
    time.sleep(_PAUSE_SECONDS)  # what a task prints takes another way to the file than what it logs
    texts, is_over = [], False
    for text, is_printed in _lines(path):
        is_over = is_over or text == _END
        if text.strip() and (is_printed or not is_over):  # after its end, callbacks such as this one log
            texts.append(flat(text))
    return texts[-count:]


def _lines(path: Path) -> Iterator[tuple[str, bool]]:
    """Return each line, and whether the task has printed it."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        for line in file.read().decode(errors="replace").splitlines():
            try:
                entry = json.loads(line)
                yield str(entry["event"]), str(entry.get("logger")).startswith("task.std")
            except (ValueError, TypeError, KeyError, AttributeError):  # cut off, or of a logger without JSON
                yield "" if line.startswith("{") else line, False


def _cut(lines: list[str]) -> str:
    shown = [line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…" for line in lines]
    while sum(map(len, shown)) + len(shown) > _LONGEST:
        del shown[0]
    return "\n".join(shown)

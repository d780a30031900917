"""
Sends an alert when a DAG file cannot be imported; Airflow has no callback for that.

The plugin registers this module as a listener, in Airflow's DAG processor only. Airflow calls the two
functions inside a transaction of its database and in the loop that reads all files, so they only start a
thread. A file that stays broken is reported each time it is read.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from datetime import datetime, timezone
from pathlib import Path
from threading import Lock, Thread

from airflow.listeners import hookimpl

from airflow_provider_d360.alerts.broken_files import BrokenFile
from airflow_provider_d360.notifications.configured import PROBLEM

log = logging.getLogger(__name__)

# Files that break after an alert share the next one: one missing package may break all of them.
QUIET_SECONDS = 30.0

_lock = Lock()
_errors: dict[str, str] = {}  # what each broken file was last broken by, in this process
_waiting: deque[BrokenFile] = deque()
_is_sending = False


@hookimpl
def on_new_dag_import_error(filename: str, stacktrace: str) -> None:
    """
    Send an alert about a file that could be imported before.

    :param filename: The path of the file.
    :param stacktrace: The stack trace, or an error of Airflow's checks.
    """
    _note(filename, stacktrace, is_new=True)


@hookimpl
def on_existing_dag_import_error(filename: str, stacktrace: str) -> None:
    """
    Send an alert about a file that is broken in another way than before.

    What this process, after a restart, hears of first was broken before, so that is only remembered.

    :param filename: The path of the file.
    :param stacktrace: The stack trace, or an error of Airflow's checks.
    """
    _note(filename, stacktrace, is_new=False)


def _note(filename: str, stacktrace: str, *, is_new: bool) -> None:
    try:
        file = BrokenFile(str(filename), str(stacktrace))
        known = _errors.get(file.name)
        _errors[file.name] = file.digest
        if is_new or known not in (None, file.digest):
            _send_soon(file)
    except Exception as error:  # noqa: BLE001 - Airflow must go on reading files
        log.error("No alert about a broken DAG file: %s", type(error).__name__)


def _send_soon(file: BrokenFile) -> None:
    global _is_sending
    with _lock:
        _waiting.append(file)
        if not _is_sending:
            Thread(target=_send_all, name="d360-broken-dag-files", daemon=True).start()
            _is_sending = True


def _send_all() -> None:
    global _is_sending
    while True:
        with _lock:
            files = list(_waiting)
            _waiting.clear()
            _is_sending = bool(files)
        if not files:
            return
        try:
            _send([BrokenFile(_relative(file.name), file.trace) for file in files])
        except Exception as error:  # noqa: BLE001 - the notifier has logged its own
            log.error("No alert about %d broken DAG files: %s", len(files), type(error).__name__)
        time.sleep(QUIET_SECONDS)


def _send(files: list[BrokenFile]) -> None:
    """
    Send an alert, at most once a day about the same files and errors.

    Airflow reports an error again when it repeats its transaction, when a second DAG processor reads the
    file, and when a file is broken only now and then.
    """
    day = datetime.now(timezone.utc).date().isoformat()
    key = ":".join(["broken_dag_files", day, *sorted({file.digest for file in files})])
    PROBLEM({"broken_files": files, "alert_key": key})


def _relative(path: str) -> str:
    """Return the path of a file in its bundle; of a file in none, its name."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    for bundle in DagBundlesManager().get_all_dag_bundles():
        if Path(path).is_relative_to(bundle.path):
            return Path(path).relative_to(bundle.path).as_posix()
    return Path(path).name

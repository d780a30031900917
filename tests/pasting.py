"""Blocks of the documentation, run as somebody would paste them: each in a fresh process, in an empty folder."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_SECONDS = 60
# Forked after the imports that take long: a block starts in 0.1 seconds, and shares nothing with another.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "airflow.sdk",
        "airflow_provider_d360.emulator",
        "airflow_provider_d360.hooks.d360",
        "airflow_provider_d360.notifications.d360",
        "airflow_provider_d360.operators.messages",
        "airflow_provider_d360.sending.media",
        "airflow_provider_d360.store.store",
    ]
)


def paste(code: str, environment: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """
    Run a block of Python, and return the exit code and what it printed.

    :param code: The block.
    :param environment: Variables to set.
    :param folder: Where it runs.
    """
    output = folder / "output"
    process = _FORKS.Process(target=_main, args=(code, dict(environment), folder, output))
    process.start()
    process.join(TIMEOUT_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    return process.exitcode if process.exitcode is not None else -1, output.read_text()


def _main(code: str, environment: dict[str, str], folder: Path, output: Path) -> None:
    os.environ.update(environment)
    os.chdir(folder)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    exec(compile(code, "the block", "exec"), {"__name__": "__main__"})  # noqa: S102

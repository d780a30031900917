"""``airflow`` commands in processes of their own, forked after Airflow was imported: that takes longer than a run."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_SECONDS = 180
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "airflow.__main__",
        "airflow.cli.commands.dag_command",
        "airflow.cli.commands.db_command",
        "airflow.sdk.execution_time.supervisor",
        "airflow.sdk.execution_time.task_runner",
        "airflow.api_fastapi.execution_api.routes",
        "airflow.api_fastapi.execution_api.versions",
        "alembic.autogenerate",
    ]
)


def run_airflow(arguments: list[str], environment: Mapping[str, str], output: Path) -> int:
    """
    Run a command and return its exit code.

    The first call decides about ``AIRFLOW_HOME``. What else the environment names, the database included, is read
    anew in each process.

    :param arguments: The command line without ``airflow``.
    :param environment: The whole environment.
    :param output: The file that stdout and stderr are written to.
    """
    process = _FORKS.Process(target=_main, args=(arguments, dict(environment), output))
    process.start()
    process.join(TIMEOUT_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    return process.exitcode if process.exitcode is not None else -1


def _main(arguments: list[str], environment: dict[str, str], output: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)

    from airflow import settings
    from airflow.__main__ import main

    settings.configure_vars()
    settings.configure_orm()
    sys.argv = ["airflow", *arguments]
    try:
        main()
    finally:
        settings.dispose_orm()  # moves what stands in the write-ahead log into the database

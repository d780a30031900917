"""``airflow`` commands in processes of their own, forked from one that has done what takes longer than a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests import programs

programs.preload("tests.dags.prepared_airflow")
_COMMAND = """
from airflow import settings
from airflow.__main__ import main
settings.configure_vars()
settings.configure_orm()
try:
    main()
finally:
    settings.dispose_orm()  # moves what stands in the write-ahead log into the database
"""


def run_airflow(arguments: list[str], environment: Mapping[str, str], folder: Path) -> programs.Ended:
    """
    Run a command.

    The first call decides about ``AIRFLOW_HOME``. What else the environment names, the database included, is read
    anew in each process.

    :param arguments: The command line without ``airflow``.
    :param environment: The whole environment.
    :param folder: Where it runs.
    """
    return programs.run("-c", _COMMAND, *arguments, environment=environment, folder=folder)

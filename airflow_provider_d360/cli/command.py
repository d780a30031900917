"""How a command is described, to Airflow's command line and to our own."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """
    A command of the group ``d360``.

    :param name: Its name.
    :param help: What it does, in one sentence.
    :param run: Runs it with its arguments, and returns its exit code.
    :param arguments: What argparse needs to know about each flag.
    :param epilog: What its help ends with.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], int]
    arguments: Mapping[str, dict[str, Any]]
    epilog: str

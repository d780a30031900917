"""
What an administrator runs.

``airflow d360 …`` where Airflow takes commands from providers (3.2 and later), and everywhere
``python -m airflow_provider_d360 …``.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_d360 import __version__
from airflow_provider_d360.cli import (
    campaign,
    check,
    cursors,
    deliver_due,
    examples,
    suppression,
    unknown,
)

if TYPE_CHECKING:
    from airflow_provider_d360.cli.command import Command

VERSION = f"airflow-provider-d360 {__version__}"

_COMMANDS = (
    check.COMMAND,
    deliver_due.COMMAND,
    unknown.COMMAND,
    suppression.COMMAND,
    campaign.COMMAND,
    cursors.COMMAND,
    examples.COMMAND,
)


def commands() -> list[Any]:
    """Return the group ``airflow d360`` for Airflow's command line."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    if sys.argv[1:] == ["d360", "--version"]:  # a group of Airflow's takes no options of its own
        print(VERSION)
        sys.exit()
    actions = []
    for command in _COMMANDS:
        arguments = tuple(Arg((flag,), **options) for flag, options in command.arguments.items())
        run = partial(_run_from_airflow, command)
        actions.append(ActionCommand(command.name, command.help, run, arguments, epilog=command.epilog))
    return [GroupCommand("d360", "WhatsApp through 360dialog", actions)]


def main(arguments: list[str] | None = None) -> int:
    """
    Run ``python -m airflow_provider_d360``, and return the exit code.

    :param arguments: The arguments of the command line. Default: the arguments of this process.
    """
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_d360")
    parser.add_argument("--version", action="version", version=VERSION)
    group = parser.add_subparsers(dest="command", required=True)
    for command in _COMMANDS:
        subparser = group.add_parser(
            command.name,
            help=command.help,
            description=command.help,
            epilog=command.epilog,
            formatter_class=argparse.RawTextHelpFormatter,
        )
        for flag, options in command.arguments.items():
            subparser.add_argument(flag, **options)
        subparser.set_defaults(chosen=command)
    args = parser.parse_args(arguments)
    return _run(args.chosen, args)


def _run_from_airflow(command: Command, args: argparse.Namespace) -> None:
    """Run a command as ``airflow d360 …``, and end the process with its exit code."""
    sys.exit(_run(command, args))


def _run(command: Command, args: argparse.Namespace) -> int:
    # As Airflow's own commands do: or connections in Airflow's database are not found outside a task.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    return command.run(args)

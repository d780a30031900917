"""``airflow d360 deliver-due``: send the alerts that could not be sent before."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from airflow_provider_d360.cli.command import Command
from airflow_provider_d360.progress_bar import ticking

_EPILOG = """\
Exit codes:
  0  everything that was due is sent, or there was nothing
  1  some alerts could not be sent, and are tried again
  2  the store cannot be used
"""
_ARGUMENTS: Mapping[str, dict[str, Any]] = {
    "--seconds": {
        "type": float,
        "default": 50.0,
        "help": "how long to send at most; 50 by default, so that cron may run it every minute",
    },
}


def run(args: argparse.Namespace) -> int:
    """
    Send what is due, print what was done, and return the exit code.

    :param args: The arguments of the command line.
    """
    from airflow_provider_d360.compat import OldSQLAlchemyError

    try:
        from airflow_provider_d360.alerts.deliverer import deliver_due
        from airflow_provider_d360.store import StoreError
        from airflow_provider_d360.store.configured import configured_store
    except OldSQLAlchemyError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with closing(configured_store()) as store, ticking("sending what is due", args.seconds):
            delivered = deliver_due(store, time.monotonic() + args.seconds)
    except (StoreError, ValueError) as error:
        print(f"The store cannot be used: {error}", file=sys.stderr)
        return 2
    print(f"{delivered.sent} sent, {delivered.kept} kept, {delivered.dropped} given up")
    return 1 if delivered.kept else 0


COMMAND = Command(
    "deliver-due", "Send the alerts that could not be sent before, and summaries.", run, _ARGUMENTS, _EPILOG
)

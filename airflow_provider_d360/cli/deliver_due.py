"""``airflow d360 deliver-due``: send the alerts that could not be sent before."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.cli.command import Command
from airflow_provider_d360.cli.stores import NO_STORE, NoStoreError, with_store
from airflow_provider_d360.progress_bar import ticking

if TYPE_CHECKING:
    from airflow_provider_d360.alerts.deliverer import Delivered
    from airflow_provider_d360.store import Store

WRONG_CALL = 2

_EPILOG = """\
Exit codes:
  0  everything that was due is sent, or there was nothing
  1  some alerts could not be sent, and are tried again
  2  the command was called wrongly
  9  the store cannot be used
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
    if not 0 < args.seconds < math.inf:
        print("Give a number of seconds above 0: deliver-due --seconds 50", file=sys.stderr)
        return WRONG_CALL
    try:
        delivered = with_store(partial(_deliver, args.seconds))
    except NoStoreError as error:
        print(f"The store cannot be used. {error}", file=sys.stderr)
        return NO_STORE
    print(f"{delivered.sent} sent, {delivered.kept} kept, {delivered.dropped} given up")
    return 1 if delivered.kept else 0


def _deliver(seconds: float, store: Store) -> Delivered:
    from airflow_provider_d360.alerts.deliverer import deliver_due

    with ticking("sending what is due", seconds):
        return deliver_due(store, time.monotonic() + seconds)


COMMAND = Command(
    "deliver-due", "Send the alerts that could not be sent before, and summaries.", run, _ARGUMENTS, _EPILOG
)

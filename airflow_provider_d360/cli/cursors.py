"""``airflow d360 cursors``: list what named readers of the inbox have not read, and forget readers."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from datetime import datetime, timezone

from airflow_provider_d360.cli.command import Command
from airflow_provider_d360.cli.stores import NO_STORE

NOT_THERE = 1

_EPILOG = """
exit codes:
  0  done
  1  there is no cursor of this name
  2  the command was called wrongly
  9  the store cannot be used
"""


def cursors(args: argparse.Namespace) -> int:
    """
    List the cursors, or forget one; return the exit code.

    :param args: The arguments of the command line.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Airflow logs to stdout
            lines = _lines(args.forget)
    except Exception as error:  # noqa: BLE001 - of the look-up, the driver or the file; it may hold a secret
        print(f"The store cannot be used: {_explain(error)}", file=sys.stderr)
        return NO_STORE
    if lines is None:
        print(f"There is no cursor {args.forget!r}", file=sys.stderr)
        return NOT_THERE
    print("\n".join(lines))
    return 0


def _lines(forgotten: str | None) -> list[str] | None:
    from airflow_provider_d360.store.configured import configured_store

    with contextlib.closing(configured_store()) as store:
        if forgotten is not None:
            is_done = store.cursors.forget(forgotten)
            return [f"Forgotten: {forgotten}. The next purge keeps nothing for it."] if is_done else None
        backlogs = store.cursors.backlogs(math.inf)
        return [f"{one.name}: {one.messages} messages unread{_since(one.oldest)}" for one in backlogs] or [
            f"There is no cursor in the store {store.place}"
        ]


def _since(oldest: float | None) -> str:
    if oldest is None:
        return ""
    return f", the oldest of {datetime.fromtimestamp(oldest, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def _explain(error: Exception) -> str:
    from airflow_provider_d360.store.database import StoreError

    return str(error) if isinstance(error, StoreError) else type(error).__name__


COMMAND = Command(
    "cursors",
    "List what each named reader of the inbox has not read yet, or forget a reader.",
    cursors,
    {"--forget": {"metavar": "NAME", "help": "Forget this cursor: a purge then keeps nothing for it."}},
    _EPILOG,
)

"""``airflow d360 unknown``: list the messages that may or may not have gone out, and settle them."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_d360.cli.command import Command
from airflow_provider_d360.cli.stores import NO_STORE, NoStoreError, with_store
from airflow_provider_d360.progress_bar import ticking

if TYPE_CHECKING:
    from airflow_provider_d360.store import Entry, Store

NOT_THERE = 1

_EPILOG = """
states:
  unknown   the response was lost, so the message may be on its way
  intended  the process ended while it was sending, so the message may be on its way
  withheld  not sent: this task had written to this person before, and the message had changed since

exit codes:
  0  done
  1  a message that was named is not there, or is settled; nothing was changed
  2  the command was called wrongly
  9  the store cannot be used
"""
_ID = re.compile(r"[0-9a-fA-F]{32}")


class _NotThereError(Exception):
    """A message cannot be settled; the text says why."""


def unknown(args: argparse.Namespace) -> int:
    """
    List the messages that a person must judge, or settle some; return the exit code.

    :param args: The arguments of the command line.
    """
    if args.sent and args.not_sent:
        print("Give --sent or --not-sent, not both.", file=sys.stderr)
        return 2
    try:
        # Airflow logs to stdout.
        with contextlib.redirect_stdout(sys.stderr), ticking("looking through the ledger"):
            lines = with_store(partial(_lines, args))
    except _NotThereError as error:
        print(error, file=sys.stderr)
        return NOT_THERE
    except NoStoreError as error:
        print(f"The store cannot be used. {error}", file=sys.stderr)
        return NO_STORE
    print("\n".join(lines))
    return 0


def _lines(args: argparse.Namespace, store: Store) -> list[str]:
    chosen = args.sent or args.not_sent
    return _settle(store, chosen, sent=bool(args.sent)) if chosen else _list(store)


def _list(store: Store) -> list[str]:
    entries = _unsettled(store)
    if not entries:
        return [f"No message is unknown or withheld in the store {store.place}", *_hint()]
    return [
        f"Were these messages sent? ({len(entries)}; times in UTC)",
        *map(_line, entries),
        "Settle with --sent ID or --not-sent ID (several ids, or all). What was not sent goes out with the "
        "next Clear of its task.",
    ]


def _hint() -> list[str]:
    from airflow_provider_d360.hooks.ledgers import is_store_configured

    if is_store_configured():
        return []
    return ["It is this machine's own. Run the command on each machine that runs tasks."]


def _settle(store: Store, ids: Sequence[str], *, sent: bool) -> list[str]:
    entries = {entry.id: entry for entry in _unsettled(store)}
    wanted = list(entries) if "all" in ids else list(dict.fromkeys(ids))
    if problems := [_why_not(store, entry_id) for entry_id in wanted if entry_id not in entries]:
        raise _NotThereError("\n".join([*problems, "Nothing was changed."]))
    outcome = "sent" if sent else "not sent"
    lines = []
    for entry_id in wanted:
        is_done = store.ledger.resolve(entry_id, sent=sent, older_than=_oldest_intent())
        result = f"settled as {outcome}" if is_done else "settled by somebody else just now"
        lines.append(f"{_line(entries[entry_id])}: {result}")
    return lines or ["There is nothing to settle."]


def _why_not(store: Store, entry_id: str) -> str:
    if not _ID.fullmatch(entry_id):  # it is not repeated: it may be a phone number
        return "There is no such id: ids have 32 characters, as the list shows them."
    entry = store.ledger.find(entry_id)
    if entry is None:
        return f"There is no message {entry_id}."
    if entry.state.value == "intended":
        return f"Message {entry_id} is being sent; try again in ten minutes."
    return f"Message {entry_id} is not unknown: it is {entry.state.value}."


def _unsettled(store: Store) -> list[Entry]:
    return store.ledger.unsettled(older_than=_oldest_intent())


def _oldest_intent() -> float:
    from airflow_provider_d360.store.entries import OLD_INTENT_SECONDS

    return time.time() - OLD_INTENT_SECONDS


def _line(entry: Entry) -> str:
    at = datetime.fromtimestamp(entry.at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    mapped = f"[{entry.map_index}]" if entry.map_index >= 0 else ""
    parts = [part for part in (entry.dag_id, entry.run_id, entry.task_id + mapped) if part]
    where = " / ".join(parts) or "outside of a task"
    line = f"{entry.id}  {at}  {entry.state.value:<8}  {entry.recipient:<7}  {entry.source} {where}"
    return "".join(ch if ch.isprintable() else "?" for ch in line)


_ARGUMENTS = {
    "--sent": {"nargs": "+", "metavar": "ID", "help": "settle these as sent; all for all of the list"},
    "--not-sent": {
        "nargs": "+",
        "metavar": "ID",
        "help": "settle these as not sent: the next Clear of their task sends them; all for all of the list",
    },
}

COMMAND = Command(
    "unknown",
    "List the messages of which nobody knows whether they went out, and settle them as sent or not sent.",
    unknown,
    _ARGUMENTS,
    _EPILOG,
)

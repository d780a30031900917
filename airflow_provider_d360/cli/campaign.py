"""``airflow d360 campaign``: list campaigns, look at one, and control it while it runs."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from airflow_provider_d360.campaigns.signals import ACTIONS, is_rate
from airflow_provider_d360.cli.command import Command
from airflow_provider_d360.cli.stores import NO_STORE, NoStoreError, in_time, with_store

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.campaigns import Campaign

NOT_THERE = 1
WRONG_CALL = 2

_SHOWN_LIMIT = 50
_EPILOG = """
actions:
  list              show the newest campaigns
  show CAMPAIGN     show the outcomes of its messages
  pause CAMPAIGN    send nothing until it is resumed; tasks wait without a worker
  resume CAMPAIGN   go on, after a pause or a stop, with the whole rate
  slow CAMPAIGN     send at most --rate messages per second; resume lifts it
  stop CAMPAIGN     send nothing more; tasks fail. After resume, clear them to go on.
  settle CAMPAIGN   settle all messages with an unknown outcome, as --as says: sent; or not-sent, then
                    the next task sends them
  Senders follow within a second.

exit codes:
  0  done
  1  there is no such campaign
  2  the command was called wrongly
  9  the store cannot be used
"""


class _NotThereError(Exception):
    """There is no such campaign."""


def campaign(args: argparse.Namespace) -> int:
    """
    Show or control campaigns; return the exit code.

    :param args: The arguments of the command line.
    """
    if problem := _wrong_call(args):
        print(problem, file=sys.stderr)
        return WRONG_CALL
    output = sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Airflow logs to stdout
            with_store(partial(_print, args, output))
    except _NotThereError as error:
        print(error, file=sys.stderr)
        return NOT_THERE
    except NoStoreError as error:
        print(f"The store cannot be used. {error}", file=sys.stderr)
        return NO_STORE
    return 0


def _wrong_call(args: argparse.Namespace) -> str | None:
    if args.action != "list" and not args.campaign:
        return f"Name the campaign: campaign {args.action} CAMPAIGN"
    if args.action == "slow" and (args.rate is None or not is_rate(args.rate)):
        return "Give a rate of more than 0 messages per second: campaign slow CAMPAIGN --rate 10"
    if args.action == "settle" and not args.outcome:
        return "Say whether they were sent: campaign settle CAMPAIGN --as sent, or --as not-sent"
    return None


def _print(args: argparse.Namespace, output: TextIO, store: Store) -> None:
    for line in in_time(_run(store, args), f"campaign {args.action}"):
        print("".join(ch if ch.isprintable() else "?" for ch in line), file=output)


def _run(store: Store, args: argparse.Namespace) -> Iterator[str]:
    if args.action == "list":
        campaigns = store.campaigns.recent(_SHOWN_LIMIT)
        yield from (_line(store, one) for one in campaigns)
        if not campaigns:
            yield f"There is no campaign in the store {store.place}"
        return
    if args.action in ACTIONS:
        rate = args.rate if args.action == "slow" else None
        reason = args.reason or (None if args.action in ("resume", "slow") else "by airflow d360 campaign")
        if not store.campaigns.signal(args.campaign, ACTIONS[args.action], reason, rate):
            raise _NotThereError(f"There is no campaign {args.campaign!r}.")
    found = store.campaigns.find(args.campaign)
    if found is None:
        raise _NotThereError(f"There is no campaign {args.campaign!r}.")
    if args.action == "settle":
        count = store.campaign_results.settle(found.key, sent=args.outcome == "sent")
        yield f"Settled as {args.outcome}: {count}"
    yield from _show(store, found) if args.action == "show" else [_line(store, found)]


def _line(store: Store, one: Campaign) -> str:
    from airflow_provider_d360.campaigns.progress import Progress

    at = datetime.fromtimestamp(one.at, timezone.utc).strftime("%Y-%m-%d %H:%M")
    counts = Progress(store.campaign_results.counts(one.key), 0.0)
    rate = f", at most {one.rate:g} a second" if one.rate else ""
    reason = f" ({one.reason})" if one.reason else ""
    state = one.signal if one.is_planned else "being planned"
    return f"{at}  {state}{rate}{reason}  {one.id}  {counts.summary()}"


def _show(store: Store, one: Campaign) -> Iterator[str]:
    from airflow_provider_d360.campaigns.reporting import summarize

    yield _line(store, one)
    summary = summarize(store, one)
    for state, count in sorted(summary["states"].items(), key=lambda item: -item[1]):
        yield f"  {count:>8}  {state}"
    for error in summary["errors"]:
        yield f"  {error['count']:>8}  with code {error['code']}: {error['remedy']}"
    if summary["unknown"]:
        yield "Nobody knows whether the unknown ones went out. D360CampaignReportOperator names them."
        yield "Statuses settle them, or you do: campaign settle CAMPAIGN --as not-sent"


_ARGUMENTS: dict[str, dict[str, Any]] = {
    "action": {"choices": ("list", "show", *ACTIONS, "settle"), "help": "what to do, see below"},
    "campaign": {"nargs": "?", "metavar": "CAMPAIGN", "help": "the id of the campaign"},
    "--rate": {"type": float, "help": "slow: how many messages per second at most"},
    "--as": {"dest": "outcome", "choices": ("sent", "not-sent"), "help": "settle: what they count as"},
    "--reason": {"help": "pause, stop: why; it is shown to others"},
}

COMMAND = Command(
    "campaign", "List campaigns, and pause, resume, slow or stop one.", campaign, _ARGUMENTS, _EPILOG
)

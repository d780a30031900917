"""``airflow d360 suppression``: the list of people who get no more messages."""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.privacy import mask_number, readable
from airflow_provider_d360.api.recipients import canonical, check_region
from airflow_provider_d360.cli.command import Command
from airflow_provider_d360.cli.stores import NO_STORE, NoStoreError, in_time, with_store

if TYPE_CHECKING:
    from airflow_provider_d360.store import Scope, Store, Suppression

INVALID = 1
WRONG_CALL = 2

_PRIVATE = 0o600
_COLUMNS = ("number", "scope", "reason", "since", "source")
_ACTIONS = ("add", "remove", "list", "import", "export")
_EPILOG = """
actions:
  add NUMBER …     write to these people no more
  remove NUMBER …  these people want messages again
  list             show the list; numbers are masked
  import FILE      add the people of a CSV file: a column number, and scope and reason if you like;
                   or one number a line. If one row is wrong, none is added.
  export FILE      write the list to a CSV file with whole numbers, which nobody else may read
  In place of FILE, - is the standard input or output.

exit codes:
  0  done
  1  a number, a row or a file cannot be read or written; the list was not changed
  2  the command was called wrongly
  9  the store cannot be used
"""


class _InvalidError(Exception):
    """Something that was given cannot be read; the text says what, without a whole number."""


def suppression(args: argparse.Namespace) -> int:
    """
    Change or show the list of opt-outs; return the exit code.

    :param args: The arguments of the command line.
    """
    if problem := _wrong_call(args):
        print(problem, file=sys.stderr)
        return WRONG_CALL
    output = sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Airflow logs to stdout
            with_store(partial(_print, args, output))
    except _InvalidError as error:
        print(f"{error}\nThe list was not changed.", file=sys.stderr)
        return INVALID
    except NoStoreError as error:
        print(f"The store cannot be used. {error}", file=sys.stderr)
        return NO_STORE
    return 0


def _wrong_call(args: argparse.Namespace) -> str | None:
    count = len(args.values)
    if args.action in ("add", "remove") and not count:
        return f"Name the people: suppression {args.action} +447700900123"
    if args.action in ("import", "export") and count != 1:
        return f"Name one file: suppression {args.action} opt-outs.csv"
    return "suppression list takes no further words" if args.action == "list" and count else None


def _print(args: argparse.Namespace, output: TextIO, store: Store) -> None:
    lines = _run(store, args, output)
    if args.values != ["-"]:  # an export to stdout prints before its end
        lines = in_time(lines, f"suppression {args.action}")
    for line in lines:
        print(line, file=output)


def _run(store: Store, args: argparse.Namespace, output: TextIO) -> Iterator[str]:
    from airflow_provider_d360.store import Scope

    scope, region = Scope(args.scope), _region(args.region)
    if args.action == "list":
        yield from map(_line, store.suppressions.all())
    elif args.action == "export":
        _export(store, args.values[0], output)
    elif args.action == "import":
        rows = _read_file(args.values[0], scope, region, args.reason)
        for (each, reason), people in _grouped(rows).items():
            store.suppressions.add(people, scope=each, source="import", at=time.time(), reason=reason)
        yield f"On the list now: {len({number for number, _, _ in rows})}."
    else:
        people = _read_numbers(args.values, region)
        if args.action == "add":
            store.suppressions.add(people, scope=scope, source="cli", at=time.time(), reason=args.reason)
            yield f"On the list now: {len(people)}."
        else:
            removed = store.suppressions.remove(people, source="cli", at=time.time(), reason=args.reason)
            yield f"Taken off the list: {removed}. Were not on it: {len(people) - removed}."


def _region(region: str | None) -> str | None:
    try:
        return check_region(region) if region else None
    except ValueError as error:
        problem = f"--region {error}"
    raise _InvalidError(problem)


def _read_numbers(values: Sequence[str], region: str | None) -> list[str]:
    people, problems = [], []
    for position, value in enumerate(values, 1):
        try:
            people.append(canonical(value, default_region=region))
        except D360RequestError as error:
            problems.append(f"number {position}: {error.detail.title}")
    if problems:
        raise _InvalidError("\n".join(problems))
    return list(dict.fromkeys(people))


def _read_file(
    path: str, scope: Scope, region: str | None, reason: str | None
) -> list[tuple[str, Scope, str | None]]:
    """Return number, scope and reason of each row."""
    rows, problems = [], []
    try:
        for position, row in enumerate(_file_rows(path), 1):
            try:
                rows.append(_read_row(row, scope, region, reason))
            except D360RequestError as error:
                problems.append(f"row {position}: {error.detail.title}")
            except ValueError:
                problems.append(f"row {position}: scope must be all or marketing")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems = [f"The file cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"]
    if problems:
        raise _InvalidError("\n".join(problems))
    return rows


def _file_rows(path: str) -> Iterator[dict[str, str]]:
    with contextlib.ExitStack() as stack:
        file = (
            sys.stdin
            if path == "-"
            else stack.enter_context(Path(path).open(newline="", encoding="utf-8-sig"))
        )
        reader = csv.reader(file, strict=True)
        first = next(reader, [])
        names = [name.strip().lower() for name in first]
        if len({*filter(None, names)}) < len([*filter(None, names)]):
            raise _InvalidError("The file has two columns of one name.")
        if "number" not in names:
            if len(first) > 1:
                raise _InvalidError("The file has several columns, and none of them is named number.")
            names = ["number"]
            yield from ({"number": value} for value in first)
        for row in reader:
            if any(row):
                yield dict(zip(names, row, strict=False))


def _read_row(
    row: dict[str, str], scope: Scope, region: str | None, reason: str | None
) -> tuple[str, Scope, str | None]:
    from airflow_provider_d360.store import Scope

    number = canonical(row.get("number", ""), default_region=region)
    named = row.get("scope", "").strip().lower()
    return number, Scope(named) if named else scope, row.get("reason", "").strip() or reason


def _grouped(rows: Iterable[tuple[str, Scope, str | None]]) -> dict[tuple[Scope, str | None], list[str]]:
    groups: dict[tuple[Scope, str | None], list[str]] = {}
    for number, scope, reason in rows:
        groups.setdefault((scope, reason), []).append(number)
    return groups


def _export(store: Store, path: str, output: TextIO) -> None:
    try:
        with contextlib.ExitStack() as stack:
            file = (
                output
                if path == "-"
                else stack.enter_context(open(path, "w", newline="", encoding="utf-8", opener=_private))
            )
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            writer.writerows(map(_exported, store.suppressions.all()))
    except OSError as error:
        problem = f"The file cannot be written: {error.strerror}"
    else:
        return
    raise _InvalidError(problem)


def _private(path: str, flags: int) -> int:
    """Open a file that nobody else may read: it holds whole numbers."""
    file = os.open(path, flags, _PRIVATE)
    if hasattr(os, "fchmod") and stat.S_ISREG(os.fstat(file).st_mode):
        os.fchmod(file, _PRIVATE)
    return file


def _exported(one: Suppression) -> tuple[str, ...]:
    number = f"+{one.recipient}" if one.recipient.isdecimal() else one.recipient
    return number, one.scope.value, one.reason or "", _time(one), one.source


def _time(one: Suppression) -> str:
    return datetime.fromtimestamp(one.at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _line(one: Suppression) -> str:
    recipient = mask_number(one.recipient)
    line = f"{_time(one)}  {one.scope.value:<9}  {recipient:<7}  {one.source:<16}  "
    line = (line + readable(one.reason or "")).rstrip()
    return "".join(ch if ch.isprintable() else "?" for ch in line)


_ARGUMENTS: dict[str, dict[str, Any]] = {
    "action": {"choices": _ACTIONS, "help": "what to do, see below"},
    "values": {"nargs": "*", "metavar": "NUMBER or FILE", "help": "people, or a file"},
    "--scope": {
        "choices": ("all", "marketing"),
        "default": "all",
        "help": "add, import: which messages these people do not get (default: all)",
    },
    "--reason": {"help": "add, remove, import: why; it is kept with the opt-out"},
    "--region": {"help": "the country of numbers that begin with 0, such as DE"},
}

COMMAND = Command(
    "suppression",
    "Show and change the list of people who get no more messages.",
    suppression,
    _ARGUMENTS,
    _EPILOG,
)

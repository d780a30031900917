"""The report of a campaign: totals, and a file with a line for each person."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime, timezone
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api import codes
from airflow_provider_d360.api.errors import D360Error, request_error
from airflow_provider_d360.api.privacy import file_error
from airflow_provider_d360.campaigns.sources import open_path, parquet_module
from airflow_provider_d360.campaigns.thresholds import figures
from airflow_provider_d360.store import StoreError

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.campaign_results import Person, Total
    from airflow_provider_d360.store.campaigns import Campaign

_AT_ONCE = 2000
_TEXT, _WHOLE = "string", "int64"
COLUMNS = {
    "row": _WHOLE,
    "label": _TEXT,
    "recipient": _TEXT,
    "state": _TEXT,
    "code": _WHOLE,
    "reason": _TEXT,
    "remedy": _TEXT,
    "sent_at": _TEXT,
    "category": _TEXT,
    "billable": "bool",
}


def summarize(store: Store, campaign: Campaign) -> dict[str, Any]:
    """
    Return the totals of a campaign, for an XCom.

    :param store: The store.
    :param campaign: The campaign.
    """
    totals = store.campaign_results.totals(campaign.key)
    opted_out = store.campaign_results.opted_out(campaign.key, campaign.at)
    states: Counter[str] = Counter()
    for total in totals:
        states[total.current] += total.count
    plan = campaign.plan or {}
    left_out = {name: plan.get(name, 0) for name in ("duplicates", "invalid")}
    return {
        "campaign_id": campaign.id,
        "signal": campaign.signal,
        "reason": campaign.reason,
        "states": dict(states),
        **left_out,
        **asdict(figures(totals, opted_out)),
        "errors": _errors(totals),
        "charged": store.campaign_results.charged(campaign.key),
    }


def write_report(store: Store, campaign: Campaign, path: Any) -> int:
    """
    Write a line for each person, those with an unknown outcome first, and return how many.

    :param store: The store.
    :param campaign: The campaign.
    :param path: A ``.csv``, ``.jsonl`` or ``.parquet`` file, locally or in an object storage.
    :raises D360RequestError: for any other value.
    :raises OSError: when it cannot be written.
    """
    file = open_path(path)
    kind = PurePosixPath(str(file)).suffix.lower()
    writer = _WRITERS.get(kind)
    if writer is None:
        raise request_error("path does not end with .csv, .jsonl or .parquet", "Give such a path.")
    people = 0

    def lines() -> Iterator[dict[str, Any]]:
        nonlocal people
        for person in store.campaign_results.people(campaign.key):
            people += 1
            yield _line(person)

    try:
        writer(file, lines())
        return people
    except (D360Error, StoreError):
        raise
    except Exception as error:  # noqa: BLE001 - any file system's; its text may hold a private path
        problem = file_error(error)
    raise problem


def _line(person: Person) -> dict[str, Any]:
    meaning = codes.by_code(person.code, on_premise=person.on_premise)
    at = person.at
    return {
        "row": person.number,
        "label": person.label,
        "recipient": person.recipient,
        "state": person.current,
        "code": person.code,
        "reason": person.reason,
        "remedy": meaning.remedy if meaning else None,
        "sent_at": None
        if at is None
        else datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds"),
        "category": person.category,
        "billable": person.billable,
    }


def _errors(totals: Iterable[Total]) -> list[dict[str, Any]]:
    """Return the codes of errors with their remedies, the most frequent first."""
    counts: Counter[tuple[int, bool]] = Counter()
    for total in totals:
        if total.code is not None:
            counts[total.code, total.on_premise] += total.count
    errors = []
    for (code, on_premise), count in counts.most_common():
        meaning = codes.by_code(code, on_premise=on_premise)
        errors.append({"code": code, "count": count, "remedy": meaning.remedy if meaning else ""})
    return errors


def _write_csv(path: Any, lines: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(COLUMNS))
        writer.writeheader()
        for line in lines:
            writer.writerow({name: _harmless(value) for name, value in line.items()})


def _harmless(value: Any) -> Any:
    """Keep a spreadsheet from running a label as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _write_jsonl(path: Any, lines: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")


def _write_parquet(path: Any, lines: Iterator[dict[str, Any]]) -> None:
    pyarrow, parquet = parquet_module()
    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in COLUMNS.items()])
    opened: AbstractContextManager[Any] = path.open("wb")
    with opened as file, parquet.ParquetWriter(file, schema) as writer:
        while chunk := list(islice(lines, _AT_ONCE)):
            writer.write_table(pyarrow.Table.from_pylist(chunk, schema=schema))


_WRITERS: dict[str, Callable[[Any, Iterator[dict[str, Any]]], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".ndjson": _write_jsonl,
    ".parquet": _write_parquet,
}

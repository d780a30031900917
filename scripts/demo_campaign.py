"""The campaign of the demo: 2,000 people in a table get a message each, with a line of progress."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import product

from airflow_provider_d360.emulator import Emulator
from scripts.real_airflow import RealAirflow, RealAirflowError

PEOPLE = 2000
DAG_ID = "example_d360_broadcast"
_AREAS = ("201", "202", "203", "206", "207", "208", "209", "210", "212", "213")
_WIDTH = 30
_LONGEST_SECONDS = 90.0


def send_campaign(airflow: RealAirflow, emulator: Emulator) -> None:
    """
    Run the example of a broadcast, and show how it comes along.

    :param airflow: The Airflow that runs it.
    :param emulator: The emulator that its connection leads to.
    :raises RealAirflowError: when it fails, or somebody gets no message or two.
    """
    shop = airflow.home / "shop.sqlite"
    with closing(sqlite3.connect(shop)) as database:
        database.execute("CREATE TABLE customers (id INTEGER, phone TEXT, first_name TEXT)")
        rows = [(number, phone, f"Ann {number}") for number, phone in enumerate(_phones())]
        database.executemany("INSERT INTO customers VALUES (?, ?, ?)", rows)
        database.commit()
    airflow.post("/connections", {"connection_id": "shop", "conn_type": "sqlite", "host": str(shop)})
    body = {"type": "BODY", "text": "Hello {{1}}, our sale has begun.", "example": {"body_text": [["Ann"]]}}
    content = {"name": "spring_sale", "language": "en", "category": "MARKETING", "components": [body]}
    emulator.templates.add(content, status="approved")

    print(f"\nThe scheduler runs {DAG_ID}: {PEOPLE} people in a table, a message each.")
    before, began = len(emulator.sent), time.monotonic()
    run_id = airflow.start_run(DAG_ID)
    while (sent := len(emulator.sent) - before) < PEOPLE and time.monotonic() - began < _LONGEST_SECONDS:
        if sys.stdout.isatty():
            _show(sent, time.monotonic() - began)
        time.sleep(0.2)
    _show(sent, time.monotonic() - began)
    print()
    if airflow.wait_for_end(DAG_ID, run_id) != "success":
        raise RealAirflowError(airflow.task_log(DAG_ID, run_id, "broadcast"))
    got = [one.to for one in emulator.sent[before:]]
    if len(got) != PEOPLE or len(set(got)) != PEOPLE:
        raise RealAirflowError(f"{len(got)} messages reached {len(set(got))} of {PEOPLE} people")
    print("  Everybody got one message; a second run of the task would write to nobody.", end="")


def _phones() -> Iterator[str]:
    """Yield 2,000 numbers that are reserved for fiction: British ones, and American ones of ten areas."""
    yield from (f"+44 7700 900{number:03}" for number in range(1000))
    yield from (f"+1 {area} 555 {number:04}" for area, number in product(_AREAS, range(100, 200)))


def _show(sent: int, seconds: float) -> None:
    """Write the line of the progress over the one before."""
    done = "#" * (_WIDTH * sent // PEOPLE)
    line = f"  [{done:<{_WIDTH}}] {sent:,} of {PEOPLE:,} sent, {seconds:.0f} s"
    print(f"\r{line}", end="", flush=True)

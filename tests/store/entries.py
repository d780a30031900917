"""Entries as a sender writes them."""

from __future__ import annotations

from functools import partial
from itertools import groupby

from airflow_provider_d360.store import Entry, State, Store

NUMBER = "4915112345678"


def entry(message_id: str | None, at: float = 5.0, dag_id: str = "dag", **more: object) -> Entry:
    """Make an entry of an accepted message; its id is the message's, unless it is named."""
    fields = {
        "id": message_id,
        "scope": "scope",
        "content": "content",
        "state": State.ACCEPTED,
        "source": "task",
        "conn_id": "d360_default",
        "dag_id": dag_id,
        "run_id": "run",
        "task_id": "task",
        "map_index": -1,
        "try_number": 1,
        "recipient": "49…78",
        "recipient_hash": "hash",
        "intent": None,
        "message_id": message_id,
        "at": at,
    }
    return Entry(**{**fields, **more})


def record(store: Store, *entries: Entry) -> None:
    """Write entries into the ledger."""
    for scope, group in groupby(entries, key=lambda one: one.scope or ""):
        store.ledger.change(scope, partial(_write, list(group)), None)


def _write(new: list[Entry], known: list[Entry]) -> tuple[None, list[Entry]]:
    return None, new


TABLES = (
    "statuses",
    "inbox",
    "ledger",
    "alerts",
    "alert_history",
    "notices",
    "suppressions",
    "campaigns",
    "cursors",
    "questions",
)


def counts(**rows: int) -> dict[str, int]:
    """Say how many rows each table has: these, and none in the others."""
    assert rows.keys() <= set(TABLES)
    return dict.fromkeys(TABLES, 0) | rows

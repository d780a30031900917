"""Rows of the ledger, as a send writes them."""

from __future__ import annotations

import secrets
import time
from typing import Any

from airflow_provider_d360.api.privacy import mask_number
from airflow_provider_d360.store import Entry, State, Store

NUMBER = "4915112345678"


def record(store: Store, message_id: str | None = None, *, to: str = NUMBER, **known: Any) -> Entry:
    """Write a message into the ledger: by default one that a task sent a minute ago."""
    scope = secrets.token_hex(16)
    fields = {
        "id": secrets.token_hex(16), "scope": scope, "content": "c", "state": State.ACCEPTED, "source": "task",
        "conn_id": "d360_default", "dag_id": "shop", "run_id": "scheduled__2026-01-01T00:00:00+00:00",
        "task_id": "tell", "map_index": -1, "try_number": 1, "recipient": mask_number(to),
        "recipient_hash": store.ledger.hash("recipient", to), "intent": None, "message_id": message_id,
        "at": time.time() - 60, **known,
    }  # fmt: skip
    entry = Entry(**fields)
    store.ledger.change(scope, lambda entries: (None, [entry]), None)
    return entry


def outside(**known: Any) -> dict[str, Any]:
    """Describe a message that a hook sent outside of a task."""
    nowhere = {"dag_id": "", "run_id": "", "task_id": "", "map_index": -1, "try_number": 0}
    return {"source": "hook", **nowhere, **known}

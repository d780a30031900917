"""A store into which messages of people come, as a receiver would write them."""

from __future__ import annotations

import itertools
import time
import types
from typing import Any

from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.store import Store

ANN, BOB, EVE = "4915112345689", "4915112345670", "4915199999999"
_numbers = itertools.count()


def arrive(
    store: Store,
    content: str | dict[str, Any],
    *,
    sender: str = ANN,
    reply_to: str | None = None,
    message_id: str | None = None,
    at: float | None = None,
    received_at: float | None = None,
) -> str:
    """Let a message come in, and return its id."""
    message_id = message_id or f"wamid.in{next(_numbers)}"
    body = {"type": "text", "text": {"body": content}} if isinstance(content, str) else content
    message = {"from": sender, "id": message_id, "timestamp": str(int(at or time.time())), **body}
    if reply_to is not None:
        message["context"] = {"id": reply_to}
    value = {"messages": [message], "metadata": {"display_phone_number": "4930123456700"}}
    store.add(
        read_events({"entry": [{"changes": [{"field": "messages", "value": value}]}]}),
        time.time() if received_at is None else received_at,
    )
    return message_id


def deliver(store: Store, emulator: Any) -> None:
    """Take what an emulator has to deliver to a webhook into the store, as the receiver would; once each."""
    for delivery in emulator.wait_for_deliveries():
        store.add(read_events(delivery.body), time.time())


def context(**fields: Any) -> dict[str, Any]:
    """Make the context of a task, with what is pushed to XCom in ``ti.pushed``."""
    pushed: dict[str, Any] = {}
    place = {
        "dag_id": "dag",
        "run_id": "run",
        "task_id": "ask",
        "map_index": -1,
        "max_tries": 0,
        "try_number": 1,
    }
    ti = types.SimpleNamespace(
        **{**place, **fields}, pushed=pushed, xcom_push=lambda key, value: pushed.__setitem__(key, value)
    )
    return {"ti": ti}

"""Items of deliveries that are not understood, as rows of the inbox: stored as they were delivered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from airflow_provider_d360.api.events import Event, UnknownEvent
from airflow_provider_d360.store.rows import storable_json

RAW_TYPE = "d360:raw"


def raw_rows(events: Iterable[Event], received_at: float) -> list[dict[str, Any]]:
    """
    Make one row for each different unknown event, in the order of their keys.

    The id is a hash of the content, so that an item that is delivered again makes no second row.

    :param events: Events of any kind; others are left out.
    :param received_at: When they were received, in Unix seconds.
    """
    contents = (storable_json(event.raw) for event in events if isinstance(event, UnknownEvent))
    rows = {row["message_id"]: row for row in (raw_row(content, received_at) for content in contents)}
    return [rows[key] for key in sorted(rows)]


def raw_row(content: str, received_at: float) -> dict[str, Any]:
    """
    Make the row of one item.

    :param content: The item, in JSON.
    :param received_at: When it was received, in Unix seconds.
    """
    digest = hashlib.sha256(content.encode()).hexdigest()
    row = dict.fromkeys(("sender", "sender_user_id", "at", "reply_to", "number"))
    return {
        **row,
        "message_id": f"{RAW_TYPE}:{digest}",
        "type": RAW_TYPE,
        "received_at": received_at,
        "content": content,
    }

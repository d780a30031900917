"""The identity of a message: it is sent once, whichever process sends it and whatever Airflow does."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail

_lock = threading.Lock()
_positions: Counter[tuple[str, ...]] = Counter()
_counted_for: list[Place] = []


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where in Airflow a message is sent.

    :param dag_id: The DAG.
    :param run_id: The run of the DAG.
    :param run: What names the run even when it is deleted and run again: its logical date, if it has one.
    :param task_id: The task.
    :param map_index: The index of a mapped task; -1 without mapping.
    :param try_number: The try of the task, from 1.
    :param round: Changes with each *Clear*, and with nothing else; the same for all tasks that were cleared
        together.
    :param stage: Changes when the task resumes after a deferral or a reschedule; a restart of the same try
        has the same one.
    :param state: Airflow's ``task_state_store``; None before Airflow 3.3.
    """

    dag_id: str
    run_id: str
    run: str
    task_id: str
    map_index: int
    try_number: int
    round: str
    stage: str = ""
    state: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """
    What identifies a message that must be sent once.

    :param scope: The key of one ledger entry, or of all entries of one person in one task, before hashing.
    :param single: True: the scope is one message. False: all messages of a task to this person.
    :param kept: Never purge the entry: a user gave its key.
    """

    scope: tuple[str, ...]
    single: bool
    kept: bool


def identity(
    conn_id: str, base_url: str, recipient: str, place: Place | None, key: str | None, *, own_key: bool = True
) -> Identity | None:
    """
    Return the identity of a message; None outside of a task without a key, where each call is a new message.

    It does not include the text (which may contain the time of day), the mapped index (which may shift), the
    try number, or the API key (which is rotated).

    :param conn_id: The Airflow connection.
    :param base_url: The base URL of the service.
    :param recipient: The recipient, as :func:`~airflow_provider_d360.api.recipients.canonical` returns it.
    :param place: Where in Airflow it is sent.
    :param key: An idempotency key.
    :param own_key: Whether a user gave the key.
    """
    if key is not None:
        return Identity((conn_id, base_url, "key", key, recipient), single=True, kept=own_key)
    if place is not None:
        scope = (conn_id, base_url, "task", place.dag_id, place.run, place.task_id, recipient)
        return Identity(scope, single=False, kept=False)
    return None


def read_key(key: object) -> str | None:
    """
    Read an idempotency key.

    :param key: What the user gave; None for none.
    :raises D360RequestError: when it is no text, or names nothing.
    """
    if key is None:
        return None
    text = str(key).strip() if isinstance(key, str | int) and not isinstance(key, bool) else ""
    if text in ("", "None", "nan"):
        raise D360RequestError(
            ErrorDetail(
                "idempotency_key is empty or no text, and names nothing",
                "Give what must be sent once, such as 'invoice 17', or leave it out.",
            )
        )
    return text


def fingerprint(*parts: object) -> str:
    """
    Name these parts: the same parts have the same name. Only for parts that are not private.

    :param parts: Anything that JSON can express; other things count by their text.
    """
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def next_position(place: Place, scope: tuple[str, ...]) -> int:
    """
    Count the messages of a task to one person: 0 for the first.

    :param place: The task, its try and stage.
    :param scope: The scope of the messages.
    """
    with _lock:
        if _counted_for != [place]:  # a process runs one task at a time
            _counted_for[:] = [place]
            _positions.clear()
        _positions[scope] += 1
        return _positions[scope] - 1

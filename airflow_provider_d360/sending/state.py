"""
Airflow's state for a task instance (3.3 and later), as a second ledger.

A store on one machine's disk cannot prove that another machine has sent nothing. The state can, for the
retries and *Clears* of one task instance.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from airflow_provider_d360.store.entries import Entry, State

T = TypeVar("T")
_lock = threading.Lock()  # the threads of a task write in turns: it is read and written back as a whole

_FIELDS = (
    *("id", "content", "intent", "message_id", "at"),
    *("claim_round", "claim_index", "claim_try", "claim_place", "claim_exact", "sent_round"),
)


class TaskState:
    """
    The entries of one scope in the state of a task instance.

    Its hashes depend on the API key, the ledger's hashes on the store's secret: contents are translated.

    :param state: Airflow's ``task_state_store``.
    :param key: The name that the entries are kept under.
    :param hash_: Hashes values under the API key. Entries under another key count as this very message.
    :param scope: The scope.
    :param content: The content of the message that is sent, and its hash in the claim.
    :param store_id: Names the store that was asked, too; empty if there was none. Entries that were written
        beside the same store are left to it: it knows better.
    :param sender: An entry with the fields that are not kept here.
    """

    def __init__(
        self,
        state: Any,
        key: str,
        hash_: Callable[..., str],
        scope: tuple[str, ...],
        content: tuple[object, str],
        store_id: str,
        sender: Entry,
    ) -> None:
        self._state, self._key, self._store_id, self._sender = state, key, store_id, sender
        self._scope, self._secret = hash_(*scope), hash_()
        self._content, self._claimed_content = hash_("content", content[0]), content[1]

    def entries(self) -> list[Entry]:
        """Return the entries that were not written beside the same store, oldest first."""
        return self._entries(self._rows())

    def change(self, decide: Callable[[list[Entry]], tuple[T, Sequence[Entry]]]) -> T:
        """
        Change the entries.

        :param decide: Gets the entries and returns a result, and the entries to write.
        """
        with _lock:
            rows = self._rows()  # each look is a request to Airflow's API server
            result, changed = decide(self._entries(rows))
            by_id = {row["id"]: row for row in rows}
            for entry in changed:
                if entry.state is not State.WITHHELD:
                    by_id[entry.id] = self._row(entry)
            if changed:
                self._state.set(self._key, {"entries": _newest_of_each_place(by_id.values())})
            return result

    def conclude(self, token: str, state: State, message_id: str | None, reason: str | None) -> None:
        """
        Write the outcome of a send.

        :param token: The name of the send.
        :param state: What is known of it.
        :param message_id: Its message's id, if there is one.
        :param reason: Not kept here.
        """
        outcome = {"state": state.value, "message_id": message_id}
        with _lock:
            rows = [{**row, **outcome} if row["intent"] == token else row for row in self._rows()]
            self._state.set(self._key, {"entries": rows})

    def _entries(self, rows: Sequence[dict[str, Any]]) -> list[Entry]:
        return [self._read(row) for row in rows if self._counts(row)]

    def _rows(self) -> list[dict[str, Any]]:
        value = self._state.get(self._key)
        rows = value.get("entries") if isinstance(value, dict) else None
        names = {*_FIELDS, "state", "scope", "secret", "store"}
        return [row for row in rows or [] if isinstance(row, dict) and row.keys() == names]

    def _counts(self, row: dict[str, Any]) -> bool:
        is_in_scope = row["scope"] == self._scope or row["secret"] != self._secret
        return is_in_scope and (not self._store_id or row["store"] != self._store_id)

    def _read(self, row: dict[str, Any]) -> Entry:
        entry = replace(self._sender, state=State(row["state"]), **{name: row[name] for name in _FIELDS})
        if row["secret"] != self._secret:
            return replace(entry, content=None)
        return replace(entry, content=self._claimed_content) if entry.content == self._content else entry

    def _row(self, entry: Entry) -> dict[str, Any]:
        row = {name: getattr(entry, name) for name in _FIELDS}
        if entry.content == self._claimed_content:
            row["content"] = self._content
        names = {"scope": self._scope, "secret": self._secret, "store": self._store_id}
        return {**row, "state": entry.state.value, **names}


def _newest_of_each_place(rows: Any) -> list[dict[str, Any]]:
    """Keep the rows small: of the entries that one place claimed in a round, the newest is enough."""
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["at"]):
        # What a place has released is not held by it any more: each such entry stands for itself.
        place = row["claim_place"] if row["claim_round"] else row["id"]
        newest[row["store"], row["scope"], row["claim_round"], row["claim_index"], place] = row
    return list(newest.values())

"""
The ledger: every message that was about to be sent, and its outcome.

It keeps no text and no whole number: contents, recipients and keys are hashed under the store's secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, insert, or_, select, update

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.entries import (
    ENTRY_COLUMNS,
    LEDGER,
    UNSETTLED,
    Entry,
    OldSender,
    State,
    entry_row,
    read_entry,
)
from airflow_provider_d360.store.rate_leases import RateLeases
from airflow_provider_d360.store.rows import chunks, correct_future, count_rows, delete_rows
from airflow_provider_d360.store.secret import Secret
from airflow_provider_d360.store.statuses import STATUSES
from airflow_provider_d360.store.suppression import Suppressions

T = TypeVar("T")

_ALL = select(*ENTRY_COLUMNS)
_UPDATE = update(LEDGER)
_IS_OPEN = LEDGER.c.message_id.is_(None)  # a status proves more than a refusal, or somebody's judgement
# Made once: the receiver asks it for each transaction.
_OPEN_INTENTS = select(LEDGER.c.id, LEDGER.c.intent).where(
    LEDGER.c.intent.in_(bindparam("intents", expanding=True)), _IS_OPEN
)
# The statements of each send, made once, too: making one costs as much as running it.
_OF_SCOPE = _ALL.where(LEDGER.c.scope == bindparam("scope"))
_OF_OLD_SENDER = _ALL.where(
    LEDGER.c.scope.is_(None), *(LEDGER.c[field.name] == bindparam(field.name) for field in fields(OldSender))
)
_FAILED = select(STATUSES.c.message_id).where(
    STATUSES.c.message_id.in_(bindparam("message_ids", expanding=True)), STATUSES.c.status == "failed"
)
_CLAIM_SCOPE = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("scope"), 360)))
_LOCKED_OF_SCOPE, _LOCKED_OF_OLD_SENDER = (
    query.order_by(LEDGER.c.id).with_for_update() for query in (_OF_SCOPE, _OF_OLD_SENDER)
)
_INSERT = insert(LEDGER)
_REPLACE = _UPDATE.where(LEDGER.c.id == bindparam("entry_id"))
_CONCLUDE = _UPDATE.where(LEDGER.c.intent == bindparam("of_intent"))
_WENT_OUT = (State.ACCEPTED, State.HELD)
# A status that came before the response has settled it.
_CONCLUDE_UNSETTLED = _CONCLUDE.where(LEDGER.c.state.not_in([state.value for state in _WENT_OUT]))


class Ledger:
    """
    The table of the ledger. Its methods raise ``StoreUnavailableError`` while the database cannot be used.

    :ivar hash: Hashes values under the secret of the store: see :meth:`Secret.hash`.
    :ivar suppressions: Who must not be written to.
    :ivar rate_leases: When each number may send, where several machines share the store; None for a file.
    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.suppressions = Suppressions(database)
        is_shared = database.url.get_backend_name() == "postgresql"
        self.rate_leases = RateLeases(database) if is_shared else None
        self._secret = Secret(database)
        self.hash = self._secret.hash

    def entries(self, scope: str, old: OldSender | None = None) -> list[Entry]:
        """
        Return the entries of a scope, oldest first.

        :param scope: The scope.
        :param old: Find rows of a store from before the ledger by this, too.
        """
        return self._database.read(lambda connection: _entries(connection, scope, old))

    def change(
        self, scope: str, decide: Callable[[list[Entry]], tuple[T, Sequence[Entry]]], old: OldSender | None
    ) -> T:
        """
        Change the entries of a scope in one transaction, while nobody else changes them.

        :param scope: The scope.
        :param decide: Gets its entries and returns a result, and the entries to write. It may run several
            times; at most one of them is committed.
        :param old: As in :meth:`entries`.
        """

        def work(connection: Connection) -> T:
            if connection.dialect.name == "postgresql":
                connection.execute(_CLAIM_SCOPE, {"scope": scope})
            self._secret.check(connection)
            entries = _entries(connection, scope, old, lock=True)
            known = {entry.id for entry in entries}
            result, changed = decide(entries)
            for entry in changed:
                row = entry_row(replace(entry, scope=scope))
                if entry.id in known:
                    connection.execute(_REPLACE, {"entry_id": entry.id, **row})
                else:
                    connection.execute(_INSERT, row)
            return result

        return self._database.write(work)

    def conclude(self, intent: str, state: State, message_id: str | None, reason: str | None) -> None:
        """
        Write the outcome of an intent.

        :param intent: The intent.
        :param state: What is known of it.
        :param message_id: Its message's id, if there is one. None changes nothing.
        :param reason: Why it was refused or is held.
        """
        values: dict[str, Any] = {"of_intent": intent, "state": state.value, "reason": reason}
        if message_id is not None:
            values |= _message(message_id)
        statement = _CONCLUDE if state in _WENT_OUT else _CONCLUDE_UNSETTLED
        self._database.write(lambda connection: connection.execute(statement, values).rowcount)

    def find(self, entry_id: str) -> Entry | None:
        """
        Return an entry, or None.

        :param entry_id: Its id, or the short form of its message's id.
        """
        query = _ALL.where(or_(LEDGER.c.id == entry_id, LEDGER.c.short_id == entry_id)).limit(1)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return read_entry(rows[0]) if rows else None

    def unsettled(self, *, older_than: float, dag_ids: Sequence[str] | None = None) -> list[Entry]:
        """
        Return the messages that a person must judge: unknown, withheld, and intents without an outcome.

        :param older_than: Only intents older than this, in Unix seconds: the others are being sent.
        :param dag_ids: Only messages of these DAGs; None for all.
        """
        conditions = [_is_unsettled(older_than)]
        if dag_ids is not None:
            conditions.append(LEDGER.c.dag_id.in_(dag_ids))
        query = _ALL.where(*conditions).order_by(LEDGER.c.at)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [read_entry(row) for row in rows]

    def resolve(self, entry_id: str, *, sent: bool, older_than: float) -> bool:
        """
        Settle one message of :meth:`unsettled`, and return whether it was there.

        :param entry_id: Its id.
        :param sent: Whether it went out. If not, the next *Clear* sends it.
        :param older_than: As in :meth:`unsettled`.
        """
        state = State.ACCEPTED if sent else State.REFUSED
        values = {"state": state.value, "reason": f"settled by hand: {'sent' if sent else 'not sent'}"}
        statement = _UPDATE.where(LEDGER.c.id == entry_id, _is_unsettled(older_than)).values(values)
        return self._database.write(lambda connection: connection.execute(statement).rowcount) > 0

    def settle(self, connection: Connection, message_ids: Mapping[str, str]) -> None:
        """
        Mark messages as accepted because statuses of them have come.

        :param connection: A connection in a transaction that writes.
        :param message_ids: The message id of each intent.
        """
        rows = [
            row
            for chunk in chunks(list(message_ids))
            for row in connection.execute(_OPEN_INTENTS, {"intents": chunk})
        ]
        for row in sorted(rows):  # in one order everywhere, or two processes wait for each other's rows
            values = {"state": State.ACCEPTED.value, **_message(message_ids[row.intent])}
            # Meanwhile another intent may have taken the entry's place.
            statement = _UPDATE.where(LEDGER.c.id == row.id, LEDGER.c.intent == row.intent, _IS_OPEN)
            connection.execute(statement.values(values))

    def count(self) -> int:
        """Count the rows."""
        return count_rows(self._database, LEDGER)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete entries from before a time, and return how many. Those under a user's own key stay.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later ones were written while a clock was wrong.
        """
        correct_future(self._database, LEDGER, ["at"], now)
        return delete_rows(self._database, LEDGER, (LEDGER.c.at < older_than) & LEDGER.c.kept.is_(False))


def _message(message_id: str) -> dict[str, str]:
    return {"message_id": message_id, "short_id": short_id(message_id)}


def _is_unsettled(older_than: float) -> ColumnElement[bool]:
    state = LEDGER.c.state
    return or_(
        state.in_([one.value for one in UNSETTLED]),
        and_(state == State.INTENDED.value, LEDGER.c.at < older_than),
    )


def _entries(connection: Connection, scope: str, old: OldSender | None, *, lock: bool = False) -> list[Entry]:
    """Read the entries of a scope; locked, they keep outcomes and statuses waiting that change them."""
    rows = list(connection.execute(_LOCKED_OF_SCOPE if lock else _OF_SCOPE, {"scope": scope}).mappings())
    if old is not None:
        query = _LOCKED_OF_OLD_SENDER if lock else _OF_OLD_SENDER
        rows += connection.execute(query, asdict(old)).mappings()
    entries = sorted((read_entry(row) for row in rows), key=lambda entry: (entry.at, entry.id))
    failed = _failed(connection, [entry.message_id for entry in entries if entry.message_id])
    return [replace(entry, failed=True) if entry.message_id in failed else entry for entry in entries]


def _failed(connection: Connection, message_ids: Sequence[str]) -> set[str]:
    failed: set[str] = set()
    for chunk in chunks(message_ids):
        failed.update(connection.execute(_FAILED, {"message_ids": chunk}).scalars())
    return failed

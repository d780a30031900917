"""
Suppression: who asked for no more messages.

Besides the inbox, this is the one table with whole numbers: a list of opt-outs that nobody can export would
be of no use. The number goes when the opt-out is lifted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial

from sqlalchemy import Connection, case, select, tuple_, update

from airflow_provider_d360.api.events import Event
from airflow_provider_d360.api.opt_outs import Keywords, read_opt_outs
from airflow_provider_d360.api.people import person
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.opt_outs import (
    SUPPRESSIONS,
    UPSERTS,
    Origin,
    Scope,
    Suppression,
    select_opt_outs,
)
from airflow_provider_d360.store.rows import (
    Row,
    correct_future,
    count_rows,
    delete_rows,
    is_among,
    storable_text,
)
from airflow_provider_d360.store.secret import Secret

_ROWS_AT_ONCE = 1_000
_ACTIVE = select(SUPPRESSIONS).where(SUPPRESSIONS.c.active)


class Suppressions:
    """
    The table of opt-outs. Its methods raise ``StoreUnavailableError`` while the database cannot be used.

    Recipients are given as :func:`~airflow_provider_d360.api.recipients.canonical` returns them. A person has
    up to two rows, one for each :class:`Origin`.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._secret = Secret(database)

    def key(self, recipient: str) -> str:
        """
        Hash a recipient as the ledger does; all spellings of a number have the same hash.

        :param recipient: The recipient.
        """
        return self._secret.hash("recipient", person(recipient))

    def find(self, recipients: Iterable[str], *, marketing: bool) -> dict[str, Suppression]:
        """
        Return the opt-outs of those who must not get a message, by recipient; one query for any number.

        If the store was replaced by another one meanwhile, nobody is found until the next write notices it:
        the intent of a message, without which it is not sent.

        :param recipients: The recipients.
        :param marketing: Whether the message is marketing. If not, only opt-outs of all messages count.
        """
        keys = {recipient: self.key(recipient) for recipient in recipients}
        strongest = self.find_persons(keys.values(), marketing=marketing)
        return {recipient: strongest[key] for recipient, key in keys.items() if key in strongest}

    def find_persons(self, persons: Collection[str], *, marketing: bool) -> dict[str, Suppression]:
        """
        Do the same as :meth:`find` for people whose hashes are known.

        :param persons: The hashes, as :meth:`key` returns them.
        :param marketing: As in :meth:`find`.
        """
        if not persons:
            return {}
        rows = self._database.read(lambda connection: self._select(connection, list(persons)))
        strongest: dict[str, Suppression] = {}
        for row in rows:
            known = strongest.get(row.person)
            if (marketing or row.scope is Scope.ALL) and (known is None or row.strength > known.strength):
                strongest[row.person] = row
        return strongest

    def add(
        self,
        recipients: Iterable[str],
        *,
        scope: Scope,
        source: str,
        at: float,
        reason: str | None = None,
    ) -> None:
        """
        Add people to the list. People who are on it stay there, with the wider scope.

        :param recipients: The recipients.
        :param scope: Which messages they do not get.
        :param source: Who adds them: ``operator``, ``hook``, ``cli`` or ``import``.
        :param at: Since when, in Unix seconds.
        :param reason: Why; at most 512 characters.
        """
        rows = [self.row(each, Origin.OWN, scope, source, reason, at) for each in dict.fromkeys(recipients)]
        rows = list({row["person"]: row for row in rows}.values())
        rows.sort(key=lambda row: str(row["person"]))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            self._database.write(partial(self.insert, rows=rows[start : start + _ROWS_AT_ONCE]))

    def add_refused(self, recipient: str, at: float) -> None:
        """
        Write that WhatsApp refused a message because this person stopped marketing messages: code 131050.

        :param recipient: The recipient.
        :param at: When, in Unix seconds.
        """
        row = self.row(recipient, Origin.PERSON, Scope.MARKETING, "131050", None, at)
        self._database.write(partial(self.insert, rows=[row]))

    def remove(self, recipients: Iterable[str], *, source: str, at: float, reason: str | None = None) -> int:
        """
        Lift the opt-outs of these people, however they were added, and return how many were on the list.

        :param recipients: The recipients.
        :param source: Who removes them.
        :param at: The time, in Unix seconds. What a person sends later counts again.
        :param reason: Why; at most 512 characters.
        """
        keys = {"keys": json.dumps([self.key(recipient) for recipient in recipients])}
        later = case((SUPPRESSIONS.c.at < at, at), else_=SUPPRESSIONS.c.at)
        values = {"recipient": None, "source": source, "reason": storable_text(reason), "at": later}

        def work(connection: Connection) -> int:
            self._secret.check(connection)
            is_one = is_among(SUPPRESSIONS.c.person, connection)
            people = {
                row.person
                for row in select_opt_outs(connection, _ACTIVE.where(is_one).with_for_update(), keys)
            }
            statement = update(SUPPRESSIONS).where(SUPPRESSIONS.c.active, is_one)
            connection.execute(statement.values(values | {"active": False}), keys)
            return len(people)

        removed = self._database.write(work)
        self._database.erase_deleted()  # the numbers
        return removed

    def all(self) -> Iterator[Suppression]:
        """Return all opt-outs, in no meaningful sequence, read in pieces."""
        after = ("", "")
        keys = tuple_(SUPPRESSIONS.c.person, SUPPRESSIONS.c.origin)
        query = _ACTIVE.order_by(*keys.clauses).limit(_ROWS_AT_ONCE)
        while True:
            rows = self._database.read(partial(select_opt_outs, query=query.where(keys > after)))
            yield from rows
            if len(rows) < _ROWS_AT_ONCE:
                return
            after = (rows[-1].person, rows[-1].origin.value)

    def row(
        self,
        recipient: str,
        origin: Origin,
        scope: Scope,
        source: str,
        reason: str | None,
        at: float,
        *,
        active: bool = True,
    ) -> Row:
        """
        Make a row.

        :param recipient: The recipient.
        :param origin: Whose wish it is.
        :param scope: Which messages it is about.
        :param source: Where it comes from.
        :param reason: Why.
        :param at: Since when, in Unix seconds.
        :param active: False if this lifts an opt-out.
        """
        return {
            "person": self.key(recipient),
            "origin": origin.value,
            "recipient": storable_text(recipient) if active else None,
            "scope": scope.value,
            "source": storable_text(source),
            "reason": storable_text(reason),
            "at": at,
            "active": active,
        }

    def rows(self, events: Iterable[Event], received_at: float, words: Keywords) -> list[Row]:
        """
        Make rows of the wishes that events express.

        :param events: Any events.
        :param received_at: When they were received, in Unix seconds.
        :param words: The words by which people opt out and in.
        """
        rows = [
            self.row(
                recipient,
                Origin.PERSON,
                Scope.ALL if wish.everything else Scope.MARKETING,
                wish.source,
                wish.word,
                # No later than it came: a time from the future would outlast whatever follows.
                min(wish.at or received_at, received_at),
                active=wish.stops,
            )
            for wish in read_opt_outs(events, words)
            for recipient in wish.recipients
        ]
        return sorted(rows, key=lambda row: (row["person"], row["at"]))

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """
        Write rows, in whatever sequence they come: of one person's wishes, the newest counts.

        An opt-out of marketing does not narrow one of all messages, and a wish for marketing does not lift
        one.

        :param connection: A connection in a transaction that writes.
        :param rows: Rows of :meth:`row`, sorted by person and origin, or two processes may wait for each
            other.
        """
        if rows:
            self._secret.check(connection)
            connection.execute(UPSERTS[connection.dialect.name], rows)

    def count(self) -> int:
        """Count the rows, including opt-outs that were lifted."""
        return count_rows(self._database, SUPPRESSIONS)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete what is known of opt-outs that were lifted before a time, and return how many. Others stay.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later ones were written while a clock was wrong.
        """
        correct_future(self._database, SUPPRESSIONS, ["at"], now)
        is_lifted = SUPPRESSIONS.c.active.is_(False)
        return delete_rows(self._database, SUPPRESSIONS, is_lifted & (SUPPRESSIONS.c.at < older_than))

    def _select(self, connection: Connection, keys: list[str]) -> list[Suppression]:
        query = _ACTIVE.where(is_among(SUPPRESSIONS.c.person, connection))
        return select_opt_outs(connection, query, {"keys": json.dumps(keys)})

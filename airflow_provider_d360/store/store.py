"""Statuses, inbox and outbox: what is written into them, and what is asked of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import URL, Column, ColumnElement, Connection, Table, and_, delete, func, select, tuple_
from sqlalchemy.exc import DataError

from airflow_provider_d360.api.events import Event
from airflow_provider_d360.store.alerts import Alerts
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.inserts import write_rows
from airflow_provider_d360.store.records import (
    InboxMessage,
    OutboxEntry,
    Row,
    SentMessage,
    Status,
    inbox_message,
    inbox_rows,
    outbox_row,
    status_rows,
)
from airflow_provider_d360.store.tables import ALERTS, INBOX, OUTBOX, STATUSES

log = logging.getLogger(__name__)

ACCEPTED = "accepted"  # stands for the status of a message that nothing is known about yet

_CHUNK = 500  # SQLite allows some thousand parameters per statement, old ones less than one
_PURGE_CHUNK = 500  # on SQLite nobody else writes meanwhile


class Store:
    """
    The store, with all that may be done to it.

    Every method raises ``StoreUnavailableError`` when the database stays locked or away.

    It keeps no text that we sent, and numbers only masked. The inbox keeps what people sent to us, as it
    came: that is private, and what ``purge`` is for.

    :param url: ``sqlite:////path/to/file`` or ``postgresql://user:password@host/database``. Nothing is
        opened before the first use.
    :param synchronous: What a commit survives on SQLite: ``NORMAL`` the end of any process, ``FULL`` a power
        cut as well.
    :param patience_seconds: How long to try again while the database is locked or away.
    """

    def __init__(self, url: str | URL, *, synchronous: str = "NORMAL", patience_seconds: float = 3.0) -> None:
        self._database = Database(url, synchronous=synchronous, patience_seconds=patience_seconds)

    @property
    def alerts(self) -> Alerts:
        """Which alerts went out, and what was held back since."""
        return Alerts(self._database)

    def close(self) -> None:
        self._database.close()

    def ping(self) -> None:
        """Make sure that the database answers."""
        self._database.read(lambda connection: connection.execute(select(1)))

    def add(self, events: Iterable[Event], received_at: float) -> None:
        """
        Keep events; they are committed when this returns.

        The same event again, in any order and from any process, changes nothing. Unknown events are left out.
        """
        events = list(events)
        statuses, inbox = status_rows(events, received_at), inbox_rows(events, received_at)
        if not statuses and not inbox:
            return
        try:
            self._write(statuses, inbox)
        except DataError:
            self._write_one_by_one(statuses, inbox)

    def record_sent(self, entry: OutboxEntry) -> None:
        """Keep that a message was sent."""
        row = outbox_row(entry)
        self._database.write(lambda connection: write_rows(connection, OUTBOX, [row]))

    def status_of(self, message_ids: Iterable[str]) -> dict[str, Status]:
        """
        Read the status that counts of each message, in one query for some hundred of them.

        Messages that nothing is known about are left out.
        """
        found: dict[str, Status] = {}
        for status in self._statuses(STATUSES.c.message_id, message_ids):
            known = found.get(status.message_id, status)
            status, other = (status, known) if status.rank > known.rank else (known, status)
            if status.category is None:  # WhatsApp tells the price with one status, and not with each
                status = replace(status, category=other.category, billable=other.billable)
            found[status.message_id] = status
        return found

    def find_by_intent(self, intents: Iterable[str]) -> dict[str, str]:
        """Read which message an intent became: proof that it was accepted. Others are left out."""
        wanted = list(intents)

        def work(connection: Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            for table in (STATUSES, OUTBOX):  # what was recorded at sending is the surer one
                for chunk in _chunks(wanted):
                    query = select(table.c.intent, table.c.message_id).where(table.c.intent.in_(chunk))
                    found.update((intent, message_id) for intent, message_id in connection.execute(query))
            return found

        return self._database.read(work)

    def history(self, message_id: str) -> list[Status]:
        """Read all that became of one message, in order."""
        found = self._statuses(STATUSES.c.message_id, [message_id])
        return sorted(found, key=lambda status: (status.at or status.received_at, status.rank))

    def sent(self, message_id: str) -> OutboxEntry | None:
        """Read who sent a message; ``None`` when none of our tasks did."""
        query = select(OUTBOX).where(OUTBOX.c.message_id == message_id)
        row = self._database.read(lambda connection: connection.execute(query).mappings().first())
        return None if row is None else OutboxEntry(**row)

    def recent(
        self,
        *,
        since: float,
        before: float | None = None,
        dag_ids: Sequence[str] | None = None,
        status: str | None = None,
        limit: int = 100,
    ) -> list[SentMessage]:
        """
        Read what our tasks sent, newest first.

        :param since: Not what was sent before this time.
        :param before: Not what was sent at this time or later; for the next page.
        :param dag_ids: Only what these DAGs sent.
        :param status: Only messages of this status; ``accepted`` when nothing is known yet.
        :param limit: How many at most.
        """
        conditions = _conditions(since, before, dag_ids)
        if status is not None:
            conditions.append(_current_status() == status)
        query = select(OUTBOX).where(*conditions).order_by(OUTBOX.c.at.desc()).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        statuses = self.status_of(row["message_id"] for row in rows)
        return [SentMessage(OutboxEntry(**row), statuses.get(row["message_id"])) for row in rows]

    def counts(self, *, since: float, dag_ids: Sequence[str] | None = None) -> dict[str, int]:
        """Count what our tasks sent, by status."""
        current = _current_status().label("current")
        messages = select(current).where(*_conditions(since, None, dag_ids)).subquery()
        query = select(messages.c.current, func.count()).group_by(messages.c.current)
        return self._database.read(lambda connection: {name: int(n) for name, n in connection.execute(query)})

    def dag_ids(self, *, since: float) -> set[str]:
        """Read which DAGs sent anything."""
        query = select(OUTBOX.c.dag_id).where(OUTBOX.c.at >= since).distinct()
        return set(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def newest(
        self, most: int, *, since: float, before: float | None = None, dag_ids: Sequence[str] | None = None
    ) -> float:
        """
        Say since when our tasks sent the newest ``most`` messages; ``since`` when there are no more.

        Counting, and looking for a status, cost something for each message. This is how to bound that.
        """
        conditions = _conditions(since, before, dag_ids)
        query = select(OUTBOX.c.at).where(*conditions).order_by(OUTBOX.c.at.desc()).offset(most - 1).limit(2)
        at = self._database.read(lambda connection: connection.execute(query).scalars().all())
        return at[0] if len(at) > 1 else since

    def inbox(self, *, since: float, limit: int = 1000) -> list[InboxMessage]:
        """Read what people sent to us, oldest first, from what was received at ``since`` on."""
        query = select(INBOX).where(INBOX.c.received_at >= since).order_by(INBOX.c.received_at).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [inbox_message(dict(row)) for row in rows]

    def count(self) -> dict[str, int]:
        """Count the rows of each table."""
        queries = {name: select(func.count()).select_from(table) for name, (table, _) in _BY_AGE.items()}
        return self._database.read(
            lambda connection: {
                name: int(connection.execute(query).scalar_one()) for name, query in queries.items()
            }
        )

    def purge(self, older_than: float) -> dict[str, int]:
        """
        Forget what was sent or received before a time.

        In pieces, with a pause as long as each took: SQLite lets one write at a time, and not in turn.
        """
        return {
            name: self._purge(table, and_(*(age < older_than for age in ages)))
            for name, (table, ages) in _BY_AGE.items()
        }

    def _purge(self, table: Table, condition: ColumnElement[bool]) -> int:
        key = tuple_(*table.primary_key.columns)
        piece = delete(table).where(
            key.in_(
                select(*table.primary_key.columns)
                .where(condition)
                .limit(_PURGE_CHUNK)
                .with_for_update(skip_locked=True)  # what somebody is busy with stays for the next time
            )
        )
        removed = 0
        while True:
            began = time.monotonic()
            gone = self._database.write(lambda connection: connection.execute(piece).rowcount)
            removed += gone
            if gone < _PURGE_CHUNK:
                return removed
            time.sleep(time.monotonic() - began)

    def _statuses(self, column: ColumnElement[Any], values: Iterable[str]) -> list[Status]:
        wanted = list(values)

        def work(connection: Connection) -> list[Status]:
            return [
                Status(**row)
                for chunk in _chunks(wanted)
                for row in connection.execute(select(STATUSES).where(column.in_(chunk))).mappings()
            ]

        return self._database.read(work)

    def _write(self, statuses: Sequence[Row], inbox: Sequence[Row]) -> None:
        def work(connection: Connection) -> None:
            write_rows(connection, STATUSES, statuses)
            write_rows(connection, INBOX, inbox)

        self._database.write(work)

    def _write_one_by_one(self, statuses: Sequence[Row], inbox: Sequence[Row]) -> None:
        """Keep what the database takes: one row that it refuses must not stand in the way of the others."""
        for row in statuses:
            self._write_or_lose([row], [])
        for row in inbox:
            self._write_or_lose([], [row])

    def _write_or_lose(self, statuses: Sequence[Row], inbox: Sequence[Row]) -> None:
        try:
            self._write(statuses, inbox)
        except DataError as error:
            log.error("An event is lost, the database refuses it: %s", type(error.orig).__name__)


# Each table with the columns that tell how old a row is: all of them must be.
_BY_AGE: dict[str, tuple[Table, Sequence[Column[float]]]] = {
    "statuses": (STATUSES, [STATUSES.c.received_at]),
    "inbox": (INBOX, [INBOX.c.received_at]),
    "outbox": (OUTBOX, [OUTBOX.c.at]),
    "alerts": (ALERTS, [ALERTS.c.since, ALERTS.c.quiet_until]),
}


def _current_status() -> ColumnElement[str]:
    newest = (
        select(STATUSES.c.status)
        .where(STATUSES.c.message_id == OUTBOX.c.message_id)
        .order_by(STATUSES.c.rank.desc())
        .limit(1)
    )
    return func.coalesce(newest.scalar_subquery(), ACCEPTED)


def _conditions(
    since: float, before: float | None, dag_ids: Sequence[str] | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [OUTBOX.c.at >= since]
    if before is not None:
        conditions.append(OUTBOX.c.at < before)
    if dag_ids is not None:
        conditions.append(OUTBOX.c.dag_id.in_(dag_ids))
    return conditions


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))

"""
Cursors of the inbox: what a named reader has read.

A cursor is a set of marks with a floor below which everything counts as read. A mere position would skip
messages: several receivers commit in another order than their clocks show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    String,
    Table,
    and_,
    delete,
    exists,
    func,
    select,
    update,
)

from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.incoming import INBOX
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.raw import RAW_TYPE
from airflow_provider_d360.store.rows import Insert, Row, chunks, correct_future, count_rows

CURSORS = Table(
    "d360_cursors",
    METADATA,
    Column("name", String, primary_key=True),
    Column("floor", Double, nullable=False),
    Column("read_at", Double, nullable=False),
)
READS = Table(
    "d360_cursor_reads",
    METADATA,
    Column("cursor", String, primary_key=True),
    Column("message_id", String, primary_key=True),
    Column("received_at", Double, nullable=False),
)

OWN_PREFIX = "d360:"  # of cursors of this package, for which a purge keeps nothing
BEGINS_BEFORE_SECONDS = 86_400.0  # a new cursor has not read the messages of this time
_OVERLAP_SECONDS = 3600.0  # a message that is committed later than others by less is not skipped

_INSERT_CURSOR = Insert(CURSORS)
_INSERT_READS = Insert(READS)


@dataclass(frozen=True, slots=True)
class Backlog:
    """
    The unread messages of a cursor.

    :param name: The cursor.
    :param messages: How many messages it has not read.
    :param oldest: When the oldest of them was received, in Unix seconds; None if everything was read.
    """

    name: str
    messages: int
    oldest: float | None


class Cursors:
    """
    The table of cursors. Its methods raise ``StoreUnavailableError`` while the database cannot be used.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, name: str, now: float) -> None:
        """
        Create a cursor unless it exists. It begins with the messages of the last 24 hours.

        :param name: The cursor.
        :param now: The time, in Unix seconds.
        """
        query = select(CURSORS.c.name).where(CURSORS.c.name == name)
        if self._database.read(lambda connection: connection.execute(query).scalar()) is None:
            row = {"name": name, "floor": now - BEGINS_BEFORE_SECONDS, "read_at": now}
            self._database.write(lambda connection: _INSERT_CURSOR.execute(connection, [row]))

    def read_at(self, name: str) -> float:
        """
        Return when messages were last marked as read, in Unix seconds; 0 if there is no such cursor.

        :param name: The cursor.
        """
        query = select(CURSORS.c.read_at).where(CURSORS.c.name == name)
        return float(self._database.read(lambda connection: connection.execute(query).scalar()) or 0.0)

    def acknowledge(self, name: str, messages: Mapping[str, float], now: float) -> None:
        """
        Mark messages as read. A second time changes nothing.

        :param name: The cursor.
        :param messages: When each was received, in Unix seconds, by its id.
        :param now: The time, in Unix seconds.
        """
        if not messages:
            return
        self.ensure(name, now)

        def row(message_id: str) -> Row:
            return {"cursor": name, "message_id": message_id, "received_at": messages[message_id]}

        def work(connection: Connection) -> None:
            floor = _lock(connection, name)
            if floor is None:  # it was forgotten meanwhile
                return
            for chunk in chunks(sorted(messages)):
                _INSERT_READS.execute(connection, [row(message_id) for message_id in chunk])
            floor = max(floor, _new_floor(connection, name))
            connection.execute(update(CURSORS).where(CURSORS.c.name == name).values(floor=floor, read_at=now))
            connection.execute(delete(READS).where((READS.c.cursor == name) & (READS.c.received_at < floor)))

        self._database.write(work)

    def skip(self, name: str, before: float) -> None:
        """
        Count everything as read that was received before a time.

        :param name: The cursor.
        :param before: In Unix seconds.
        """
        is_lower = (CURSORS.c.name == name) & (CURSORS.c.floor < before)

        def work(connection: Connection) -> None:
            if connection.execute(update(CURSORS).where(is_lower).values(floor=before)).rowcount:
                connection.execute(delete(READS).where(READS.c.cursor == name, READS.c.received_at < before))

        self._database.write(work)

    def forget(self, name: str) -> bool:
        """
        Delete a cursor; return False if it does not exist. A purge then keeps no messages for it.

        :param name: The cursor.
        """

        def work(connection: Connection) -> bool:
            connection.execute(delete(READS).where(READS.c.cursor == name))
            return connection.execute(delete(CURSORS).where(CURSORS.c.name == name)).rowcount > 0

        return self._database.write(work)

    def backlogs(self, received_before: float) -> list[Backlog]:
        """
        Return the backlog of each cursor, by name: unread messages that were received before a time.

        :param received_before: In Unix seconds.
        """
        unread = is_unread() & (INBOX.c.received_at < received_before)
        query = (
            select(CURSORS.c.name, func.count(INBOX.c.message_id), func.min(INBOX.c.received_at))
            .select_from(CURSORS)
            .join(INBOX, unread, isouter=True)
            .group_by(CURSORS.c.name)
            .order_by(CURSORS.c.name)
        )
        rows: Sequence[tuple[str, int, float | None]] = self._database.read(
            lambda connection: [tuple(row) for row in connection.execute(query)]
        )
        return [Backlog(*row) for row in rows]

    def count(self) -> int:
        """Count the cursors."""
        return count_rows(self._database, CURSORS)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete nothing, since a cursor is somebody's; correct the times of a wrong clock.

        :param older_than: Not used.
        :param now: The time, in Unix seconds; later ones were written while a clock was wrong.
        """
        correct_future(self._database, CURSORS, ["floor", "read_at"], now)
        correct_future(self._database, READS, ["received_at"], now)
        return 0


def is_unread() -> ColumnElement[bool]:
    """Return the condition that the cursor of a row has not read a message of the inbox."""
    is_same = and_(READS.c.cursor == CURSORS.c.name, READS.c.message_id == INBOX.c.message_id)
    is_marked = exists().where(is_same).correlate(CURSORS, INBOX)
    return (INBOX.c.received_at >= CURSORS.c.floor) & (INBOX.c.type != RAW_TYPE) & ~is_marked


def _lock(connection: Connection, name: str) -> float | None:
    """Return the floor of a cursor, and lock its row until the transaction ends."""
    query = select(CURSORS.c.floor).where(CURSORS.c.name == name).with_for_update()
    return connection.execute(query).scalar()


def _new_floor(connection: Connection, name: str) -> float:
    """Return until when a cursor has read everything: at most until an hour before its newest mark."""
    newest = select(func.max(READS.c.received_at)).where(READS.c.cursor == name)
    floor = float(connection.execute(newest).scalar() or 0.0) - _OVERLAP_SECONDS
    unread = (
        select(func.min(INBOX.c.received_at))
        .select_from(CURSORS)
        .join(INBOX, is_unread())
        .where((CURSORS.c.name == name) & (INBOX.c.received_at < floor))
    )
    oldest = connection.execute(unread).scalar()
    return floor if oldest is None else min(floor, float(oldest))

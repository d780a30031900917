"""Cooldowns: which alerts went out and how many were held back since, for all processes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import Column, Connection, Double, Index, Integer, String, Table, delete, select, update

from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Insert, correct_future, count_rows, delete_rows

COOLDOWNS = Table(
    "d360_alerts",
    METADATA,
    Column("fingerprint", String, primary_key=True),
    Column("subject", String),
    Column("since", Double, nullable=False),
    Column("quiet_until", Double, nullable=False),
    Column("held", Integer, nullable=False),
)
Index("d360_alerts_subject", COOLDOWNS.c.subject)

_INSERT = Insert(COOLDOWNS)
_KEPT_SECONDS = 90 * 86_400.0
_LONGEST_SECONDS = 366 * 86_400.0  # a cooldown that ends later was written while a clock was wrong
SENDING_SECONDS = 20.0  # Airflow ends a callback after this time


@dataclass(frozen=True, slots=True)
class Cooldown:
    """
    The cooldown of one kind of alert.

    :param fingerprint: Names the kind of alert.
    :param subject: Names what the last alert reported a problem of; None if it reported none.
    :param since: When the last alert was sent, in Unix seconds.
    :param quiet_until: When the next one may be sent, in Unix seconds.
    :param held: How many alerts were held back since.
    """

    fingerprint: str
    subject: str | None
    since: float
    quiet_until: float
    held: int


class Cooldowns:
    """
    The table of cooldowns. Its methods raise ``StoreUnavailableError`` while the database is locked or away.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, fingerprint: str, subject: str | None, now: float, cooldown_seconds: float
    ) -> Cooldown | None:
        """
        Claim the right to send an alert now, and return the cooldown before, for :meth:`restore`.

        One of several processes that claim at once gets it. The others, and everybody until the cooldown
        ends, get None, and the alert is counted as held back. Until :meth:`confirm` is called, the cooldown
        lasts no longer than sending may take: the process that sends may be killed.

        A cooldown that would last longer than ``cooldown_seconds`` from now is ignored: it was written
        while a clock was wrong.

        The first alert of a kind also deletes cooldowns that ended 90 days ago. While this clock is that far
        ahead, it deletes current ones: alerts repeat early, and a recovery is not reported.

        :param fingerprint: Names the kind of alert.
        :param subject: Names what has the problem, for :meth:`recover`; None if the alert reports none.
        :param now: The time, in Unix seconds.
        :param cooldown_seconds: How long to hold back further alerts of this kind.
        """

        def work(connection: Connection) -> Cooldown | None:
            new = Cooldown(fingerprint, None, now, 0.0, 0)
            before = _lock(connection, new)
            if before == new:
                _delete_old(connection, now - _KEPT_SECONDS)
            if 0 < before.quiet_until - now <= cooldown_seconds:
                _write(connection, replace(before, held=before.held + 1))
                return None
            quiet_until = now + min(cooldown_seconds, SENDING_SECONDS)
            _write(connection, Cooldown(fingerprint, subject, now, quiet_until, 0))
            return before

        return self._database.write(work)

    def confirm(self, fingerprint: str, quiet_until: float) -> None:
        """
        Begin the cooldown of an alert that was sent; a cooldown that ends later stays.

        :param fingerprint: Names the kind of alert.
        :param quiet_until: When the cooldown ends, in Unix seconds.
        """
        shorter = (COOLDOWNS.c.fingerprint == fingerprint) & (COOLDOWNS.c.quiet_until < quiet_until)
        statement = update(COOLDOWNS).where(shorter).values(quiet_until=quiet_until)
        self._database.write(lambda connection: connection.execute(statement).rowcount)

    def restore(self, before: Cooldown) -> None:
        """
        Undo a claim whose alert reached no recipient: the next alert may go at once, and counts this one.

        :param before: What :meth:`claim` returned.
        """

        def work(connection: Connection) -> None:
            current = _lock(connection, replace(before, held=0))
            held = before.held + current.held + 1
            _write(connection, replace(before, quiet_until=0.0, held=held))

        self._database.write(work)

    def recover(self, subject: str) -> list[Cooldown]:
        """
        Delete the cooldowns of problems of a subject, and return them; of several processes, one gets each.

        :param subject: Names what has no problem any more.
        """
        query = select(COOLDOWNS).where(COOLDOWNS.c.subject == subject).with_for_update()

        def work(connection: Connection) -> list[Cooldown]:
            rows = connection.execute(query).mappings().all()
            connection.execute(delete(COOLDOWNS).where(COOLDOWNS.c.subject == subject))
            return [Cooldown(**row) for row in rows]

        return self._database.write(work)

    def undo_recovery(self, cooldowns: Sequence[Cooldown]) -> None:
        """
        Write cooldowns again whose recovery reached no recipient; newer ones stay as they are.

        :param cooldowns: What :meth:`recover` returned.
        """
        rows = [asdict(cooldown) for cooldown in sorted(cooldowns, key=lambda one: one.fingerprint)]
        self._database.write(lambda connection: _INSERT.execute(connection, rows))

    def count(self) -> int:
        """Count the rows."""
        return count_rows(self._database, COOLDOWNS)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete cooldowns that began and ended before a time, and return how many.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later beginnings, and ends more than a year later, were written
            while a clock was wrong.
        """
        correct_future(self._database, COOLDOWNS, ["since"], now)
        end = COOLDOWNS.c.quiet_until
        is_over = (end < older_than) | (end > now + _LONGEST_SECONDS)
        return delete_rows(self._database, COOLDOWNS, (COOLDOWNS.c.since < older_than) & is_over)


def _lock(connection: Connection, new: Cooldown) -> Cooldown:
    """Read a row and lock it until this transaction ends; insert ``new`` if it is missing."""
    _INSERT.execute(connection, [asdict(new)])
    query = select(COOLDOWNS).where(COOLDOWNS.c.fingerprint == new.fingerprint).with_for_update()
    return Cooldown(**connection.execute(query).mappings().one())


def _delete_old(connection: Connection, before: float) -> None:
    """Delete cooldowns that ended long ago, except for those that another process has locked."""
    is_old = (COOLDOWNS.c.since < before) & (COOLDOWNS.c.quiet_until < before)
    old = select(COOLDOWNS.c.fingerprint).where(is_old).with_for_update(skip_locked=True)
    connection.execute(delete(COOLDOWNS).where(COOLDOWNS.c.fingerprint.in_(old)))


def _write(connection: Connection, row: Cooldown) -> None:
    statement = update(COOLDOWNS).where(COOLDOWNS.c.fingerprint == row.fingerprint)
    connection.execute(statement.values(asdict(row)))

"""Which alerts went out, and what was held back since: decided once for all processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.tables import ALERTS

_REMEMBERED_SECONDS = 90 * 86_400.0
SENDING_SECONDS = 20.0  # after which Airflow has ended a callback


@dataclass(frozen=True, slots=True)
class AlertRow:
    """
    What is remembered of one kind of alert.

    :param fingerprint: Which kind.
    :param subject: Whose problem the last alert told of; ``None`` when none did.
    :param since: When the last alert went out, in Unix seconds.
    :param quiet_until: When the next one may.
    :param held: How many were held back since.
    """

    fingerprint: str
    subject: str | None
    since: float
    quiet_until: float
    held: int


class Alerts:
    """
    Remembers alerts. Every method raises ``StoreUnavailableError`` when the database stays locked or away.

    :param database: Where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, fingerprint: str, subject: str | None, now: float, cooldown_seconds: float
    ) -> AlertRow | None:
        """
        Take the right to send an alert now, and return what was remembered before, for :meth:`restore`.

        Of several processes that ask at once, one gets it. For the others, and until the cooldown is over,
        the answer is ``None``, and the alert is counted as held back. The cooldown lasts no longer than
        sending may take, until :meth:`confirm` says that the alert went out: whoever got the right may die.

        :param subject: Whose recovery would end this problem; ``None`` when it is none.
        """

        def work(connection: Connection) -> AlertRow | None:
            new = AlertRow(fingerprint, None, now, 0.0, 0)
            before = _lock(connection, new)
            if before == new:
                _forget(connection, now - _REMEMBERED_SECONDS)
            if now < before.quiet_until:
                _write(connection, replace(before, held=before.held + 1))
                return None
            quiet_until = now + min(cooldown_seconds, SENDING_SECONDS)
            _write(connection, AlertRow(fingerprint, subject, now, quiet_until, 0))
            return before

        return self._database.write(work)

    def confirm(self, fingerprint: str, quiet_until: float) -> None:
        """Begin the cooldown of an alert that went out."""
        mine = (ALERTS.c.fingerprint == fingerprint) & (ALERTS.c.quiet_until < quiet_until)
        self._database.write(
            lambda connection: (
                connection.execute(update(ALERTS).where(mine).values(quiet_until=quiet_until)).rowcount
            )
        )

    def restore(self, before: AlertRow) -> None:
        """Undo a claim whose alert reached nobody: the next one goes at once, and counts this one."""

        def work(connection: Connection) -> None:
            since_then = _lock(connection, replace(before, held=0))
            held = before.held + since_then.held + 1
            _write(connection, replace(before, quiet_until=0.0, held=held))

        self._database.write(work)

    def recover(self, subject: str) -> list[AlertRow]:
        """Forget the alerts about a subject, and return them. Of several processes, one gets each."""
        mine = ALERTS.c.subject == subject

        def work(connection: Connection) -> list[AlertRow]:
            rows = connection.execute(select(ALERTS).where(mine).with_for_update()).mappings().all()
            connection.execute(delete(ALERTS).where(mine))
            return [AlertRow(**row) for row in rows]

        return self._database.write(work)

    def remember(self, rows: Sequence[AlertRow]) -> None:
        """Undo a recovery that reached nobody; what was remembered since then stays."""

        def work(connection: Connection) -> None:
            for row in sorted(rows, key=lambda row: row.fingerprint):  # in the same order everywhere
                _insert_new(connection, row)

        self._database.write(work)


def _lock(connection: Connection, new: AlertRow) -> AlertRow:
    """Read a row that nobody else changes before this transaction ends; begin with ``new``."""
    _insert_new(connection, new)
    query = select(ALERTS).where(ALERTS.c.fingerprint == new.fingerprint).with_for_update()
    return AlertRow(**connection.execute(query).mappings().one())


def _forget(connection: Connection, before: float) -> None:
    """Drop the kinds of alerts that nobody has seen for long; those that somebody is busy with stay."""
    old = select(ALERTS.c.fingerprint).where(ALERTS.c.since < before, ALERTS.c.quiet_until < before)
    connection.execute(delete(ALERTS).where(ALERTS.c.fingerprint.in_(old.with_for_update(skip_locked=True))))


def _write(connection: Connection, row: AlertRow) -> None:
    values = asdict(row)
    connection.execute(update(ALERTS).where(ALERTS.c.fingerprint == row.fingerprint).values(values))


def _insert_new(connection: Connection, row: AlertRow) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(ALERTS).on_conflict_do_nothing(), asdict(row))

"""What people look at: the messages of the ledger with their current statuses."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, exists, func, select

from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.entries import ENTRY_COLUMNS, LEDGER, Entry, read_entry
from airflow_provider_d360.store.rows import CLOCK_SKEW_SECONDS, chunks
from airflow_provider_d360.store.statuses import STATUSES, Status, Statuses


@dataclass(frozen=True, slots=True)
class LedgerMessage:
    """
    A message of the ledger with its current status.

    :param entry: What was sent, or not, and by which task.
    :param status: The status with the highest rank; None before the first.
    """

    entry: Entry
    status: Status | None

    @property
    def current(self) -> str:
        """What is known of it: its status, or else its state in the ledger."""
        return self.status.status if self.status else self.entry.state.value


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Which messages are meant; by default all.

    :param dag_ids: Only messages of these DAGs; None for all.
    :param recipient_hash: Only messages to this recipient; None for all.
    :param source: Only messages of this source; None for all.
    :param run_id: Only messages of this run; None for all.
    :param task_id: Only messages of this task; None for all.
    :param map_index: Only messages of this mapped index; None for all.
    """

    dag_ids: Sequence[str] | None = None
    recipient_hash: str | None = None
    source: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the condition of the query."""
        equal = ("recipient_hash", "source", "run_id", "task_id", "map_index")
        conditions: list[ColumnElement[bool]] = [
            LEDGER.c[name] == getattr(self, name) for name in equal if getattr(self, name) is not None
        ]
        if self.dag_ids is not None:
            conditions.append(LEDGER.c.dag_id.in_(self.dag_ids))
        return conditions


_EVERYTHING = Selection()


class Messages:
    """
    Reads the messages of the ledger for pages.

    Its methods raise ``StoreUnavailableError`` while the database is locked or away.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statuses = Statuses(database)

    def recent(
        self,
        *,
        since: float,
        before: float | None = None,
        selection: Selection = _EVERYTHING,
        status: str | None = None,
        limit: int = 100,
    ) -> list[LedgerMessage]:
        """
        Return messages, newest first. Rows from the future (a clock was wrong) wait for the next purge.

        :param since: Only messages sent at this time or later, in Unix seconds.
        :param before: Only messages sent before this time, in Unix seconds; for the next page.
        :param selection: Only these messages.
        :param status: Only messages with this current status; without one, its state in the ledger.
        :param limit: How many at most.
        """
        conditions = _conditions(since, before, selection)
        if status is not None:
            conditions.append(_current_status() == status)
        query = select(*ENTRY_COLUMNS).where(*conditions).order_by(LEDGER.c.at.desc()).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        statuses = self._statuses.current(row["message_id"] for row in rows if row["message_id"])
        return [LedgerMessage(read_entry(row), statuses.get(row["message_id"])) for row in rows]

    def counts(self, *, since: float, selection: Selection = _EVERYTHING) -> dict[str, int]:
        """
        Count messages by their current status.

        :param since: Only messages sent at this time or later, in Unix seconds.
        :param selection: Only these messages.
        """
        current = _current_status().label("current")
        messages = select(current).where(*_conditions(since, None, selection)).subquery()
        query = select(messages.c.current, func.count()).group_by(messages.c.current)
        return self._database.read(lambda connection: {name: int(n) for name, n in connection.execute(query)})

    def undelivered(self, message_ids: Iterable[str]) -> dict[str, float]:
        """
        Return when messages were sent, in Unix seconds, of those without the status ``delivered``.

        :param message_ids: The messages; those that the ledger does not know are left out.
        """
        is_delivered = exists().where(
            STATUSES.c.message_id == LEDGER.c.message_id, STATUSES.c.status == "delivered"
        )

        def work(connection: Connection) -> dict[str, float]:
            return {
                row.message_id: row.at
                for chunk in chunks(list(message_ids))
                for row in connection.execute(
                    select(LEDGER.c.message_id, LEDGER.c.at).where(
                        LEDGER.c.message_id.in_(chunk), ~is_delivered
                    )
                )
            }

        return self._database.read(work)

    def dag_ids(self, *, since: float) -> set[str]:
        """
        Return the ids of the DAGs that sent messages; an empty one if some were sent outside of DAGs.

        :param since: Only messages sent at this time or later, in Unix seconds.
        """
        query = select(LEDGER.c.dag_id).where(LEDGER.c.at >= since).distinct()
        return set(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def start_of_newest(
        self,
        number: int,
        *,
        since: float,
        before: float | None = None,
        selection: Selection = _EVERYTHING,
    ) -> float:
        """
        Return a time since which ``number`` messages were sent, or ``since`` if there were no more.

        Counting, and filtering by status, cost time for each message; this bounds them.

        :param number: How many messages.
        :param since: Only messages sent at this time or later, in Unix seconds.
        :param before: Only messages sent before this time, in Unix seconds.
        :param selection: Only these messages.
        """
        conditions = _conditions(since, before, selection)
        newest = select(LEDGER.c.at).where(*conditions).order_by(LEDGER.c.at.desc())
        query = newest.offset(number - 1).limit(2)
        times = self._database.read(lambda connection: connection.execute(query).scalars().all())
        return times[0] if len(times) > 1 else since


def _current_status() -> ColumnElement[str]:
    newest = (
        select(STATUSES.c.status)
        .where(STATUSES.c.message_id == LEDGER.c.message_id)
        .order_by(STATUSES.c.rank.desc())
        .limit(1)
    )
    return func.coalesce(newest.scalar_subquery(), LEDGER.c.state)


def _conditions(since: float, before: float | None, selection: Selection) -> list[ColumnElement[bool]]:
    end = time.time() + CLOCK_SKEW_SECONDS
    return [LEDGER.c.at >= since, LEDGER.c.at < min(before or end, end), *selection.conditions()]

"""Reads the outcomes of alerts, for the pages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, RowMapping, func, select

from airflow_provider_d360.store.alert_history import BACKUP, HISTORY, AlertFacts
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.due import DUE
from airflow_provider_d360.store.rows import CLOCK_SKEW_SECONDS, correct_future, count_rows, delete_rows


@dataclass(frozen=True, slots=True)
class PastAlert:
    """
    An alert and its outcome.

    :param id: Names the alert.
    :param at: When it happened, in Unix seconds.
    :param state: Its outcome.
    :param conn_id: The Airflow connection.
    :param facts: What it is about.
    :param messages: The short forms of the ids of the messages that reported it.
    :param due_at: When it, or the alert that reports it, will be sent; None if nothing will be sent.
    :param attempts: How often sending it has failed.
    """

    id: str
    at: float
    state: str
    conn_id: str
    facts: AlertFacts
    messages: Sequence[str]
    due_at: float | None
    attempts: int


class AlertHistory:
    """
    Reads outcomes of alerts. Methods raise ``StoreUnavailableError`` while the database is locked or away.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def recent(
        self,
        *,
        since: float,
        before: float | None = None,
        dag_ids: Sequence[str],
        state: str | None = None,
        limit: int = 100,
    ) -> list[PastAlert]:
        """
        Return alerts, newest first.

        :param since: Only alerts of this time or later, in Unix seconds.
        :param before: Only alerts of before this time, in Unix seconds; for the next page.
        :param dag_ids: Only alerts about these DAGs; an empty id selects alerts about no DAG.
        :param state: Only alerts of which this became.
        :param limit: How many at most.
        """
        conditions = _conditions(since, before, dag_ids)
        if state is not None:
            conditions.append(HISTORY.c.state == state)
        # What is still to be sent for it: itself, its backup, or the summary of its run.
        sends = DUE.c.id.in_(
            [HISTORY.c.id, HISTORY.c.id + BACKUP, func.coalesce("summary " + HISTORY.c.group_name, "")]
        )
        due = {
            name: select(column).where(sends).order_by(DUE.c.due_at).limit(1).scalar_subquery().label(name)
            for name, column in (("due_at", DUE.c.due_at), ("attempts", DUE.c.attempts))
        }
        query = select(HISTORY, *due.values()).where(*conditions)
        newest = query.order_by(HISTORY.c.at.desc(), HISTORY.c.id).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(newest).mappings().all())
        return [_read(row) for row in rows]

    def counts(self, *, since: float, dag_ids: Sequence[str]) -> dict[str, int]:
        """
        Count alerts by outcome.

        :param since: Only alerts of this time or later, in Unix seconds.
        :param dag_ids: Only alerts about these DAGs.
        """
        conditions = _conditions(since, None, dag_ids)
        query = select(HISTORY.c.state, func.count()).where(*conditions).group_by(HISTORY.c.state)
        return self._database.read(lambda connection: {name: int(n) for name, n in connection.execute(query)})

    def dag_ids(self, *, since: float) -> set[str]:
        """
        Return the ids of the DAGs that alerts are about; an empty one if some are about none.

        :param since: Only alerts of this time or later, in Unix seconds.
        """
        query = select(HISTORY.c.dag_id).where(HISTORY.c.at >= since).distinct()
        return set(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def count(self) -> int:
        """Count the rows."""
        return count_rows(self._database, HISTORY)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete alerts of before a time; return how many.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later ones were written while a clock was wrong.
        """
        correct_future(self._database, HISTORY, ["at"], now)
        return delete_rows(self._database, HISTORY, HISTORY.c.at < older_than)


def _conditions(since: float, before: float | None, dag_ids: Sequence[str]) -> list[ColumnElement[bool]]:
    end = time.time() + CLOCK_SKEW_SECONDS
    at = HISTORY.c.at
    return [at >= since, at < min(before or end, end), HISTORY.c.dag_id.in_(dag_ids)]


def _read(row: RowMapping) -> PastAlert:
    facts = {field.name: row[field.name] for field in fields(AlertFacts)}
    return PastAlert(
        id=row["id"],
        at=row["at"],
        state=row["state"],
        conn_id=row["conn_id"],
        facts=AlertFacts(**{**facts, "recipients": row["recipients"].split()}),
        messages=row["messages"].split(),
        due_at=row["due_at"],
        attempts=row["attempts"] or 0,
    )

"""Lists of questions, for pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, case, func, literal, select

from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.question_rows import OPEN, QUESTIONS, Question, read_questions

WAITING = "waiting"
EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class QuestionSelection:
    """
    Which questions are listed.

    :param since: Only those asked at this time or later, in Unix seconds.
    :param dag_ids: Only questions of these DAGs. Default: all.
    """

    since: float
    dag_ids: Sequence[str] | None = None


class QuestionLists:
    """
    Lists of questions. Its methods raise ``StoreUnavailableError`` while the database cannot be used.

    A question that is open is listed as ``waiting``, and as ``expired`` when its time is over, whether or not
    its task has seen that.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def dag_ids(self, since: float) -> set[str]:
        """
        Return the DAGs that have asked.

        :param since: Only those that asked at this time or later, in Unix seconds.
        """
        query = select(QUESTIONS.c.dag_id).where(QUESTIONS.c.asked_at >= since).distinct()
        return self._database.read(lambda connection: set(connection.execute(query).scalars()))

    def counts(self, selection: QuestionSelection, now: float) -> dict[str, int]:
        """
        Count questions by their state.

        :param selection: Which ones.
        :param now: The time, in Unix seconds.
        """
        state = _state_at(now)
        query = select(state, func.count()).where(*_conditions(selection)).group_by(state)

        def work(connection: Connection) -> dict[str, int]:
            return {row[0]: row[1] for row in connection.execute(query)}

        return self._database.read(work)

    def recent(
        self,
        selection: QuestionSelection,
        now: float,
        *,
        state: str | None = None,
        before: float | None = None,
        limit: int = 200,
    ) -> list[tuple[str, Question]]:
        """
        Return questions with their states, newest first.

        :param selection: Which ones.
        :param now: The time, in Unix seconds.
        :param state: Only those in this state.
        :param before: Only those asked before this time, in Unix seconds; for the next page.
        :param limit: How many at most.
        """
        columns, current = QUESTIONS.c, _state_at(now)
        query = select(columns.id, current.label("current")).where(*_conditions(selection))
        if state is not None:
            query = query.where(current == state)
        if before is not None:
            query = query.where(columns.asked_at < before)
        query = query.order_by(columns.asked_at.desc(), columns.id).limit(limit)

        def work(connection: Connection) -> list[tuple[str, Question]]:
            states = {row.id: row.current for row in connection.execute(query)}
            return [(states[one.id], one) for one in read_questions(connection, list(states))]

        return self._database.read(work)


def _state_at(now: float) -> ColumnElement[str]:
    is_open = QUESTIONS.c.state == OPEN
    is_over = is_open & (QUESTIONS.c.expires_at < literal(now))
    return case((is_over, literal(EXPIRED)), (is_open, literal(WAITING)), else_=QUESTIONS.c.state)


def _conditions(selection: QuestionSelection) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [QUESTIONS.c.asked_at >= selection.since]
    if selection.dag_ids is not None:
        conditions.append(QUESTIONS.c.dag_id.in_(list(selection.dag_ids)))
    return conditions

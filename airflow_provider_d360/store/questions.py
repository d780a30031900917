"""Questions: what was asked, of whom, until when, and how it ended. Answers stay in the inbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    func,
    select,
    update,
)

from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.question_rows import (
    OPEN,
    PEOPLE,
    QUESTIONS,
    Person,
    Question,
    person_row,
    question_row,
    read_questions,
)
from airflow_provider_d360.store.rows import (
    CLOCK_SKEW_SECONDS,
    FIRST_TIME,
    Insert,
    count_rows,
    delete_rows,
)

_INSERT_QUESTION = Insert(QUESTIONS)
_INSERT_PEOPLE = Insert(PEOPLE)


class Questions:
    """
    The table of questions. Its methods raise ``StoreUnavailableError`` while the database cannot be used.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure(self, question: Question) -> Question:
        """
        Write a question unless it is there, and return it. Older open ones of its task are cancelled.

        :param question: An open question.
        """

        def work(connection: Connection) -> Question:
            found = _read(connection, question.id)
            if found is not None:
                return found
            for older in _open_of_task(connection, question):
                _end(connection, older, "cancelled", {}, question.asked_at)
            _INSERT_QUESTION.execute(connection, [question_row(question)])
            _INSERT_PEOPLE.execute(connection, [person_row(question.id, one) for one in question.people])
            return _read(connection, question.id) or question

        return self._database.write(work)

    def find(self, question_id: str) -> Question | None:
        """
        Return a question; None if the id is unknown.

        :param question_id: Its id.
        """
        return self._database.read(lambda connection: _read(connection, question_id))

    def of_task(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> list[Question]:
        """
        Return the questions that a task instance has asked.

        :param dag_id: Its DAG.
        :param run_id: Its run.
        :param task_id: Its task.
        :param map_index: Its index; -1 without mapping.
        """
        query = select(QUESTIONS.c.id).where(_is_of_task(dag_id, run_id, task_id, map_index))
        return self._database.read(
            lambda connection: read_questions(connection, list(connection.execute(query).scalars()))
        )

    def note(
        self,
        question_id: str,
        position: int,
        occasion: str,
        message_id: str | None,
        wa_id: str | None = None,
    ) -> None:
        """
        Note that a person got a message.

        :param question_id: The question.
        :param position: The person.
        :param occasion: Why it was sent: each occasion is served once.
        :param message_id: Its id, if it has one.
        :param wa_id: The number that WhatsApp knows the person by, if the response named it.
        """
        this = (PEOPLE.c.question_id == question_id) & (PEOPLE.c.position == position)
        query = select(PEOPLE.c.sent, PEOPLE.c.wa_id).where(this).with_for_update()

        def work(connection: Connection) -> None:
            row = connection.execute(query).one()
            sent = {**json.loads(row.sent), occasion: message_id}
            values = {"sent": json.dumps(sent), "wa_id": wa_id or row.wa_id}
            connection.execute(update(PEOPLE).where(this).values(values))

        self._database.write(work)

    def close(self, question_id: str, state: str, outcome: Mapping[str, Any], now: float) -> Question | None:
        """
        End a question and erase the numbers, unless it ended before; return how it ended.

        :param question_id: The question.
        :param state: How it ends.
        :param outcome: What decided.
        :param now: The time, in Unix seconds.
        """

        def work(connection: Connection) -> Question | None:
            _end(connection, question_id, state, outcome, now)
            return _read(connection, question_id)

        return self._database.write(work)

    def later(self, question: Question, person: Person) -> list[tuple[float, float]]:
        """
        Return when later questions to a person began and ended, in Unix seconds.

        :param question: The question that others may have followed.
        :param person: One of its people.
        """
        columns = QUESTIONS.c
        query = (
            select(columns.asked_at, func.coalesce(columns.closed_at, columns.expires_at))
            .join(PEOPLE, PEOPLE.c.question_id == columns.id)
            .where(PEOPLE.c.hash == person.hash, columns.asked_at > question.asked_at)
        )
        return self._database.read(lambda connection: [(row[0], row[1]) for row in connection.execute(query)])

    def expire(self, now: float) -> None:
        """
        End the questions of Airflow's own operators whose time is over: no task of ours does.

        :param now: The time, in Unix seconds.
        """
        columns = QUESTIONS.c
        query = select(columns.id).where(
            columns.kind == "hitl", columns.state == OPEN, columns.expires_at < now
        )

        def work(connection: Connection) -> None:
            for question_id in list(connection.execute(query).scalars()):
                _end(connection, question_id, "expired", {}, now)

        if self._database.read(lambda connection: connection.execute(query.limit(1)).first()):
            self._database.write(work)

    def count(self) -> int:
        """Count the questions."""
        return count_rows(self._database, QUESTIONS)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete questions that expired before a time, with their people, and return how many.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later ones were written while a clock was wrong.
        """
        self._correct_future(now)
        deleted = delete_rows(self._database, QUESTIONS, QUESTIONS.c.expires_at < older_than)
        orphans = PEOPLE.c.question_id.not_in(select(QUESTIONS.c.id))
        delete_rows(self._database, PEOPLE, orphans)
        return deleted

    def _correct_future(self, now: float) -> None:
        """Let a question that was asked while a clock was ahead expire as long after now as it was to."""
        columns = QUESTIONS.c
        values = {"asked_at": now, "expires_at": columns.expires_at - columns.asked_at + now}
        is_wrong = columns.asked_at > now + CLOCK_SKEW_SECONDS
        if now >= FIRST_TIME:
            statement = update(QUESTIONS).where(is_wrong).values(values)
            self._database.write(lambda connection: connection.execute(statement).rowcount)


def _read(connection: Connection, question_id: str) -> Question | None:
    return next(iter(read_questions(connection, [question_id])), None)


def _open_of_task(connection: Connection, question: Question) -> list[str]:
    is_theirs = _is_of_task(question.dag_id, question.run_id, question.task_id, question.map_index)
    query = select(QUESTIONS.c.id).where(is_theirs, QUESTIONS.c.state == OPEN)
    return list(connection.execute(query).scalars())


def _is_of_task(dag_id: str, run_id: str, task_id: str, map_index: int) -> ColumnElement[bool]:
    columns = QUESTIONS.c
    return and_(
        columns.dag_id == dag_id,
        columns.run_id == run_id,
        columns.task_id == task_id,
        columns.map_index == map_index,
    )


def _end(
    connection: Connection, question_id: str, state: str, outcome: Mapping[str, Any], now: float
) -> None:
    is_this = (QUESTIONS.c.id == question_id) & (QUESTIONS.c.state == OPEN)
    values = {"state": state, "outcome": json.dumps(dict(outcome)), "closed_at": now}
    if connection.execute(update(QUESTIONS).where(is_this).values(values)).rowcount:
        connection.execute(update(PEOPLE).where(PEOPLE.c.question_id == question_id).values(number=None))

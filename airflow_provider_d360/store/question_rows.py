"""The tables of questions, and the objects of their rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    select,
)

from airflow_provider_d360.store.migrations import METADATA

QUESTIONS = Table(
    "d360_questions",
    METADATA,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("conn_id", String, nullable=False),
    Column("dag_id", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("task_id", String, nullable=False),
    Column("map_index", Integer, nullable=False),
    Column("spec", Text, nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("outcome", Text),
)
Index("d360_questions_task", QUESTIONS.c.dag_id, QUESTIONS.c.run_id, QUESTIONS.c.task_id)
Index("d360_questions_asked_at", QUESTIONS.c.asked_at)
PEOPLE = Table(
    "d360_question_people",
    METADATA,
    Column("question_id", String, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("number", String),  # until the question is closed
    Column("masked", String, nullable=False),
    Column("hash", String, nullable=False),
    Column("wa_id", String),
    Column("sent", Text, nullable=False),
)
Index("d360_question_people_hash", PEOPLE.c.hash)

OPEN = "open"


@dataclass(frozen=True, slots=True)
class Person:
    """
    Somebody who is asked.

    :param position: The place in the list of those who are asked, from 0.
    :param number: The number or user id; None when the question is closed.
    :param masked: The number as anybody may see it.
    :param hash: A hash of it under the secret of the store.
    :param wa_id: Another number that WhatsApp knows the person by, if the response to sending named one.
    :param sent: Ids of the messages that the person got, by their occasion; None if a message has none.
    """

    position: int
    number: str | None = field(repr=False)
    masked: str
    hash: str
    wa_id: str | None = field(default=None, repr=False)
    sent: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def message_ids(self) -> list[str]:
        """The ids of the messages that the person got."""
        return [message_id for message_id in self.sent.values() if message_id is not None]


@dataclass(frozen=True, slots=True)
class Question:
    """
    A question.

    :param id: Its id, which says nothing.
    :param kind: ``ask``: a task of ours waits for it; ``hitl``: a task of Airflow's own operators does.
    :param state: ``open``; or how it ended: ``answered``, ``expired``, ``invalid`` (nobody has a try left),
        ``disagreed`` or ``cancelled``.
    :param conn_id: The connection that it was sent with.
    :param dag_id: Who asks: the DAG.
    :param run_id: The run.
    :param task_id: The task.
    :param map_index: The index of a mapped task; -1 without mapping.
    :param spec: What counts as an answer; see :mod:`~airflow_provider_d360.conversations.spec`.
    :param asked_at: In Unix seconds.
    :param expires_at: Nothing that comes later counts, in Unix seconds.
    :param people: Who is asked.
    :param closed_at: When it ended, in Unix seconds.
    :param outcome: What decided: ids of messages of the inbox, and the choice.
    """

    id: str
    kind: str
    state: str
    conn_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    spec: Mapping[str, Any] = field(repr=False)
    asked_at: float
    expires_at: float
    people: tuple[Person, ...]
    closed_at: float | None = None
    outcome: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether an answer may still count."""
        return self.state == OPEN


def read_questions(connection: Connection, question_ids: Sequence[str]) -> list[Question]:
    """
    Return questions with their people, in the order of their ids; those that are not there are left out.

    :param connection: A connection.
    :param question_ids: Their ids, no more than fit into one statement.
    """
    query = select(PEOPLE).where(PEOPLE.c.question_id.in_(question_ids)).order_by(PEOPLE.c.position)
    people: dict[str, list[Person]] = {}
    for row in connection.execute(query).mappings():
        people.setdefault(row["question_id"], []).append(_person(row))
    rows = connection.execute(select(QUESTIONS).where(QUESTIONS.c.id.in_(question_ids))).mappings()
    found = {row["id"]: _question(row, tuple(people.get(row["id"], ()))) for row in rows}
    return [found[question_id] for question_id in question_ids if question_id in found]


def question_row(question: Question) -> dict[str, Any]:
    """
    Return the row of a new question.

    :param question: The question.
    """
    row = {column.name: getattr(question, column.name) for column in QUESTIONS.c}
    return {**row, "spec": json.dumps(dict(question.spec)), "outcome": None}


def person_row(question_id: str, person: Person) -> dict[str, Any]:
    """
    Return the row of one of its people.

    :param question_id: The question.
    :param person: The person.
    """
    row = {column.name: getattr(person, column.name) for column in PEOPLE.c if column.name != "question_id"}
    return {**row, "question_id": question_id, "sent": json.dumps(dict(person.sent))}


def _question(row: RowMapping, people: tuple[Person, ...]) -> Question:
    outcome = None if row["outcome"] is None else json.loads(row["outcome"])
    return Question(**{**row, "spec": json.loads(row["spec"]), "outcome": outcome, "people": people})


def _person(row: RowMapping) -> Person:
    fields = {name: value for name, value in row.items() if name != "question_id"}
    return Person(**{**fields, "sent": json.loads(row["sent"])})

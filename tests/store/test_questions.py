"""The row of a question: written once, ended once, and without numbers afterwards."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from airflow_provider_d360.store import Store
from airflow_provider_d360.store.questions import OPEN, Person, Question

ANN = "4915112345678"


def question(question_id: str = "q", **fields: Any) -> Question:
    people = (Person(0, ANN, "49…78", "hash-a"), Person(1, "DE.1", "DE…1", "hash-b"))
    return replace(
        Question(
            question_id,
            "ask",
            OPEN,
            "d360_default",
            "dag",
            "run",
            "task",
            -1,
            {"answer": "text"},
            100.0,
            200.0,
            people,
        ),
        **fields,
    )


def test_a_question_that_is_there_stays_as_it_is(store):
    first = store.questions.ensure(question())
    again = store.questions.ensure(question(asked_at=150.0, spec={"answer": "date"}))
    assert first == again == question()
    assert store.questions.find("none") is None


def test_a_new_question_of_a_task_cancels_its_older_one_and_no_other(store):
    for name, place in [("old", {}), ("other task", {"task_id": "x"}), ("other index", {"map_index": 3})]:
        store.questions.ensure(question(name, **place))
    store.questions.ensure(question("new"))
    states = {one.id: one.state for one in store.questions.recent(since=0.0)}
    assert states == {"old": "cancelled", "other task": OPEN, "other index": OPEN, "new": OPEN}


def test_what_a_person_got_is_noted_beside_what_was_noted_before(store):
    store.questions.ensure(question())
    store.questions.note("q", 0, "question", "m1", "wa")
    store.questions.note("q", 0, "reminder 1", "m2")
    store.questions.note("q", 0, "hint 1", None)
    ann, bob = store.questions.find("q").people
    assert dict(ann.sent) == {"question": "m1", "reminder 1": "m2", "hint 1": None}
    assert (ann.message_ids, ann.wa_id) == (["m1", "m2"], "wa")
    assert dict(bob.sent) == {}


def test_of_many_who_end_a_question_at_once_one_does(url):
    store = Store(url)
    store.questions.ensure(question())
    states: list[str] = []

    def end(name: str) -> None:
        mine = Store(url, retry_seconds=20.0)
        ended = mine.questions.close("q", name, {"by": name}, 150.0)
        assert ended is not None
        states.append(ended.state)
        mine.close()

    threads = [threading.Thread(target=end, args=(f"state {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = store.questions.find("q")
    assert ended is not None
    assert states == [ended.state] * 6
    assert ended.outcome == {"by": ended.state}
    store.close()


def test_the_numbers_are_erased_at_the_end_and_the_masked_ones_stay(store):
    store.questions.ensure(question())
    store.questions.close("q", "expired", {}, 150.0)
    ended = store.questions.find("q")
    assert [(person.number, person.masked) for person in ended.people] == [(None, "49…78"), (None, "DE…1")]
    assert (ended.is_open, ended.closed_at) == (False, 150.0)


def test_later_questions_to_a_person_are_known_with_their_end(store):
    first = question("first", task_id="a")
    for one in (
        first,
        question("second", task_id="b", asked_at=110.0),
        question("third", task_id="c", asked_at=120.0),
    ):
        store.questions.ensure(one)
    store.questions.close("second", "answered", {}, 115.0)
    assert sorted(store.questions.later(first, first.people[0])) == [(110.0, 115.0), (120.0, 200.0)]
    stranger = replace(first.people[0], hash="hash-c")
    assert store.questions.later(first, stranger) == []


def test_a_purge_deletes_what_expired_long_ago_with_its_people(store):
    store.questions.ensure(question("old", task_id="a"))
    store.questions.ensure(question("new", task_id="b", expires_at=2e9))
    assert store.purge(1000.0, 0.0)["questions"] == 1
    assert [one.id for one in store.questions.recent(since=0.0)] == ["new"]
    query = "SELECT DISTINCT question_id FROM d360_question_people"
    left = store._database.read(lambda connection: connection.exec_driver_sql(query).scalars().all())
    assert left == ["new"]


def test_recent_questions_come_newest_first(store):
    for number in range(3):
        store.questions.ensure(
            question(f"q{number}", task_id=str(number), asked_at=float(number), dag_id=f"d{number}")
        )
    assert [one.id for one in store.questions.recent(since=1.0)] == ["q2", "q1"]
    assert [one.id for one in store.questions.recent(since=0.0, dag_ids=["d0"])] == ["q0"]
    assert [one.id for one in store.questions.recent(since=0.0, limit=1)] == ["q2"]

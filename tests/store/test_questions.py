"""The row of a question: written once, ended once, and without numbers afterwards."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from airflow_provider_d360.store import Store
from airflow_provider_d360.store.question_lists import QuestionSelection
from airflow_provider_d360.store.question_rows import OPEN, Person, Question

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
    names = ("old", "other task", "other index", "new")
    states = {name: store.questions.find(name).state for name in names}
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
    assert (store.questions.find("old"), store.questions.count()) == (None, 1)
    query = "SELECT DISTINCT question_id FROM d360_question_people"
    left = store._database.read(lambda connection: connection.exec_driver_sql(query).scalars().all())
    assert left == ["new"]


def listed(store, now=150.0, **options):
    selection = QuestionSelection(options.pop("since", 0.0), options.pop("dag_ids", None))
    return [(state, one.id) for state, one in store.question_lists.recent(selection, now, **options)]


def test_questions_are_listed_newest_first_with_their_people(store):
    for number in range(3):
        store.questions.ensure(
            question(f"q{number}", task_id=str(number), asked_at=float(number), dag_id=f"d{number}")
        )
    assert listed(store) == [("waiting", "q2"), ("waiting", "q1"), ("waiting", "q0")]
    assert listed(store, since=1.0, before=2.0) == [("waiting", "q1")]
    assert listed(store, dag_ids=["d0", "d9"]) == [("waiting", "q0")]
    assert listed(store, dag_ids=[]) == []
    assert listed(store, limit=1) == [("waiting", "q2")]
    assert store.question_lists.dag_ids(1.0) == {"d1", "d2"}
    [(_, first), *_] = store.question_lists.recent(QuestionSelection(0.0), 150.0)
    assert [person.masked for person in first.people] == ["49…78", "DE…1"]


def test_a_question_whose_time_is_over_is_listed_as_expired_also_before_its_task_knows(store):
    for name, expires_at in (("open", 200.0), ("over", 140.0), ("answered", 140.0)):
        store.questions.ensure(question(name, task_id=name, expires_at=expires_at))
    store.questions.close("answered", "answered", {}, 120.0)
    everything = QuestionSelection(0.0)
    assert store.question_lists.counts(everything, 150.0) == {"waiting": 1, "expired": 1, "answered": 1}
    assert listed(store, state="expired") == [("expired", "over")]
    assert listed(store, state="waiting") == [("waiting", "open")]
    assert listed(store, state="nonsense") == []


def test_questions_of_airflow_that_nobody_answered_end_when_their_time_is_over(store):
    for name, kind in (("theirs", "hitl"), ("ours", "ask")):
        store.questions.ensure(question(name, task_id=name, kind=kind))
    store.questions.expire(199.0)
    assert store.questions.find("theirs").is_open
    store.questions.expire(201.0)
    ended = store.questions.find("theirs")
    assert (ended.state, ended.people[0].number) == ("expired", None)
    assert store.questions.find("ours").is_open  # its task ends it, and decides what that means

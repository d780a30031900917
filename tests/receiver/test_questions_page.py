"""The page of questions: who sees which, what it says, and what it does not say."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_d360.api.events import MessageEvent
from airflow_provider_d360.pages import questions as questions_module
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.question_rows import OPEN, Person, Question
from tests.receiver.visitors import Visitor, assert_harmless
from tests.recorded import NUMBER

NOW = time.time()
CHOICE = {"answer": "choice", "choices": [["yes", "Deploy it"], ["no", "Wait"]], "needed": 1}
TEXT = {"answer": "text", "choices": []}


def ask(store: Store, name: str, spec: dict[str, Any] = CHOICE, **fields: Any) -> Question:
    """Write a question to Ann and Bob, asked a minute ago."""
    people = (Person(0, NUMBER, "49…78", "ann"), Person(1, "447700900123", "44…23", "bob"))
    where = ("d360_default", "shop", "run", name, -1)
    question = Question(name, "ask", OPEN, *where, spec, NOW - 60, NOW + 3600, people)
    return store.questions.ensure(replace(question, **fields))


def answer(store: Store, name: str, value: str | None, message_id: str = "in.1") -> None:
    outcome = {"messages": [message_id], "people": [1], **({} if value is None else {"value": value})}
    store.questions.close(name, "answered", outcome, NOW - 10)


def receive(store: Store, message_id: str, body: str) -> None:
    message = MessageEvent(message_id, "text", NUMBER, at=NOW, raw={"type": "text", "text": {"body": body}})
    store.add([message], NOW)


def test_a_question_that_waits_says_of_whom_and_how_long(visitor: Visitor, store: Store) -> None:
    ask(store, "deploy", {**CHOICE, "needed": 2})
    page = visitor.get("/d360/questions")
    assert "1 Question" in page.text
    assert "Waiting shop deploy 49…78, 44…23 (2 must agree)" in page.text
    assert " min left" in page.text
    assert "/dags/shop/runs/run/tasks/deploy" in page.links
    assert NUMBER not in page.html
    assert_harmless(page)


def test_an_answer_is_the_title_of_the_choice_and_who_gave_it(visitor: Visitor, store: Store) -> None:
    ask(store, "deploy", map_index=3)
    answer(store, "deploy", "yes")
    page = visitor.get("/d360/questions")
    assert "deploy [3]" in page.text.replace("\xa0", " ")
    assert "Deploy it by 44…23" in page.text
    assert "/dags/shop/runs/run/tasks/deploy/mapped/3" in page.links


@pytest.mark.parametrize(("user", "shown"), [("ops", "Beispielweg 1 by 44…23"), ("ada", "A text by 44…23")])
def test_what_somebody_wrote_is_for_those_who_may_read_the_inbox(
    visitor: Visitor, store: Store, user: str, shown: str
) -> None:
    ask(store, "address", TEXT)
    receive(store, "in.1", "Beispielweg 1")
    answer(store, "address", None)
    page = visitor.get("/d360/questions", user)
    assert shown in page.text
    assert ("Beispielweg" in page.html) == (user == "ops")


def test_an_answer_that_was_purged_is_named_by_its_kind(visitor: Visitor, store: Store) -> None:
    ask(store, "address", {**TEXT, "answer": "date"})
    answer(store, "address", None)
    ask(store, "photo", {**TEXT, "answer": "file"})
    answer(store, "photo", "media-4711")
    page = visitor.get("/d360/questions", "ops")
    assert "A date by 44…23" in page.text
    assert "A file by 44…23" in page.text
    assert "4711" not in page.html


def test_each_state_is_counted_and_can_be_chosen(visitor: Visitor, store: Store) -> None:
    for name in ("deploy", "reload", "late", "gone"):
        ask(store, name, expires_at=NOW + 3600 if name != "late" else NOW - 5)
    answer(store, "reload", "no")
    store.questions.close("gone", "settled elsewhere", {}, NOW)
    page = visitor.get("/d360/questions")
    assert "4 All 1 Waiting 1 Expired 1 Answered 1 Settled elsewhere" in page.text
    for state, name in (("waiting", "deploy"), ("expired", "late"), ("settled elsewhere", "gone")):
        rows = visitor.get(f"/d360/questions?status={quote(state)}")
        assert [one for one in ("deploy", "reload", "late", "gone") if f"/tasks/{one}" in rows.html] == [name]


def test_part_of_a_dags_name_and_a_period_can_be_chosen(visitor: Visitor, store: Store) -> None:
    ask(store, "deploy")
    ask(store, "bill", dag_id="billing")
    ask(store, "old", asked_at=NOW - 20 * 86_400)
    assert "tasks/bill" in visitor.get("/d360/questions?dag=ILL").html
    assert "tasks/deploy" not in visitor.get("/d360/questions?dag=ILL").html
    assert "tasks/old" not in visitor.get("/d360/questions").html
    assert "tasks/old" in visitor.get("/d360/questions?days=30").html


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("stranger", 403), ("bob", 200), ("ada", 200)])
def test_questions_are_for_those_who_may_read_the_dag(
    visitor: Visitor, store: Store, user: str | None, status: int
) -> None:
    ask(store, "deploy")
    page = visitor.get("/d360/questions", user)
    assert (page.status, "deploy" in page.text) == (status, user == "ada")
    assert ("/d360/questions" in page.links) == (status == 200)


def test_the_newest_come_first_and_older_ones_on_the_next_page(
    visitor: Visitor, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions_module, "_PAGE_ROWS", 2)
    for number in range(5):
        ask(store, f"q{number}", asked_at=NOW - 60 - number)
    shown: list[list[str]] = []
    path: str | None = "/d360/questions"
    while path:
        page = visitor.get(path)
        shown.append([f"q{number}" for number in range(5) if f"/tasks/q{number}" in page.html])
        path = page.older
    assert shown == [["q0", "q1"], ["q2", "q3"], ["q4"]]


def test_an_empty_page_says_what_will_stand_here(visitor: Visitor) -> None:
    assert "No questions in the last 7 days" in visitor.get("/d360/questions").text
    assert "Nothing was asked with the state 'waiting' by a Dag like 'x' in the last day." in (
        visitor.get("/d360/questions?status=waiting&dag=x&days=1").text
    )


@pytest.mark.parametrize(
    "query", ["days=x&before=nan&status=%00", "before=1e999&dag=%00", "%ff=%fe&status=%ff"]
)
def test_nonsense_in_the_address_is_no_error(visitor: Visitor, store: Store, query: str) -> None:
    ask(store, "deploy")
    assert visitor.get(f"/d360/questions?{query}").status == 200


def test_what_others_wrote_is_text_and_never_markup(visitor: Visitor, store: Store) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    ask(store, evil, {**CHOICE, "choices": [["yes", evil]]}, run_id=evil)
    answer(store, evil, "yes")
    page = visitor.get(f"/d360/questions?dag={quote('shop')}&status={quote('answered')}")
    assert "onerror=alert" in page.text
    assert_harmless(page)
    assert_harmless(visitor.get(f"/d360/questions?status={quote(evil)}"))

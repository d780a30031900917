"""The page of questions: who was asked, what is waited for, and the results."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Request, Response

from airflow_provider_d360.pages.access import may_read_inbox, permitted
from airflow_provider_d360.pages.addresses import dag_path_of, page_path, task_path_of
from airflow_provider_d360.pages.filters import LONGEST_DAYS, PERIODS, Filters, instant
from airflow_provider_d360.pages.inbox import text_of
from airflow_provider_d360.pages.lists import in_sequence, older
from airflow_provider_d360.pages.navigation import QUESTIONS, around
from airflow_provider_d360.pages.rendering import render
from airflow_provider_d360.pages.routing import REFRESH_SECONDS, Pages
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.question_lists import WAITING, QuestionSelection
from airflow_provider_d360.store.question_rows import Question

_PATH = "questions"
_DAY_SECONDS = 86_400
_PAGE_ROWS = 100
_MOST_PEOPLE = 5
_SUGGESTIONS = 500
_ORDER = (
    WAITING,
    "undelivered",
    "disagreed",
    "invalid",
    "expired",
    "answered",
    "settled elsewhere",
    "cancelled",
)


def add_routes(pages: Pages) -> None:
    """
    Add the route.

    :param pages: The pages.
    """

    @pages.router.get("/questions")
    async def questions(request: Request, user: GetUserDep) -> Response:
        filters = replace(Filters.read(request.query_params), of=_PATH, source="", recipient="")
        before = instant(request.query_params.get("before"))
        return await pages.show(lambda store: _list(store, filters, before, user))


def _list(store: Store, filters: Filters, before: float | None, user: Any) -> Response:
    """Show the questions of the DAGs that the user may read."""
    now, lists = time.time(), store.question_lists
    since = now - filters.days * _DAY_SECONDS
    dag_ids = permitted(lists.dag_ids(since), user)
    selection = QuestionSelection(since, list(filters.selection(dag_ids).dag_ids or ()))
    counts = lists.counts(selection, now)
    found = lists.recent(selection, now, state=filters.status or None, before=before, limit=_PAGE_ROWS + 1)
    shown = found[:_PAGE_ROWS]
    texts = _texts(store, [question for _, question in shown]) if may_read_inbox(user) else None
    return render(
        "questions.html",
        **around(QUESTIONS, user),
        refresh=REFRESH_SECONDS if before is None else None,
        rows=[_row(state, question, texts, now) for state, question in shown],
        counts=in_sequence(counts, _ORDER),
        chosen={"days": filters.days, "dag": filters.dag, "status": filters.status},
        is_filtered=filters.are_set,
        periods=PERIODS,
        longest=LONGEST_DAYS,
        suggestions=dag_ids[:_SUGGESTIONS],
        nothing=filters.describe("Nothing was asked"),
        first=before is None,
        here=filters.list_path(before),
        form=page_path(_PATH),
        all=Filters(of=filters.of).list_path(),
        link=filters.list_path,
        older=older([question.asked_at for _, question in found], _PAGE_ROWS),
        now=now,
    )


def _row(state: str, question: Question, texts: Mapping[str, str] | None, now: float) -> dict[str, Any]:
    outcome = question.outcome or {}
    masked = [person.masked for person in question.people]
    return {
        "question": question,
        "state": state,
        "people": masked[:_MOST_PEOPLE],
        "more_people": len(masked[_MOST_PEOPLE:]),
        "needed": question.spec.get("needed", 1),
        "answer": _answer(question, texts) if state == "answered" else None,
        "answered_by": [masked[place] for place in outcome.get("people", ()) if place < len(masked)],
        "left_seconds": question.expires_at - now if state == WAITING else None,
        "dag_link": dag_path_of(question.dag_id),
        "task_link": task_path_of(question.dag_id, question.run_id, question.task_id, question.map_index),
    }


def _answer(question: Question, texts: Mapping[str, str] | None) -> tuple[str, bool]:
    """
    Return the answer, and whether these are its words: a choice, or a text for who may read the inbox.

    A text that a purge has deleted, or that is not for this user, is named by its kind.
    """
    outcome, kind = question.outcome or {}, str(question.spec.get("answer", "text"))
    if kind == "choice":
        titles = {str(key): str(title) for key, title in question.spec.get("choices", ())}
        value = str(outcome.get("value"))
        return titles.get(value, value), True
    words = next((texts[one] for one in outcome.get("messages", ()) if texts and texts.get(one)), None)
    return (words, True) if words else (f"A {kind}", False)


def _texts(store: Store, questions: Sequence[Question]) -> dict[str, str]:
    """Read the free answers, by the ids of their messages."""
    ids = [
        one
        for question in questions
        if question.spec.get("answer") in ("text", "number", "date")
        for one in (question.outcome or {}).get("messages", ())
    ]
    return {message.message_id: text_of(message.content) for message in store.inbox.find(ids)}

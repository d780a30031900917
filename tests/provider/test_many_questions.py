"""A thousand questions that wait in one triggerer: what they cost, and that only those wake that are meant."""

import asyncio
import time

import pytest
from sqlalchemy import event

from airflow_provider_d360.api.events import MessageEvent, StatusEvent
from airflow_provider_d360.conversations.matching import person_hash
from airflow_provider_d360.conversations.spec import Spec
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.store.question_rows import OPEN, Person, Question
from airflow_provider_d360.triggers import replies
from airflow_provider_d360.triggers.messages import shared_watch
from airflow_provider_d360.triggers.questions import D360QuestionTrigger

WAITING = 1000
INTERVAL_SECONDS = 0.5
ANSWERED, FAILED = 400, 700
TEXT = {"text": {"body": "yes"}}


@pytest.fixture
def store(store_path, monkeypatch):
    monkeypatch.setattr(replies, "_POLL_SECONDS", INTERVAL_SECONDS)
    store = configured_store()
    yield store
    store.close()


def number_of(place):
    return f"447700{900_000 + place}"


def ask(store, place):
    """Write a question that a person got already."""
    to = number_of(place)
    person = Person(0, to, "44…00", person_hash(store.ledger.hash, to), None, {"question": f"wamid.{place}"})
    now, spec = time.time(), Spec("text").to_json()
    where = ("d360_default", "dag", "run", "ask", place)
    store.questions.ensure(Question(f"q{place}", "ask", OPEN, *where, spec, now, now + 600, (person,)))
    return D360QuestionTrigger(question_id=f"q{place}")


async def note_statements():
    """Return the list that the queries of all triggers go into; not what begins and ends a transaction."""
    statements = []

    def note(connection, cursor, statement, *_):
        if "SELECT" in statement:
            statements.append(statement)

    event.listen((await shared_watch()).store._database._open(), "before_cursor_execute", note)
    return statements


async def wait_until_all_have_looked(statements):
    while sum("FROM d360_questions" in one for one in statements) < WAITING:  # noqa: ASYNC110 - of other threads
        await asyncio.sleep(0.05)
    await asyncio.sleep(2 * INTERVAL_SECONDS)


def test_a_thousand_questions_cost_one_query_per_interval_and_wake_one_by_one(store):
    triggers = [ask(store, place) for place in range(WAITING)]

    async def wait_for_two():
        statements = await note_statements()
        runs = [asyncio.ensure_future(anext(trigger.run())) for trigger in triggers]
        await wait_until_all_have_looked(statements)
        statements.clear()
        began = time.monotonic()
        await asyncio.sleep(6 * INTERVAL_SECONDS)
        seconds, calm = time.monotonic() - began, list(statements)
        reply = MessageEvent("in", "text", number_of(ANSWERED), reply_to=f"wamid.{ANSWERED}", raw=TEXT)
        store.add([reply, StatusEvent(f"wamid.{FAILED}", "failed")], time.time())
        await asyncio.gather(*(runs[place] for place in (ANSWERED, FAILED)))
        await asyncio.sleep(2 * INTERVAL_SECONDS)
        done = [place for place, run in enumerate(runs) if run.done()]
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        return seconds, calm, done

    seconds, calm, done = asyncio.run(asyncio.wait_for(wait_for_two(), 300))
    assert done == [ANSWERED, FAILED]
    assert all("WITH waits" in one for one in calm)
    assert 2 <= len(calm) <= seconds / INTERVAL_SECONDS + 1

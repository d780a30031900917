"""Opens a question in the store, reads its progress, sends what is due, and ends it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360Error,
    D360RecipientError,
)
from airflow_provider_d360.api.privacy import mask_number
from airflow_provider_d360.conversations.matching import Answer, is_for_another, person_hash, read_answer
from airflow_provider_d360.conversations.payloads import write_payload
from airflow_provider_d360.conversations.progress import ASK, Due, Outcome, Progress, find_progress
from airflow_provider_d360.conversations.spec import Spec
from airflow_provider_d360.hooks.ledgers import find_ledger
from airflow_provider_d360.sending.flows import send
from airflow_provider_d360.sending.sender import Sender
from airflow_provider_d360.store.question_rows import OPEN, Person, Question

if TYPE_CHECKING:
    from airflow_provider_d360.hooks.d360 import D360Hook
    from airflow_provider_d360.sending.identity import Place
    from airflow_provider_d360.store import Store

log = logging.getLogger(__name__)

_EARLIER_SECONDS = 300.0  # an answer may seem to come before its question: clocks differ
_WINDOW_SECONDS = 23.75 * 3600.0  # WhatsApp's 24 hours, with some reserve for clocks and queues
_PROOF_SECONDS = 30.0
_MOST_ANSWERS = 500  # of one person: who sends more only hides what he sends later


@dataclass(frozen=True, slots=True)
class Look:
    """
    A question as it is now.

    :param question: The question.
    :param spec: What counts as an answer.
    :param progress: What comes next; None if it has ended.
    """

    question: Question
    spec: Spec
    progress: Progress | None


def open_question(
    store: Store,
    place: Place,
    conn_id: str,
    people: Sequence[str],
    spec: Spec,
    timeout_seconds: float,
    *,
    part: str = "",
    kind: str = "ask",
) -> Question:
    """
    Return the question of a task; write it first if this is the first try since the last *Clear*.

    Open questions of the same task from before a *Clear* are cancelled.

    :param store: The store.
    :param place: The task.
    :param conn_id: The connection that it is sent with.
    :param people: Who is asked, as :func:`~airflow_provider_d360.api.recipients.canonical` returns them.
    :param spec: What counts as an answer.
    :param timeout_seconds: How long answers count.
    :param part: Tells several questions of one task apart.
    :param kind: ``ask``, or ``hitl`` for a question of Airflow's own operators.
    """
    hash_ = store.ledger.hash
    at = (place.dag_id, place.run, place.run_id, place.task_id, place.map_index)
    now = time.time()
    return store.questions.ensure(
        Question(
            id=hash_("question", *at, place.round, part),
            kind=kind,
            state=OPEN,
            conn_id=conn_id,
            dag_id=place.dag_id,
            run_id=place.run_id,
            task_id=place.task_id,
            map_index=place.map_index,
            spec=spec.to_json(),
            asked_at=now,
            expires_at=now + timeout_seconds,
            people=tuple(
                Person(position, number, mask_number(number), person_hash(hash_, number))
                for position, number in enumerate(people)
            ),
        )
    )


def look(store: Store, question_id: str, now: float) -> Look:
    """
    Read the progress of a question. This changes nothing.

    :param store: The store.
    :param question_id: The question.
    :param now: The time, in Unix seconds.
    :raises LookupError: There is no such question: somebody has emptied the store.
    """
    question = store.questions.find(question_id)
    if question is None:
        raise LookupError("The question is not in the store any more")
    spec = Spec.from_json(question.spec)
    if not question.is_open:
        return Look(question, spec, None)
    answers = [find_answers(store, question, spec, person) for person in question.people]
    progress = find_progress(question, spec, answers, now, _unreachable(store, question))
    return Look(question, spec, progress)


def find_answers(store: Store, question: Question, spec: Spec, person: Person) -> list[Answer]:
    """
    Return the answers of one person, oldest first; valid or not.

    :param store: The store.
    :param question: The question.
    :param spec: What counts as an answer.
    :param person: The person.
    """
    messages = store.inbox.answers(
        person.message_ids,
        [name for name in (person.number, person.wa_id) if name],
        since=question.asked_at - _EARLIER_SECONDS,
        taps_only=not spec.takes_next,
        limit=_MOST_ANSWERS,
    )
    later = store.questions.later(question, person) if spec.takes_next else []
    found = (
        read_answer(question, spec, person, message, store.ledger.hash)
        for message in messages
        if not is_for_another(message, later)
    )
    return [answer for answer in found if answer is not None]


def close(store: Store, question: Question, outcome: Outcome) -> Question:
    """
    End a question, unless it has ended before; return how it ended.

    :param store: The store.
    :param question: The question.
    :param outcome: How it ends.
    """
    kept = {
        "messages": [answer.message_id for answer in outcome.answers],
        "people": [answer.person for answer in outcome.answers],
    }
    spec = Spec.from_json(question.spec)
    if spec.answer in ("choice", "file"):  # no text of a person
        kept["value"] = outcome.value
    return store.questions.close(question.id, outcome.state, kept, time.time()) or question


def answer_of(store: Store, question: Question) -> Any:
    """
    Return the answer that decided a question; a text is read from the inbox, where it stays.

    :param store: The store.
    :param question: A question that was answered.
    :raises LookupError: Its message is not in the inbox any more.
    """
    outcome = question.outcome or {}
    if "value" in outcome:
        return outcome["value"]
    spec = Spec.from_json(question.spec)
    person = question.people[outcome["people"][0]]
    for message in store.inbox.find(outcome["messages"]):
        answer = read_answer(question, spec, person, message, store.ledger.hash)
        if answer is not None:
            return answer.value
    raise LookupError("The answer is not in the inbox any more")


class Messenger:
    """
    Sends the messages of a question, each once.

    :param hook: The hook of the connection.
    :param store: The store.
    :param place: The task that asks.
    :param write: Writes the message to a person: gets what is due, the payloads of the choices, and whether
        WhatsApp's 24-hour window of this person is open.
    """

    def __init__(
        self,
        hook: D360Hook,
        store: Store,
        place: Place | None,
        write: Callable[[Due, Sequence[str], bool], str | Mapping[str, Any]],
    ) -> None:
        self._hook, self._store, self._place, self._write = hook, store, place, write

    def send_due(self, current: Look) -> None:
        """
        Send what is due, and note it.

        A person who cannot be reached costs nothing as long as enough others can be: :func:`look` counts.

        :param current: The question as it is now.
        :raises D360Error: the question itself cannot be sent for a reason that is not the person's.
        """
        for due in current.progress.due if current.progress else ():
            number = due.person.number
            if number is not None:
                self._send(current, due, number)

    def _send(self, current: Look, due: Due, number: str) -> None:
        question = current.question
        hash_ = self._store.ledger.hash
        payloads = [
            write_payload(hash_, question.id, due.person.hash, choice)
            for choice in range(len(current.spec.choices))
        ]
        message = self._write(due, payloads, self._is_window_open(due.person, number))
        message_id: str | None = None
        wa_id: str | None = None
        try:
            sent = self._hook.run(
                send,
                number,
                message,
                sender=Sender(
                    conn_id=question.conn_id,
                    find_ledger=find_ledger,
                    source="task",
                    place=self._place,
                    key=f"question {question.id} {due.occasion}",
                    own_key=False,
                    proof_seconds=_PROOF_SECONDS,
                ),
                reply_to=due.person.sent.get(ASK) if due.kind != ASK and _may_quote(message) else None,
            )
            message_id, wa_id = sent.message_id, sent.wa_id or sent.user_id
        except D360Error as error:
            self._judge(error, current, due)
            if due.kind == ASK and not isinstance(error, D360AmbiguousError):
                self._store.questions.note(question.id, due.person.position, UNDELIVERED, None)
        self._store.questions.note(question.id, due.person.position, due.occasion, message_id, wa_id)
        log.info("%s sent to %s", due.occasion.capitalize(), due.person.masked)

    def _judge(self, error: D360Error, current: Look, due: Due) -> None:
        """Raise the error if the question is lost by it. A reminder that does not go out loses nothing."""
        is_ambiguous = isinstance(error, D360AmbiguousError)
        can_be_recognised = bool(current.spec.choices) or current.spec.takes_next
        has_others = len(current.question.people) > 1 and isinstance(error, D360RecipientError)
        if due.kind == ASK and not has_others and not (is_ambiguous and can_be_recognised):
            raise error
        log.warning("%s to %s: %s", due.occasion.capitalize(), due.person.masked, error)

    def _is_window_open(self, person: Person, number: str) -> bool:
        names = {number, person.wa_id or number}
        last = max(self._store.inbox.last_from(name) or 0.0 for name in names)
        return time.time() - last < _WINDOW_SECONDS


UNDELIVERED = "undelivered"  # noted like an occasion: this person did not get the question


def _may_quote(message: str | Mapping[str, Any]) -> bool:
    return isinstance(message, str) or message.get("type") != "template"


def _unreachable(store: Store, question: Question) -> set[int]:
    """Return the people who did not get the question: refused at once, or failed later."""
    ids = {
        message_id: person.position
        for person in question.people
        if (message_id := person.sent.get(ASK)) is not None
    }
    failed = {
        ids[message_id]
        for message_id, status in store.statuses.current(ids).items()
        if status.status == "failed"
    }
    return failed | {person.position for person in question.people if UNDELIVERED in person.sent}

"""
Handles answers that no task of ours waits for: to Airflow's own questions, and late ones.

It reads the inbox with a cursor, beside the receiver and never within a delivery: at least once, also what
came while no desk was open. Answering twice is harmless: Airflow refuses the second one, and each text has a
key in the ledger.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_d360.api.errors import D360Error, D360RateLimitError, D360UnavailableError
from airflow_provider_d360.api.inbound import TAPS, read_content
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.conversations.asking import look
from airflow_provider_d360.conversations.matching import Answer, read_answer
from airflow_provider_d360.conversations.payloads import read_payload
from airflow_provider_d360.conversations.spec import Spec
from airflow_provider_d360.sending.flows import send
from airflow_provider_d360.sending.sender import Sender
from airflow_provider_d360.store import StoreError
from airflow_provider_d360.transport.airflow_api import (
    AirflowApi,
    AirflowUnavailableError,
    TaskPlace,
    Verdict,
)

if TYPE_CHECKING:
    from airflow_provider_d360.hooks.d360 import D360Hook
    from airflow_provider_d360.store import InboxMessage, Store
    from airflow_provider_d360.store.ledger import Ledger
    from airflow_provider_d360.store.question_rows import Person, Question
    from airflow_provider_d360.transport.flows import Flow

log = logging.getLogger(__name__)

CURSOR = "d360:desk"
_AT_ONCE = 500
_OLDEST_SECONDS = 86_400.0  # later, nobody can be answered without a template

_REFUSED = "Airflow did not accept this answer."
_ELSEWHERE = "Please answer here: {link}"


class Desk:
    """
    Handles taps on buttons, and quotes of our messages.

    :param store: The store.
    :param make_hook: Returns the hook of a connection.
    :param make_api: Returns Airflow's API; None if no account is configured.
    """

    def __init__(
        self,
        store: Store,
        make_hook: Callable[[str], D360Hook],
        make_api: Callable[[], AirflowApi | None],
    ) -> None:
        self._store, self._make_hook, self._make_api = store, make_hook, make_api
        self._api: AirflowApi | None = None
        self._quoted: dict[str, Question | None] = {}

    def serve(self) -> None:
        """
        Handle all new taps and quotes. One that fails does not delay the others.

        :raises Exception: Airflow, 360dialog or the store does not work now. What was not served is served
            the next time.
        """
        now = time.time()
        self._store.cursors.ensure(CURSOR, now)
        self._store.cursors.skip(CURSOR, now - _OLDEST_SECONDS)
        self._store.questions.expire(now)
        last: InboxMessage | None = None
        failure: Exception | None = None
        while answers := self._store.inbox.unread(CURSOR, limit=_AT_ONCE, after=last, answers_only=True):
            self._quoted.clear()
            served: dict[str, float] = {}
            try:
                for last in answers:
                    try:
                        self._serve(last)
                    except (AirflowUnavailableError, StoreError):  # the next one would fail as well
                        raise
                    except Exception as error:  # noqa: BLE001 - of one connection, or of one message
                        failure = failure or error
                    else:
                        served[last.message_id] = last.received_at
            finally:
                self._store.cursors.acknowledge(CURSOR, served, time.time())
        if failure is not None:
            raise failure

    def _serve(self, message: InboxMessage) -> None:
        question = self._find_question(message)
        if question is None:
            return
        spec = Spec.from_json(question.spec)
        for person in question.people:
            answer = read_answer(question, spec, person, message, self._store.ledger.hash)
            if answer is not None:
                self._answer(question, spec, person, answer, message)
                self._quoted.clear()
                return

    def _find_question(self, message: InboxMessage) -> Question | None:
        """Return the question whose button was tapped, or which was quoted."""
        if message.type in TAPS:
            payload = read_payload(read_content(message.type, message.content).payload)
            return self._store.questions.find(payload.question_id) if payload else None
        if message.reply_to is None:
            return None
        if message.reply_to not in self._quoted:  # somebody may quote one message thousands of times
            self._quoted[message.reply_to] = self._find_quoted(message.reply_to)
        return self._quoted[message.reply_to]

    def _find_quoted(self, message_id: str) -> Question | None:
        sent = self._store.ledger.find(short_id(message_id))
        if sent is None:
            return None
        asked = self._store.questions.of_task(sent.dag_id, sent.run_id, sent.task_id, sent.map_index)
        return next((one for one in asked for person in one.people if message_id in person.message_ids), None)

    def _answer(
        self, question: Question, spec: Spec, person: Person, answer: Answer, message: InboxMessage
    ) -> None:
        is_late = answer.at > question.expires_at
        if question.kind == "hitl" and question.is_open and not is_late:
            if answer.problem is not None:
                self._tell(question, person, message, "hint", answer.problem)
            else:
                self._answer_airflow(question, spec, person, answer, message)
        elif is_late or self._is_settled_without(question, answer):
            self._tell(question, person, message, "late", _settled(spec, question))

    def _is_settled_without(self, question: Question, answer: Answer) -> bool:
        """Return whether a question is decided, and not by this person."""
        if not question.is_open:
            return answer.person not in (question.outcome or {}).get("people", ())
        progress = look(self._store, question.id, time.time()).progress
        outcome = progress.outcome if progress else None
        return outcome is not None and answer.person not in {one.person for one in outcome.answers}

    def _answer_airflow(
        self, question: Question, spec: Spec, person: Person, answer: Answer, message: InboxMessage
    ) -> None:
        self._api = self._api or self._make_api()
        if self._api is None:
            log.error("An answer cannot go back to Airflow: [d360] airflow_conn_id is not set")
            self._tell(question, person, message, "refused", _refused(spec))
            return
        place = TaskPlace(question.dag_id, question.run_id, question.task_id, question.map_index)
        note = f"Answered on WhatsApp by {person.masked}: {answer.value}"
        verdict = self._api.answer(place, str(answer.value), question.asked_at, note)
        log.info("Answer of %s to task %s: %s", person.masked, question.task_id, verdict.value)
        if verdict is Verdict.REFUSED:
            log.error(
                "The account of [d360] airflow_conn_id may not answer task %s of DAG %s. It needs the right "
                "to edit required actions, and, if the task has assigned users, must be one of them.",
                question.task_id,
                question.dag_id,
            )
            self._tell(question, person, message, "refused", _refused(spec))
            return
        if verdict is Verdict.ACCEPTED:
            outcome = {"messages": [answer.message_id], "people": [answer.person], "value": answer.value}
            self._store.questions.close(question.id, "answered", outcome, time.time())
            return
        self._store.questions.close(question.id, "settled elsewhere", {}, time.time())
        self._tell(question, person, message, "late", spec.settled)

    def _tell(
        self, question: Question, person: Person, message: InboxMessage, occasion: str, text: str | None
    ) -> None:
        """Send a person a text, once."""
        to = message.sender or message.sender_user_id
        if text is None or to is None:
            return
        sender = Sender(
            conn_id=question.conn_id,
            find_ledger=self._ledger,
            source="hook",
            key=f"question {question.id} {occasion} {person.position}",
            own_key=False,
        )
        try:
            self._make_hook(question.conn_id).run(send, to, text, sender=sender, reply_to=message.message_id)
        except (D360RateLimitError, D360UnavailableError):
            raise
        except D360Error as error:
            log.warning("%s could not be told that the answer does not count: %s", person.masked, error)

    def _ledger(self) -> Flow[Ledger | None]:
        """Return the ledger of this store, as a flow."""
        yield from ()
        return self._store.ledger


def _settled(spec: Spec, question: Question) -> str | None:
    titles = dict(spec.choices)
    title = titles.get((question.outcome or {}).get("value", ""), "")
    if spec.settled is None:
        return None
    return spec.settled.replace("{answer}", title) if title else spec.settled.replace(": {answer}", "")


def _refused(spec: Spec) -> str:
    return f"{_REFUSED} {_ELSEWHERE.replace('{link}', spec.link)}" if spec.link else _REFUSED

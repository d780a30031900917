"""Which message of whom is an answer to a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_d360.api.inbound import TAPS, Content, read_content
from airflow_provider_d360.conversations.payloads import Hash, is_genuine, read_payload
from airflow_provider_d360.conversations.spec import Spec
from airflow_provider_d360.conversations.validation import Reading, read_free
from airflow_provider_d360.store.incoming import InboxMessage
from airflow_provider_d360.store.question_rows import Person, Question


@dataclass(frozen=True, slots=True)
class Answer:
    """
    An answer of one person, valid or not.

    :param person: The place of the person among those who are asked.
    :param message_id: The message.
    :param at: When it was received, in Unix seconds.
    :param value: What it says: the key of a choice, a text, a number, a date or a media id.
    :param problem: What is wrong with it, for the person; None if it is valid.
    """

    person: int
    message_id: str
    at: float
    value: Any = field(default=None, repr=False)
    problem: str | None = None


def person_hash(hash_: Hash, number: str) -> str:
    """
    Hash a person, as the ledger does.

    :param hash_: Hashes values under the secret of the store.
    :param number: The number in digits, or the user id.
    """
    return hash_("recipient", number)


def read_answer(
    question: Question, spec: Spec, person: Person, message: InboxMessage, hash_: Hash
) -> Answer | None:
    """
    Return a message as an answer to a question; None if it is not an answer of this person to it.

    :param question: The question.
    :param spec: What counts as an answer to it.
    :param person: Somebody who is asked.
    :param message: A message.
    :param hash_: Hashes values under the secret of the store.
    """
    quotes_ours = message.reply_to is not None and message.reply_to in person.message_ids
    if not is_from(person, message, hash_, default=quotes_ours):
        return None
    content = read_content(message.type, message.content)
    if message.type in TAPS:  # the title of a button proves nothing
        value = _tapped(question, spec, person, content.payload, hash_)
        return None if value is None else _answer(person, message, Reading(value))
    is_next = spec.takes_next and message.reply_to is None and message.received_at >= question.asked_at
    if message.type == "reaction" or not (quotes_ours or is_next):
        return None
    return _answer(person, message, _written(spec, content))


def is_for_another(message: InboxMessage, later: Sequence[tuple[float, float]]) -> bool:
    """
    Return whether a message that quotes nothing came while a later question was open: it is for that one.

    :param message: The message.
    :param later: When later questions to this person began and ended, in Unix seconds.
    """
    is_plain = message.reply_to is None and message.type not in TAPS
    return is_plain and any(asked_at <= message.received_at <= end for asked_at, end in later)


def is_from(person: Person, message: InboxMessage, hash_: Hash, *, default: bool) -> bool:
    """
    Return whether a person sent a message.

    :param person: The person.
    :param message: The message.
    :param hash_: Hashes values under the secret of the store.
    :param default: What holds if the message does not name the number that we know the person by: who
        hides it is known by another id.
    """
    names = [name for name in (message.sender, message.sender_user_id) if name]
    if any(name == person.wa_id or person_hash(hash_, name) == person.hash for name in names):
        return True
    return message.sender is None and default


def _tapped(question: Question, spec: Spec, person: Person, text: str | None, hash_: Hash) -> str | None:
    payload = read_payload(text)
    if payload is None or payload.question_id != question.id or payload.choice >= len(spec.choices):
        return None
    return spec.choices[payload.choice][0] if is_genuine(hash_, payload, person.hash) else None


def _written(spec: Spec, content: Content) -> Reading:
    if spec.answer != "choice":
        return read_free(spec, content)
    written = (content.text or "").strip().casefold()
    for key, title in spec.choices:
        if written in (key.casefold(), title.casefold()):
            return Reading(key)
    return Reading(problem="Please choose one of the answers.")


def _answer(person: Person, message: InboxMessage, reading: Reading) -> Answer:
    return Answer(person.position, message.message_id, message.received_at, reading.value, reading.problem)

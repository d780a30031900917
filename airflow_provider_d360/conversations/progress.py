"""The next step of a question: wait, send something, or end. Pure: answers and the time in, a value out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_d360.conversations.matching import Answer
from airflow_provider_d360.conversations.spec import Spec
from airflow_provider_d360.store.question_rows import Person, Question

ASK = "question"


@dataclass(frozen=True, slots=True)
class Due:
    """
    Something to send to a person now, once.

    :param person: The person.
    :param occasion: Names it: ``question``, ``reminder 1``, ``hint 1``…
    :param problem: What is wrong with the person's answer, for a hint.
    """

    person: Person
    occasion: str
    problem: str = ""

    @property
    def kind(self) -> str:
        """The kind of message: ``question``, ``reminder`` or ``hint``."""
        return self.occasion.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How a question ends.

    :param state: ``answered``, ``expired``, ``invalid`` (nobody has a try left), ``disagreed`` or
        ``undelivered`` (too few people can be reached).
    :param value: The answer; None without one.
    :param answers: The answers that decided.
    """

    state: str
    value: Any = field(default=None, repr=False)
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """
    What comes next.

    :param outcome: How the question ends; None while it is open.
    :param due: What to send now.
    :param wake_at: When something will be due or the question expires, in Unix seconds.
    """

    outcome: Outcome | None
    due: tuple[Due, ...]
    wake_at: float


def find_progress(
    question: Question,
    spec: Spec,
    answers: Sequence[Sequence[Answer]],
    now: float,
    unreachable: Collection[int] = (),
) -> Progress:
    """
    Return the next step.

    :param question: The question.
    :param spec: What counts as an answer to it.
    :param answers: The answers of each person, oldest first; valid or not.
    :param now: The time, in Unix seconds.
    :param unreachable: The places of people who did not get the question.
    """
    in_time = [[one for one in given if one.at <= question.expires_at] for given in answers]
    valid = [_first_valid(given, spec.tries) for given in in_time]
    outcome = _outcome(question, spec, in_time, valid, unreachable)
    if outcome is None and now >= question.expires_at:
        outcome = Outcome("expired")
    if outcome is not None:
        return Progress(outcome, (), now)
    waiting = [
        person
        for person in question.people
        if valid[person.position] is None
        and person.position not in unreachable
        and len(in_time[person.position]) < spec.tries
    ]
    due = [one for person in waiting for one in _due(question, spec, person, in_time[person.position], now)]
    times = [question.asked_at + seconds for seconds in spec.reminders] if waiting else []
    wake_at = min((at for at in [*times, question.expires_at] if at > now), default=question.expires_at)
    return Progress(None, tuple(due), wake_at)


def _first_valid(given: Sequence[Answer], tries: int) -> Answer | None:
    return next((one for one in given[:tries] if one.problem is None), None)


def _outcome(
    question: Question,
    spec: Spec,
    given: Sequence[Sequence[Answer]],
    valid: Sequence[Answer | None],
    unreachable: Collection[int],
) -> Outcome | None:
    votes: Counter[Any] = Counter()
    answers = sorted((one for one in valid if one is not None), key=lambda one: (one.at, one.message_id))
    for number, answer in enumerate(answers):
        votes[answer.value] += 1
        if votes[answer.value] >= spec.needed:
            decisive = [one for one in answers[: number + 1] if one.value == answer.value]
            return Outcome("answered", answer.value, tuple(decisive))
    positions = range(len(question.people))
    out = {at for at in positions if valid[at] is None and len(given[at]) >= spec.tries}
    lost = {at for at in positions if valid[at] is None and at in unreachable} - out
    pending = len(positions) - len(answers) - len(out) - len(lost)
    if max(votes.values(), default=0) + pending >= spec.needed:
        return None
    if lost:
        return Outcome("undelivered")
    return Outcome("disagreed" if answers else "invalid")


def _due(question: Question, spec: Spec, person: Person, given: Sequence[Answer], now: float) -> list[Due]:
    if ASK not in person.sent:
        return [Due(person, ASK)]
    due = []
    if given and (hint := f"hint {len(given)}") not in person.sent:
        due.append(Due(person, hint, given[-1].problem or ""))
    passed = [
        number for number, seconds in enumerate(spec.reminders, 1) if question.asked_at + seconds <= now
    ]
    if passed and (reminder := f"reminder {passed[-1]}") not in person.sent:
        due.append(Due(person, reminder))  # of several that were missed, the last one
    return due

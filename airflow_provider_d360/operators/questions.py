"""Operators that ask people and wait for their answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.compat import AirflowFailException, AirflowSkipException, skip_mixin
from airflow_provider_d360.hooks.place import place_of
from airflow_provider_d360.tasks.arguments import (
    check_choice,
    check_texts,
    check_value,
    read_count,
    read_flag,
    read_seconds,
    read_several_seconds,
    read_text,
)
from airflow_provider_d360.tasks.failures import fail_at_once, log_problem
from airflow_provider_d360.tasks.operator import D360Operator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.conversations.progress import Due
    from airflow_provider_d360.conversations.spec import Spec
    from airflow_provider_d360.messages.values import String
    from airflow_provider_d360.sending.identity import Place
    from airflow_provider_d360.store.question_rows import Question

_LONGEST_WAIT_SECONDS = 30 * 86_400.0
_ENDS = {
    "expired": "Nobody has answered in time",
    "invalid": "Nobody has given a valid answer",
    "disagreed": "Too few people have chosen the same",
    "undelivered": "The question could not be delivered to enough people",
    "cancelled": "The question was cancelled, because its task was cleared",
}


class D360AskOperator(D360Operator):
    """
    Ask one or several people on WhatsApp, wait without occupying a worker slot, and return the answer.

    The question is sent once to each person, over retries and killed workers. What counts is a tap on a
    button of *this* question by the person whom it was sent to, or a message that quotes it; with
    ``accept_next`` also the person's next message. What does not: buttons of older questions, other people, a
    second tap, anything after the question is settled, expired or cleared. *Clear* asks again.

    Replies come by webhook: the receiver must run and share its store with worker and triggerer. Nothing is
    sent while the store cannot be used. Keep the inbox longer than the wait (``store_retention_days``).

    The answer is the task's XCom: the key of a choice, a text, a number, a date as ``2026-12-31``, or the
    media id of a file, for :class:`D360DownloadMediaOperator`. Under ``answered_by``, XCom has the masked
    numbers of those whose answers decided. Neither question nor answer appear in logs, events or triggers.

    :param to: Who is asked: a number or user id, or a list of them. No groups. (templated)
    :param question: The text; at most 1,024 characters with choices. (templated)
    :param choices: A dict of keys and titles, or a list of titles: up to three become buttons (20
        characters), up to ten a list (24 characters, and 72 below them). None for a free answer. (templated)
    :param answer: What a free answer must be: ``text`` (default), ``number``, ``date`` or ``file``.
    :param pattern: A regular expression that the whole text must match, in whatever case.
    :param tries: How often a person may answer until the answer is valid; 2 by default. After an answer that
        is not, the person is told what is expected.
    :param needed: How many people must choose the same; 1 by default.
    :param accept_next: The person's next message counts as well, without quoting the question. If several
        questions to the person are open, it is for the newest. Off by default.
    :param reminders: When to remind those who have not answered: timedeltas or seconds after the question.
    :param template: Sent in place of the question to people who have not written to you within 24 hours: a
        template message with as many quick replies as there are choices, in their order. Their payloads are
        set here. Without it, such people do not get the question. (templated)
    :param wait_timeout: How long answers count: a timedelta or seconds, at most 30 days; 24 hours by default.
    :param on_timeout: When no answer comes, or none that counts: ``fail`` the task (default), ``skip`` it, or
        return the ``default``.
    :param default: What to return then. (templated)
    :param list_button: The text of the button that opens a list.
    :param reminder_text: A reminder; ``{question}`` is replaced by the question.
    :param invalid_text: What a person is told whose answer is not valid; by default, what is expected.
    :param settled_text: What a person is told, once, who answers when it is settled; None for nothing.
        ``{answer}`` is replaced by the title of the choice.
    :param d360_conn_id: The 360dialog connection; ``d360_default`` by default. (templated)
    """

    template_fields: Sequence[str] = ("to", "question", "choices", "template", "default", "d360_conn_id")
    private_fields: ClassVar[frozenset[str]] = frozenset({"to", "question", "choices", "template", "default"})

    def __init__(
        self,
        *,
        to: str | Sequence[str],
        question: String,
        choices: Mapping[str, str] | Sequence[str] | None = None,
        answer: Literal["text", "number", "date", "file"] = "text",
        pattern: str | None = None,
        tries: int = 2,
        needed: int = 1,
        accept_next: bool = False,
        reminders: Sequence[timedelta | float] = (),
        template: Mapping[str, Any] | None = None,
        wait_timeout: timedelta | float = timedelta(hours=24),
        on_timeout: Literal["fail", "skip", "default"] = "fail",
        default: Any = None,
        list_button: str = "Choose",
        reminder_text: str = "Reminder: {question}",
        invalid_text: str | None = None,
        settled_text: str | None = "Thank you. This has been settled already.",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("answer", answer, "text", "number", "date", "file")
        check_choice("on_timeout", on_timeout, "fail", "skip", "default")
        self.to = to
        self.question = question
        self.choices = choices
        self.answer = answer
        self.pattern = pattern
        self.tries = read_count("tries", tries)
        self.needed = read_count("needed", needed)
        self.accept_next = read_flag("accept_next", accept_next)
        self.reminders = read_several_seconds("reminders", reminders)
        self.template = template
        self.wait_seconds = read_seconds("wait_timeout", wait_timeout)
        if not 0 < self.wait_seconds <= _LONGEST_WAIT_SECONDS:
            raise ValueError("wait_timeout is no time, or longer than 30 days; nobody could answer")
        if not all(0 < one < self.wait_seconds for one in self.reminders):
            raise ValueError("reminders holds one that comes with the question, or after wait_timeout")
        check_texts(list_button=list_button, reminder_text=reminder_text)
        check_texts(invalid_text=invalid_text, settled_text=settled_text)
        self.on_timeout = on_timeout
        self.default = default
        self.list_button = list_button
        self.reminder_text = reminder_text
        self.invalid_text = invalid_text
        self.settled_text = settled_text

    def execute(self, context: Context) -> Any:
        return self._proceed(context)

    def resume(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """
        Read the progress of the question, and continue.

        :param context: The task's context.
        :param event: What the trigger wrote: no more than that there is something to do.
        """
        return self._proceed(context)

    def _proceed(self, context: Context) -> Any:
        with fail_at_once(self.d360_conn_id):
            question = self._ask(context, self._people(), self._spec(), self.wait_seconds)
        return self._conclude(context, question)

    def _ask(
        self, context: Context, people: list[str], spec: Spec, wait_seconds: float, part: str = ""
    ) -> Question:
        """Return a question that has ended; send what is due and defer until then."""
        from airflow_provider_d360.conversations.asking import Messenger, close, look, open_question
        from airflow_provider_d360.store.configured import configured_store

        place = self._place(context)
        with closing(configured_store()) as store:
            question = open_question(store, place, self.d360_conn_id, people, spec, wait_seconds, part=part)
            messenger = Messenger(self.hook, store, place, self._writer(spec, part))
            current = look(store, question.id, time.time())
            while current.progress is not None:
                if current.progress.outcome is not None:
                    return close(store, question, current.progress.outcome)
                if not current.progress.due:
                    self._defer(question.id)
                messenger.send_due(current)
                current = look(store, question.id, time.time())
            return current.question

    def _defer(self, question_id: str) -> NoReturn:
        from airflow_provider_d360.triggers.questions import D360QuestionTrigger

        self.defer(trigger=D360QuestionTrigger(question_id=question_id), method_name="resume")

    def _writer(self, spec: Spec, part: str) -> Any:
        """Return the writer of the question's messages."""
        from airflow_provider_d360.conversations.writing import write_question, write_template

        template, body = self.rendered("template"), self._body(part)

        def write(due: Due, payloads: Sequence[str], is_window_open: bool) -> Any:
            if due.kind == "hint":
                return write_question(self.invalid_text or due.problem, spec, payloads, self.list_button)
            if template is not None and not part and not is_window_open:
                return write_template(template, payloads)
            text = body
            if due.kind == "reminder":
                text = self.reminder_text.replace("{question}", body)
            return write_question(text, spec, payloads, self.list_button)

        return write

    def _body(self, part: str) -> str:
        return read_text("question", self.rendered("question"))

    def _conclude(self, context: Context, question: Question) -> Any:
        """End the task as its question has ended."""
        if question.state == "answered":
            return self._answer(context, question)
        end = _ENDS.get(question.state, question.state)
        if question.state != "cancelled" and self.on_timeout == "default":
            self.log.warning("%s; the default is returned.", end)
            return self.rendered("default")
        if question.state != "cancelled" and self.on_timeout == "skip":
            raise AirflowSkipException(f"{end}.")
        log_problem(
            f"{end}.",
            "Without a working webhook no answer comes at all: see docs/receiving.md. To ask again, clear "
            "the task.",
        )
        raise AirflowFailException(f"{end}.")

    def _answer(self, context: Context, question: Question) -> Any:
        from airflow_provider_d360.conversations.asking import answer_of
        from airflow_provider_d360.store.configured import configured_store

        people = [question.people[at].masked for at in (question.outcome or {}).get("people", ())]
        context["ti"].xcom_push(key="answered_by", value=people)
        self.log.info("Answered by %s", ", ".join(people))
        with closing(configured_store()) as store:
            return answer_of(store, question)

    def _spec(self) -> Spec:
        from airflow_provider_d360.conversations.spec import Spec, read_choices

        try:
            choices = read_choices(self.rendered("choices"))
            return Spec(
                answer="choice" if choices else self.answer,
                choices=choices,
                needed=self.needed,
                takes_next=self.accept_next,
                pattern=self.pattern,
                tries=self.tries,
                reminders=tuple(sorted(self.reminders)),
                settled=self.settled_text,
            )
        except ValueError as error:
            problem = str(error)
        raise D360RequestError(ErrorDetail(problem, "Correct the arguments of the task."))

    def _people(self) -> list[str]:
        """Return who is asked, each person once."""
        given = self.rendered("to")
        listed = given if isinstance(given, list | tuple | set) else [given]
        region = self.hook.get_conn().settings.default_region
        for one in listed:
            check_value("to", one)
        people = list(dict.fromkeys(canonical(one, default_region=region) for one in listed))
        if len(people) < self.needed:
            title = f"needed is {self.needed}, and {len(people)} people are asked"
            raise D360RequestError(ErrorDetail(title, "Ask more people, or need fewer."))
        if not people:
            raise D360RequestError(ErrorDetail("to is empty", "Name who is asked."))
        return people

    def _place(self, context: Context) -> Place:
        place = place_of(context)
        if place is None:
            raise AirflowFailException("A question is asked by a task. Here is none.")
        return place


class D360ApprovalOperator(D360AskOperator):
    """
    Ask for an approval, with the buttons *Approve* and *Reject*; return ``approve``.

    When it is rejected, the tasks directly downstream are skipped, as by Airflow's own ``ApprovalOperator``,
    and theirs as their trigger rules say. With ``needed=2``, it is decided when two people have chosen the
    same; if no two can do so any more, it is rejected.

    Everything else is as for :class:`D360AskOperator`.

    :param fail_on_reject: Fail the task instead. Off by default.
    :param ask_reason: Ask who rejects for the reason: the next message counts. It is pushed to XCom as
        ``reason``; None if none comes within ``reason_timeout``. Off by default.
    :param reason_text: The question for the reason.
    :param reason_timeout: How long to wait for it: a timedelta or seconds, 10 minutes by default.
    :param approve: The title of the first button.
    :param reject: The title of the second button.
    """

    inherits_from_skipmixin = True  # for the scheduler: what was skipped stays skipped when it is cleared

    def __init__(
        self,
        *,
        fail_on_reject: bool = False,
        ask_reason: bool = False,
        reason_text: str = "Why? Please answer with a message.",
        reason_timeout: timedelta | float = timedelta(minutes=10),
        approve: str = "Approve",
        reject: str = "Reject",
        settled_text: str | None = "Thank you. This has been settled already: {answer}.",
        **kwargs: Any,
    ) -> None:
        for name in ("choices", "answer", "pattern"):
            if name in kwargs:
                raise ValueError(f"{name} is not for approvals: they have two buttons")
        super().__init__(choices={"approve": approve, "reject": reject}, settled_text=settled_text, **kwargs)
        self.fail_on_reject = read_flag("fail_on_reject", fail_on_reject)
        self.ask_reason = read_flag("ask_reason", ask_reason)
        self.reason_text = reason_text
        self.reason_seconds = read_seconds("reason_timeout", reason_timeout)

    def _conclude(self, context: Context, question: Question) -> Any:
        outcome = question.outcome or {}
        if question.state == "disagreed":
            return self._reject(context)
        if question.state == "answered" and outcome.get("value") == "reject":
            self._answer(context, question)
            if self.ask_reason:
                self._push_reason(context, outcome["people"][-1])
            return self._reject(context)
        return super()._conclude(context, question)

    def _reject(self, context: Context) -> str:
        if self.fail_on_reject:
            raise AirflowFailException("It was rejected.")
        self.log.info("It was rejected: what is downstream is skipped.")
        context["ti"].xcom_push(key="return_value", value="reject")
        skipper: Any = skip_mixin()()
        skipper.task_id = self.task_id
        skipper.skip(ti=context["ti"], tasks=self.get_direct_relatives(upstream=False))
        return "reject"

    def _push_reason(self, context: Context, person: int) -> None:
        from airflow_provider_d360.conversations.asking import answer_of
        from airflow_provider_d360.conversations.spec import Spec
        from airflow_provider_d360.store.configured import configured_store

        spec = Spec("text", takes_next=True, tries=1)
        with fail_at_once(self.d360_conn_id):
            question = self._ask(context, [self._people()[person]], spec, self.reason_seconds, "reason")
        with closing(configured_store()) as store:
            reason = answer_of(store, question) if question.state == "answered" else None
        context["ti"].xcom_push(key="reason", value=reason)

    def _body(self, part: str) -> str:
        return self.reason_text if part == "reason" else super()._body(part)

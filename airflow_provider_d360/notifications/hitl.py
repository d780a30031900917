"""The notifier that puts the questions of Airflow's own operators on people's phones."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.privacy import explain
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.notifications.rendering import TextNotifier
from airflow_provider_d360.tasks.private_fields import RenderingError

if TYPE_CHECKING:
    from airflow_provider_d360.conversations.progress import Due
    from airflow_provider_d360.conversations.spec import Spec
    from airflow_provider_d360.hooks.d360 import D360Hook

_LONGEST_BODY = 1024
_LONGEST_WAIT_SECONDS = 7 * 86_400.0
_SAFE_ERRORS = (D360Error, RenderingError)  # their texts quote no values


class D360HITLNotifier(TextNotifier):
    """
    Ask on WhatsApp what a human-in-the-loop operator asks: one of its ``notifiers``.

    The message has the subject, the text, the options as buttons (up to three, of 20 characters) or as a
    list (up to ten, of 96), and a link to *Required Actions*. A tap goes back by Airflow's REST API, from the
    receiver, with the account of ``[d360] airflow_conn_id``. The first answer counts, here or in the user
    interface. The task's note says who it was.

    Where that is not possible (no account, several options at once, parameters, longer options) the message
    has only the link. Questions expire with the operator's ``response_timeout``, after seven days at the
    latest.

    It never fails the task: errors are logged. A retry of the task asks again, and the buttons of the
    try before do not count any more.

    :param to: Who is asked: a phone number with country code or a business-scoped user id; several separated
        by commas, or a list. (templated)
    :param template: Sent in place of this message to people who have not written to you within 24 hours: the
        name of an approved template with two parameters, the subject and the link, and as many quick replies
        as there are options, in their order. Without it, such people do not get the question. (templated)
    :param language: The language of the template; ``en`` by default. (templated)
    :param settled_text: What a person is told, once, who answers when it is settled; None for nothing.
    :param d360_conn_id: The 360dialog connection; ``d360_default`` by default. (templated)
    """

    template_fields: Sequence[str] = ("to", "template", "language", "d360_conn_id")

    def __init__(
        self,
        to: str | Sequence[str],
        *,
        template: str | None = None,
        language: str = "en",
        settled_text: str | None = "Thank you. This has been settled already.",
        d360_conn_id: str = "d360_default",
    ) -> None:
        super().__init__()
        self.to = to
        self.template = template
        self.language = language
        self.settled_text = settled_text
        self.d360_conn_id = d360_conn_id

    def __call__(self, *args: Any) -> None:
        (context,) = args
        self.notify(context)

    def notify(self, context: Any) -> None:
        """
        Send the question of the task that runs.

        :param context: The context of the task.
        """
        try:
            self.rendered(context)._ask(context)
        except Exception as error:  # noqa: BLE001 - it would fail the task, whose question stands in the UI, too
            why = str(error) if isinstance(error, _SAFE_ERRORS) else explain(error)
            self.log.error("The question was not sent on WhatsApp: %s", why)

    def _ask(self, context: Mapping[str, Any]) -> None:
        from airflow_provider_d360.conversations.asking import Messenger, look, open_question
        from airflow_provider_d360.hooks.d360 import D360Hook
        from airflow_provider_d360.hooks.place import place_of
        from airflow_provider_d360.store.configured import configured_store

        place = place_of(context)
        if place is None:
            raise RenderingError(
                "D360HITLNotifier belongs into the notifiers of a human-in-the-loop operator"
            )
        task, link = context["task"], _link(context)
        hook = D360Hook(self.d360_conn_id)
        people = self._people(hook)
        spec = _spec(task, link, self.settled_text)
        body = _body(task, link)
        if spec is None:
            _send_to_all(hook, people, body)
            return
        wait_seconds = _wait_seconds(task)
        with closing(configured_store()) as store:
            question = open_question(
                store,
                place,
                self.d360_conn_id,
                people,
                spec,
                wait_seconds,
                part=f"hitl {place.try_number}",
                kind="hitl",
            )
            writer = self._writer(spec, body, str(task.subject), link)
            Messenger(hook, store, place, writer).send_due(look(store, question.id, time.time()))

    def _people(self, hook: Any) -> list[str]:
        from airflow_provider_d360.alerts.delivery import read_recipients

        region = hook.get_conn().settings.default_region
        return [canonical(who, default_region=region) for who in read_recipients(self.to)]

    def _writer(self, spec: Spec, body: str, subject: str, link: str) -> Any:
        from airflow_provider_d360.conversations.writing import write_question, write_template
        from airflow_provider_d360.messages import template

        def write(due: Due, payloads: Sequence[str], is_window_open: bool) -> Any:
            if self.template and not is_window_open:
                message = template(self.template, self.language, body=[subject, link], on_newline="flatten")
                return write_template(message, payloads)
            return write_question(body, spec, payloads, "Choose")

        return write


def _send_to_all(hook: D360Hook, people: Sequence[str], body: str) -> None:
    """Send a text to everybody, and raise the first error afterwards."""
    failure: D360Error | None = None
    for person in people:
        try:
            hook.send(person, body)
        except D360Error as error:
            failure = failure or error
    if failure is not None:
        raise failure


def _spec(task: Any, link: str, settled_text: str | None) -> Spec | None:
    """Return the rules for an answer; None if the phone cannot give one."""
    from airflow_provider_d360.conversations.airflow_account import is_account_configured
    from airflow_provider_d360.conversations.spec import Spec, read_choices

    if task.multiple or task.params or not is_account_configured():
        return None
    try:
        choices = read_choices(list(task.options))
    except ValueError:
        return None
    return Spec("choice", choices, settled=settled_text, link=link)


def _body(task: Any, link: str) -> str:
    parts = [str(part).strip() for part in (task.subject, task.body) if part]
    text = "\n\n".join(parts)
    longest = _LONGEST_BODY - len(link) - 2
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return f"{text}\n\n{link}" if link else text


def _link(context: Mapping[str, Any]) -> str:
    """Return the address of *Required Actions*; empty if Airflow does not know its own."""
    try:
        return str(context["task"].generate_link_to_ui_from_context(context=context))
    except ValueError:
        return ""


def _wait_seconds(task: Any) -> float:
    timeout = getattr(task, "response_timeout", None)
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else _LONGEST_WAIT_SECONDS
    return min(seconds, _LONGEST_WAIT_SECONDS)

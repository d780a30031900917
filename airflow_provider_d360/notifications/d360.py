"""The notifier, which sends alerts on WhatsApp from every kind of Airflow callback."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_d360.alerts import reading, writing
from airflow_provider_d360.alerts.alert import RETRY, Alert, recovered
from airflow_provider_d360.alerts.cooldowns import STORE_SECONDS, AlertCooldowns, CooldownUnavailableError
from airflow_provider_d360.alerts.delivery import (
    Message,
    Outcome,
    PreparedAlert,
    adeliver,
    deliver,
    read_recipients,
)
from airflow_provider_d360.alerts.senders import alert_sender
from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.privacy import explain, mask_number, private_strings, short_id
from airflow_provider_d360.compat import AirflowNotFoundException
from airflow_provider_d360.messages import template
from airflow_provider_d360.notifications.rendering import TextNotifier
from airflow_provider_d360.tasks.arguments import read_flag, read_seconds
from airflow_provider_d360.tasks.private_fields import RenderingError
from airflow_provider_d360.transport.flows import Flow, Work, run_async, run_blocking

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.hooks.d360 import D360Hook
    from airflow_provider_d360.store import Store

_LONGEST_TEXT = 4096  # of WhatsApp
_SAFE_ERRORS = (D360Error, RenderingError, AirflowNotFoundException)  # their texts quote no values


class D360Notifier(TextNotifier):
    """
    Send an alert on WhatsApp: as a callback of a task or a DAG, as a deadline alert, for a HITL operator.

    WhatsApp delivers free text only to people who wrote to you within the last 24 hours. People on call
    usually did not, so give a ``template``: ``docs/alerting.md`` has one to submit. Free text saves no money:
    since October 2026, it costs as much as a utility template.

    All recipients are served at once, within 15 seconds, because Airflow ends callbacks after 20. A failure
    is logged in one line and raised, except into a task that is still running. Fields are rendered as text,
    for each alert anew.

    :param to: A phone number with country code or a business-scoped user id; several separated by commas, or
        a list. (templated)
    :param message: What to send instead of the default alert: a text, or anything from
        :mod:`airflow_provider_d360.messages`. If it cannot be rendered or is refused, the default alert is
        sent. (templated)
    :param template: The approved template to send, with the seven parameters of the default alert: event,
        DAG, task, run, try, reason, link. (templated)
    :param language: The language of the templates; ``en`` by default. (templated)
    :param fallback_template: The template to send, with the same parameters, to a recipient whose 24-hour
        window turns out to be closed. WhatsApp may tell that too late, so ``template`` is safer. (templated)
    :param cooldown_seconds: After an alert, hold back further ones of the same event, DAG, task and class of
        error to the same recipients for this time: a timedelta, or seconds. A text or template of the next
        alert says how many were held back. With ``0``, none is held back, but alerts are recorded for
        ``only_after_failure``. By default, none is recorded.
    :param only_final_try: Send nothing about a try that will be followed by another. Off by default.
    :param only_after_failure: As ``on_success_callback``: send only if a notifier with ``cooldown_seconds``
        has sent an alert about a problem to the same recipients since the last success. Off by default.
    :param d360_conn_id: The 360dialog connection; ``d360_default`` by default. (templated)
    :raises ValueError: for a wrong argument. Airflow's triggerer makes the notifiers of deadlines only when
        they are due: there, a wrong option is logged and left out, so that the alert is sent.
    """

    template_fields: Sequence[str] = (
        "to",
        "message",
        "template",
        "language",
        "fallback_template",
        "d360_conn_id",
    )
    budget_seconds: ClassVar[float] = 15.0

    def __new__(cls, *args: Any, **kwargs: Any) -> D360Notifier:
        """Mask the arguments of a deadline's notifier: Airflow logs them when anything fails."""
        if "context" in kwargs:
            _mask_in_logs([*args, kwargs.get("to"), kwargs.get("message")])
        return super().__new__(cls)

    def __init__(
        self,
        to: str | Sequence[str],
        message: Message | None = None,
        *,
        template: str | None = None,
        language: str | None = None,
        fallback_template: str | None = None,
        cooldown_seconds: timedelta | float | None = None,
        only_final_try: bool = False,
        only_after_failure: bool = False,
        d360_conn_id: str = "d360_default",
        **kwargs: Any,
    ) -> None:
        context = kwargs.pop("context", None)
        super().__init__(context)
        self._is_due = context is not None
        with self._reading_option():
            if kwargs:
                raise ValueError(f"D360Notifier has no parameter {next(iter(kwargs))!r}")
        self.to = to
        self.message = message
        self.template = template
        self.language = language
        self.fallback_template = fallback_template
        self.d360_conn_id = d360_conn_id
        self.cooldown_seconds: float | None = None
        self.only_final_try = False
        self.only_after_failure = False
        with self._reading_option():
            if message is not None and template is not None:
                self.message = None
                raise ValueError("D360Notifier takes a message or a template, not both")
        with self._reading_option():
            if cooldown_seconds is not None:
                self.cooldown_seconds = read_seconds("cooldown_seconds", cooldown_seconds)
        with self._reading_option():
            self.only_final_try = read_flag("only_final_try", only_final_try)
        with self._reading_option():
            self.only_after_failure = read_flag("only_after_failure", only_after_failure)

    @contextmanager
    def _reading_option(self) -> Iterator[None]:
        """Raise an error in a DAG file. In the triggerer, where an alert is due, log it and go on without."""
        try:
            yield
        except ValueError as error:
            if not self._is_due:
                raise
            self.log.error("%s. The alert is sent without it.", error)

    def __call__(self, *args: Any) -> None:
        (context,) = args
        self.notify(context)

    def __await__(self) -> Generator[Any, None, None]:
        return self.async_notify(self.context).__await__()

    def notify(self, context: Context) -> None:
        """
        Send an alert.

        A copy is rendered, so that the next alert begins with the templates again.

        :param context: What Airflow passes to the callback.
        :raises D360Error: the first error, if a recipient was not reached and no running task would fail.
        """
        run_blocking(self._send(context), Work.run)

    async def async_notify(self, context: Context) -> None:
        """
        Do the same as :meth:`notify` without blocking the event loop.

        :param context: What Airflow passes to the callback.
        """
        await run_async(self._send(context), Work.arun)

    def _send(self, context: Context) -> Flow[None]:
        failures: dict[str, D360Error] = {}
        error: Exception | None
        try:
            failures = yield from self._deliver(context)
            error = next(iter(failures.values()), None)
        except Exception as problem:  # noqa: BLE001 - of any library; its text may quote values
            error = problem if isinstance(problem, _SAFE_ERRORS) else RuntimeError(explain(problem))
        if error is None:
            return
        reasons = "; ".join(f"{mask_number(to)}: {why}" for to, why in failures.items())
        self.log.error("The alert did not reach all recipients. %s", reasons or _explain(error))
        if not reading.is_running(context):  # as for HITL operators
            raise error

    def _deliver(self, context: Context) -> Flow[dict[str, D360Error]]:
        """Send an alert, and return the errors of the recipients who were not reached."""
        ends = time.monotonic() + self.budget_seconds
        rendered, prepared = yield Work(partial(self._prepare, context))
        if prepared is None:
            return {}
        outcomes: list[Outcome] = []
        problem: Exception | None = None
        try:
            hook = rendered._hook(ends, prepared)
            outcomes = yield Work(partial(hook.run, deliver, prepared), partial(adeliver, hook, prepared))
        except Exception as error:  # noqa: BLE001 - raised again below
            problem = error
        if prepared.settle:
            yield Work(partial(prepared.settle, _reached_any(outcomes)))
        if problem:
            raise problem
        return self._report(prepared, outcomes)

    def payload(self, alert: Alert, repeats: str = "") -> Message:
        """
        Return the message that an alert is sent as; of a rendered notifier.

        :param alert: The alert.
        :param repeats: How many alerts were held back, as a text.
        """
        if self.template:
            return self._template(self.template, alert, repeats)
        if isinstance(self.message, Mapping):
            return _with_repeats(self.message, repeats)
        if self.message:
            text = f"{self.message}\n({repeats})" if repeats else str(self.message)
            return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
        return writing.text(alert, repeats)

    def _template(self, name: str, alert: Alert, repeats: str) -> Message:
        return template(name, self.language or "en", body=writing.parameters(alert, repeats))

    def _hook(self, ends: float, prepared: PreparedAlert) -> D360Hook:
        """Make a hook whose calls end in time for the cooldown to be written after them."""
        from airflow_provider_d360.hooks.d360 import D360Hook

        reserved = STORE_SECONDS if prepared.settle else 0.0
        return D360Hook(self.d360_conn_id, budget_seconds=ends - reserved - time.monotonic())

    def _prepare(self, context: Context) -> tuple[D360Notifier, PreparedAlert | None]:
        """Do all blocking work before sending. Return a rendered copy, and None if nothing is to be sent."""
        if "deadline" in context:
            _mask_in_logs([self.to, self.message])
        rendered, alert = self.rendered(context), _read(context)
        prepared = rendered._decide(alert)
        if prepared is not None:
            prepared = replace(prepared, sender=alert_sender(context, alert, rendered.d360_conn_id))
        return rendered, prepared

    def _decide(self, alert: Alert) -> PreparedAlert | None:
        """Return the alert to send; None if an option or the cooldown holds it back."""
        if self.only_final_try and alert.event is RETRY:
            self.log.info("No alert: there will be another try")
            return None
        recipients = read_recipients(self.to)
        cooldowns = AlertCooldowns(_store, recipients, self.d360_conn_id)
        if self.only_after_failure and alert.event.is_success:
            return self._decide_recovery(alert, recipients, cooldowns)
        if self.cooldown_seconds is None:
            return self._prepared(recipients, alert)
        cooldown_seconds = self.cooldown_seconds
        try:
            before = cooldowns.claim(alert, cooldown_seconds)
        except CooldownUnavailableError as problem:
            self.log.warning("The alert is sent without regard to its cooldown. %s", problem)
            return self._prepared(recipients, alert)
        if before is None:
            self.log.info("No alert: the cooldown of %s seconds is not over; counted", cooldown_seconds)
            return None
        return self._prepared(
            recipients,
            alert,
            writing.repeated(before.held, before.since),
            lambda reached: cooldowns.settle(before, cooldown_seconds, reached=reached),
        )

    def _decide_recovery(
        self, alert: Alert, recipients: list[str], cooldowns: AlertCooldowns
    ) -> PreparedAlert | None:
        try:
            ended = cooldowns.recover(alert)
        except CooldownUnavailableError as problem:
            self.log.warning("No recovery is sent, because earlier alerts cannot be looked up. %s", problem)
            return None
        if not ended:
            return None
        recovery = recovered(alert, min(row.since for row in ended), sum(row.held for row in ended))
        return self._prepared(
            recipients, recovery, "", lambda reached: None if reached else cooldowns.undo_recovery(ended)
        )

    def _prepared(
        self,
        recipients: list[str],
        alert: Alert,
        repeats: str = "",
        settle: Callable[[bool], None] | None = None,
    ) -> PreparedAlert:
        fallback = self._template(self.fallback_template, alert, repeats) if self.fallback_template else None
        default = writing.text(alert, repeats) if self.message else None
        return PreparedAlert(recipients, self.payload(alert, repeats), fallback, default, settle=settle)

    def _report(self, prepared: PreparedAlert, outcomes: Sequence[Outcome]) -> dict[str, D360Error]:
        """Log the recipients who were reached, and return the errors of the others."""
        failures = {}
        for to, outcome in zip(prepared.recipients, outcomes, strict=True):
            if isinstance(outcome, D360Error):
                failures[to] = outcome
            else:
                self.log.info(
                    "Alert accepted for %s: message %s", mask_number(to), short_id(outcome.message_id)
                )
        return failures


send_d360_notification = D360Notifier


def _mask_in_logs(arguments: object) -> None:
    from airflow.sdk.log import mask_secret

    for secret in private_strings(arguments):
        mask_secret(secret)


def _with_repeats(message: Mapping[str, Any], repeats: str) -> Mapping[str, Any]:
    """Add the number of alerts held back to a text message; other messages have no place for it."""
    text = message.get("text")
    if not repeats or message.get("type") != "text" or not isinstance(text, Mapping):
        return message
    return {**message, "text": {**text, "body": f"{text.get('body')}\n({repeats})"}}


def _store() -> Store:
    from airflow_provider_d360.store.configured import configured_store

    return configured_store()


def _read(context: Context) -> Alert:
    import airflow
    from airflow.sdk.log import redact  # type: ignore[attr-defined]  # on every Airflow 3

    from airflow_provider_d360.compat import conf

    return reading.read(
        context,
        conf.get("api", "base_url", fallback="http://localhost:8080/"),
        redact=lambda text: str(redact(text)),
        has_failed_task=tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 2),
    )


def _reached_any(outcomes: Sequence[Outcome]) -> bool:
    return any(not isinstance(outcome, D360Error) for outcome in outcomes)


def _explain(error: Exception) -> str:
    return str(error) if isinstance(error, D360Error) else f"{type(error).__name__}: {error}"

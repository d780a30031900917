"""The notifier, which sends alerts on WhatsApp from every kind of Airflow callback."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_d360.alerts import reading
from airflow_provider_d360.alerts.alert import RETRY, Alert
from airflow_provider_d360.alerts.callbacks import Plan, carry_out, plan
from airflow_provider_d360.alerts.content import AlertContent
from airflow_provider_d360.alerts.delivery import Message, read_recipients
from airflow_provider_d360.alerts.queue import Options
from airflow_provider_d360.alerts.senders import alert_key, alert_place
from airflow_provider_d360.alerts.task_log import MOST_LINES, read_task_log
from airflow_provider_d360.alerts.turns import in_turn
from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.privacy import explain, mask_number, private_strings, short_id
from airflow_provider_d360.compat import AirflowNotFoundException
from airflow_provider_d360.hooks.place import round_of
from airflow_provider_d360.notifications.rendering import TextNotifier
from airflow_provider_d360.tasks.arguments import read_count, read_flag, read_seconds
from airflow_provider_d360.tasks.private_fields import RenderingError
from airflow_provider_d360.transport.flows import Flow, Work, run_async, run_blocking

if TYPE_CHECKING:
    from airflow.sdk import Context

_SAFE_ERRORS = (D360Error, RenderingError, AirflowNotFoundException)  # their texts quote no values
_DELIVERED_WITHIN_SECONDS = 120.0
_EXPIRES_SECONDS = 4 * 3600.0


class D360Notifier(TextNotifier):
    """
    Send an alert on WhatsApp: as a callback of a task or a DAG, as a deadline alert, for a HITL operator.

    WhatsApp delivers free text only to people who wrote to you within the last 24 hours. People on call
    usually did not, so give a ``template``: ``docs/alerting.md`` has one to submit. Free text saves no money:
    since October 2026, it costs as much as a utility template.

    All recipients are served at once, within 15 seconds, because Airflow ends callbacks after 20. A failure
    is logged in one line and raised, except into a task that is still running. Fields are rendered as text,
    again for each alert.

    The failures of one run are one alert and, when nothing more fails, a summary of the others; a DAG's alert
    and its task's are one. An alert that cannot be sent, in an outage or because its process was killed, is
    kept in the store, and sent by the next callback, by the webhook receiver, or by ``airflow d360
    deliver-due``.

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
    :param backup: Who gets the alert if no recipient does within ``delivered_within``: all were refused, or
        the webhook has reported no delivery. As ``to``. (templated)
    :param delivered_within: The time for that: a timedelta, or seconds. Two minutes by default.
    :param expires_after: How long after the failure an alert may still be sent: a timedelta, or seconds. Four
        hours by default.
    :param cooldown_seconds: After an alert, hold back further ones of the same event, DAG, task and class of
        error to the same recipients for this time: a timedelta, or seconds. A text or template of the next
        alert says how many were held back. By default, none is held back.
    :param log_lines: How many of the last lines of the task's log an alert about its failure shows, up to 20.
        Secrets that Airflow knows are masked in them; all else that the task prints is told. A template has
        room for the end of the last ones. None by default, and none where the log is not in reach of the
        callback: of a killed task, or of a DAG.
    :param only_final_try: Send nothing about a try that will be followed by another. Off by default.
    :param only_after_failure: As ``on_success_callback``: send only if a notifier has sent an alert about a
        problem to the same recipients since the last success. Off by default.
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
        "backup",
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
        backup: str | Sequence[str] | None = None,
        delivered_within: timedelta | float = _DELIVERED_WITHIN_SECONDS,
        expires_after: timedelta | float = _EXPIRES_SECONDS,
        cooldown_seconds: timedelta | float | None = None,
        log_lines: int = 0,
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
        self.backup = backup
        self.delivered_within_seconds = _DELIVERED_WITHIN_SECONDS
        self.expires_seconds = _EXPIRES_SECONDS
        self.cooldown_seconds: float | None = None
        self.log_lines = 0
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
            self.delivered_within_seconds = read_seconds("delivered_within", delivered_within)
        with self._reading_option():
            self.expires_seconds = read_seconds("expires_after", expires_after)
        with self._reading_option():
            self.log_lines = read_count("log_lines", log_lines, least=0, most=MOST_LINES)
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
        run_blocking(self._send(context), lambda step: step.run())

    async def async_notify(self, context: Context) -> None:
        """
        Do the same as :meth:`notify` without blocking the event loop.

        :param context: What Airflow passes to the callback.
        """
        await run_async(self._send(context), lambda step: step.arun())

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
        what: Plan
        what, ends = yield Work(partial(in_turn, _turns_file(), partial(self._prepare, context)))
        if reading.is_running(context):
            what = replace(what, helps=False)  # a task must not wait for the alerts of others
        sending = yield from carry_out(what, ends)
        failures = {}
        recipients = what.content.recipients if what.content else []
        for to, outcome in zip(recipients, sending.outcomes, strict=True):
            if isinstance(outcome, D360Error):
                failures[to] = outcome
            else:
                self.log.info(
                    "Alert accepted for %s: message %s", mask_number(to), short_id(outcome.message_id)
                )
        if sending.is_kept:
            self.log.warning("What did not go out is kept, and tried again for %g s", self.expires_seconds)
        return failures

    def _prepare(self, context: Context) -> tuple[Plan, float]:
        """Do all blocking work before sending; return the plan, and when to end on the monotonic clock."""
        _load()
        ends = time.monotonic() + self.budget_seconds
        return self._plan(context), ends

    def _plan(self, context: Context) -> Plan:
        if "deadline" in context:
            _mask_in_logs([self.to, self.backup, self.message])
        rendered, alert = self.rendered(context), _read(context)
        if self.only_final_try and alert.event is RETRY:
            self.log.info("No alert: there will be another try")
            return Plan(rendered.d360_conn_id)
        if self.log_lines and alert.task and alert.event.is_problem:
            alert = replace(alert, log=read_task_log(context["ti"], self.log_lines))
        place = alert_place(context, alert)
        content = AlertContent(
            alert=alert,
            recipients=read_recipients(rendered.to),
            key=alert_key(context, alert),
            place={} if place is None else asdict(place),
            message=rendered.message,
            template=rendered.template,
            language=rendered.language,
            fallback_template=rendered.fallback_template,
            backup=read_recipients(rendered.backup) if rendered.backup else [],
            delivered_within_seconds=self.delivered_within_seconds,
        )
        options = Options(self.cooldown_seconds, self.expires_seconds, round_of(context))
        is_recovery = self.only_after_failure and alert.event.is_success
        return plan(content, rendered.d360_conn_id, options, is_recovery=is_recovery)


send_d360_notification = D360Notifier


def _mask_in_logs(arguments: object) -> None:
    from airflow.sdk.log import mask_secret

    for secret in private_strings(arguments):
        mask_secret(secret)


def _turns_file() -> Path:
    from airflow.configuration import AIRFLOW_HOME

    return Path(AIRFLOW_HOME, "d360.turns")


def _load() -> None:
    """Import what takes long, before the time of the alert begins."""
    with suppress(Exception):  # without SQLAlchemy 2, alerts go out without the store
        import phonenumbers  # noqa: F401

        import airflow_provider_d360.hooks.d360
        import airflow_provider_d360.store.configured  # noqa: F401


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


def _explain(error: Exception) -> str:
    return str(error) if isinstance(error, D360Error) else f"{type(error).__name__}: {error}"

"""The notifier: alerts on WhatsApp from every callback that Airflow has."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.privacy import mask_number, private_strings, scrub
from airflow_provider_d360.messages import template
from airflow_provider_d360.notifications import alerts
from airflow_provider_d360.notifications.alerts import Alert
from airflow_provider_d360.notifications.delivery import Message, Outcome, adeliver, deliver, recipients
from airflow_provider_d360.notifications.memory import SECONDS as MEMORY_SECONDS
from airflow_provider_d360.notifications.memory import ForgetfulError, Memory
from airflow_provider_d360.notifications.rendering import TextNotifier

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.hooks.d360 import D360Hook
    from airflow_provider_d360.store import Store

_LONGEST_TEXT = 4096


@dataclass(frozen=True, slots=True)
class _Errand:
    """
    One alert on its way.

    :param everybody: Who is to get it.
    :param message: What it says.
    :param fallback: What it says to those for whom the 24-hour window is closed.
    :param default: What goes out when ``message`` cannot be sent.
    :param settle: What to do afterwards, knowing whether it reached anybody.
    """

    everybody: list[str]
    message: Message
    fallback: Message | None
    default: Message | None
    settle: Callable[[bool], None] | None = None


class D360Notifier(TextNotifier):
    """
    Send an alert on WhatsApp: as a callback of a task or a DAG, as a deadline alert, for a HITL operator.

    WhatsApp delivers free text only to people who wrote to you within the last 24 hours. People on call
    did not, so give a ``template``, or at least a ``fallback_template``; ``docs/alerting.md`` has one to
    submit.

    All recipients are served at once, within 15 seconds: Airflow ends callbacks after 20. A failure is
    logged in one line and raised, but never into a task that is still running. Fields are rendered as text
    and anew for each alert.

    :param to: A phone number with country code, or a business-scoped user id; several with commas between
        them, or a list. (templated)
    :param message: What to say in place of the default alert: a text, or anything from
        :mod:`airflow_provider_d360.messages`. When it cannot be rendered, or is refused, the default
        alert goes out. (templated)
    :param template: The approved template to send, with the seven parameters of the default alert: event,
        DAG, task, run, try, reason, link. (templated)
    :param language: The language of the templates; ``en`` if none is given. (templated)
    :param fallback_template: The template, with the same parameters, that goes out once when the 24-hour
        window turns out to be closed. (templated)
    :param cooldown_seconds: After an alert, hold back those of the same event, DAG, task and class of error
        to the same people for so long; the next one tells how many there were, if it is a text or a template
        of the default alert. ``0`` holds nothing back, but
        remembers for ``only_after_failure``. Without it, nothing is remembered.
    :param only_final_try: Be silent about a try that will be followed by another.
    :param only_after_failure: As ``on_success_callback``: send only when an alert about a problem went out to
        the same people since the last success, by a notifier with ``cooldown_seconds``.
    :param d360_conn_id: The 360dialog connection. (templated)
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

    def __init__(
        self,
        to: str | Sequence[str],
        message: Message | None = None,
        *,
        template: str | None = None,
        language: str | None = None,
        fallback_template: str | None = None,
        cooldown_seconds: float | None = None,
        only_final_try: bool = False,
        only_after_failure: bool = False,
        d360_conn_id: str = "d360_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if message is not None and template is not None:
            raise TypeError("D360Notifier takes a message or a template, not both")
        _check_cooldown(cooldown_seconds)
        self.to = to
        self.message = message
        self.template = template
        self.language = language
        self.fallback_template = fallback_template
        self.cooldown_seconds = cooldown_seconds
        self.only_final_try = only_final_try
        self.only_after_failure = only_after_failure
        self.d360_conn_id = d360_conn_id

    def __call__(self, *args: Any) -> None:
        (context,) = args
        self.notify(context)

    def __await__(self) -> Generator[Any, None, None]:
        return self.async_notify(self.context).__await__()

    def notify(self, context: Context) -> None:
        """Render a copy, and send what it says: the next alert begins with the templates again."""
        ends = time.monotonic() + self.budget_seconds
        with self._failing_well(context) as failures:
            ready, errand = self._prepare(context)
            if errand is None:
                return
            outcomes: list[Outcome] = []
            try:
                hook = ready._hook(ends, errand)
                outcomes = deliver(hook, errand.everybody, errand)
            finally:
                if errand.settle:
                    errand.settle(_reached_anybody(outcomes))
            failures.update(self._report(errand.everybody, outcomes))

    async def async_notify(self, context: Context) -> None:
        """Do the same as :meth:`notify` without blocking the event loop."""
        from asgiref.sync import sync_to_async  # its threads may ask Airflow for Variables, any others not

        ends = time.monotonic() + self.budget_seconds
        with self._failing_well(context) as failures:
            ready, errand = await sync_to_async(self._prepare, thread_sensitive=False)(context)
            if errand is None:
                return
            outcomes: list[Outcome] = []
            try:
                hook = ready._hook(ends, errand)
                outcomes = await adeliver(hook, errand.everybody, errand)
            finally:
                if errand.settle:
                    settle = sync_to_async(errand.settle, thread_sensitive=False)
                    await settle(_reached_anybody(outcomes))
            failures.update(self._report(errand.everybody, outcomes))

    def payload(self, alert: Alert, repeats: str = "") -> Message:
        """Put an alert into the message that goes out; for a rendered notifier."""
        if self.template:
            return self._template(self.template, alert, repeats)
        if isinstance(self.message, Mapping):
            return _with_repeats(self.message, repeats)
        if self.message:
            said = f"{self.message}\n({repeats})" if repeats else self.message
            return said if len(said) <= _LONGEST_TEXT else f"{said[: _LONGEST_TEXT - 1]}…"
        return alerts.text(alert, repeats)

    def _template(self, name: str, alert: Alert, repeats: str) -> Message:
        return template(name, self.language or "en", body=alerts.parameters(alert, repeats))

    def _hook(self, ends: float, errand: _Errand) -> D360Hook:
        from airflow_provider_d360.hooks.d360 import D360Hook

        reserved = MEMORY_SECONDS if errand.settle else 0.0
        return D360Hook(self.d360_conn_id, budget_seconds=ends - reserved - time.monotonic())

    def _prepare(self, context: Context) -> tuple[D360Notifier, _Errand | None]:
        """Decide everything that can be decided before anything is sent; all that may block."""
        if "deadline" in context:
            self._hide_own_fields()
        ready = self.rendered(context)
        return ready, ready._errand(_read(context))

    def _errand(self, alert: Alert) -> _Errand | None:
        if self.only_final_try and alert.event is alerts.RETRY:
            self.log.info("No alert: there will be another try")
            return None
        everybody = recipients(self.to)
        memory = Memory(_store, everybody, self.d360_conn_id)
        if self.only_after_failure and alert.event.is_success:
            return self._all_clear(alert, everybody, memory)
        if self.cooldown_seconds is None:
            return self._to_send(everybody, alert)
        try:
            before = memory.claim(alert, self.cooldown_seconds)
        except ForgetfulError as problem:
            self.log.warning("The alert goes out although it may be one too many. %s", problem)
            return self._to_send(everybody, alert)
        if before is None:
            self.log.info("No alert: one like it went out within %s seconds; counted", self.cooldown_seconds)
            return None
        repeats = alerts.repeated(before.held, before.since)
        cooldown = self.cooldown_seconds
        return self._to_send(
            everybody, alert, repeats, lambda reached: memory.settle(before, cooldown, reached=reached)
        )

    def _all_clear(self, alert: Alert, everybody: list[str], memory: Memory) -> _Errand | None:
        try:
            ended = memory.recover(alert)
        except ForgetfulError as problem:
            self.log.warning("No recovery is told, because nobody knows of alerts before. %s", problem)
            return None
        if not ended:
            return None
        told = alerts.recovered(alert, min(row.since for row in ended), sum(row.held for row in ended))
        return self._to_send(everybody, told, "", lambda reached: None if reached else memory.remember(ended))

    def _to_send(
        self,
        everybody: list[str],
        alert: Alert,
        repeats: str = "",
        settle: Callable[[bool], None] | None = None,
    ) -> _Errand:
        fallback = self._template(self.fallback_template, alert, repeats) if self.fallback_template else None
        default = alerts.text(alert, repeats) if self.message else None
        return _Errand(everybody, self.payload(alert, repeats), fallback, default, settle)

    def _report(self, everybody: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, D360Error]:
        failures = {}
        for to, outcome in zip(everybody, outcomes, strict=True):
            if isinstance(outcome, D360Error):
                failures[to] = outcome
            else:
                self.log.info("Alert accepted for %s: message id %s", mask_number(to), outcome.message_id)
        return failures

    @contextmanager
    def _failing_well(self, context: Context) -> Iterator[dict[str, D360Error]]:
        """Log in one line what went wrong, and raise it where that harms nobody."""
        failures: dict[str, D360Error] = {}
        try:
            yield failures
            if failures:
                raise next(iter(failures.values()))
        except Exception as error:
            said = "; ".join(f"{mask_number(to)}: {why}" for to, why in failures.items()) or _explain(error)
            self.log.error("The alert did not reach everybody it was for. %s", said)
            if alerts.is_running(context):  # as for HITL operators, which would fail
                return
            raise

    def _hide_own_fields(self) -> None:
        """Keep the arguments out of the log: Airflow writes them there when a deadline's callback fails."""
        from airflow.sdk.log import mask_secret

        for secret in private_strings([self.to, self.message]):
            mask_secret(secret)


send_d360_notification = D360Notifier


def _check_cooldown(seconds: object) -> None:
    if seconds is None or (isinstance(seconds, int | float) and 0 <= seconds < math.inf):
        return
    raise TypeError(f"cooldown_seconds is a number of seconds, not {seconds!r}")


def _with_repeats(message: Mapping[str, Any], repeats: str) -> Mapping[str, Any]:
    """Tell in a text how many alerts were held back; other messages have no place for that."""
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

    return alerts.read(
        context,
        conf.get("api", "base_url", fallback="http://localhost:8080/"),
        redact=lambda text: str(redact(text)),
        names_culprit=tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 2),
    )


def _reached_anybody(outcomes: Sequence[Outcome]) -> bool:
    return any(not isinstance(outcome, D360Error) for outcome in outcomes)


def _explain(error: Exception) -> str:
    return str(error) if isinstance(error, D360Error) else f"{type(error).__name__}: {scrub(str(error))}"

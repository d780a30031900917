"""Operators that send."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from airflow_provider_d360.api.intents import fingerprint
from airflow_provider_d360.api.privacy import mask_number
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.compat import AirflowFailException, AirflowTaskTimeout, TaskDeferralError
from airflow_provider_d360.operators.failures import fail_at_once
from airflow_provider_d360.operators.links import D360MessageLink
from airflow_provider_d360.operators.once import Intent, SendRecord
from airflow_provider_d360.operators.rendering import ConcealingOperator
from airflow_provider_d360.operators.tracking import (
    WAIT_FOR,
    conclude,
    find_by_intent,
    record_sent,
    require_store,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.hooks.d360 import D360Hook


class D360SendMessageOperator(ConcealingOperator):
    """
    Send one WhatsApp message and return its id.

    Success means that 360dialog accepted the message, not that it arrived: for that, let it ``wait_for`` a
    status. Map it over many recipients with ``.partial(message=…).expand(to=[…])``.

    A wrong message, a wrong key, a recipient that cannot be reached and above all a lost answer fail the
    task at once, whatever its ``retries``: after a lost answer the message may be on its way. Rate limits
    and outages, where nothing was accepted, are tried again within the task and then left to ``retries``; on
    Airflow 3.3 after the time that 360dialog asked for.

    On Airflow 3.3 and later, a task instance sends its message once, even when its worker is killed while
    sending: a retry, and *Clear*, return the id of the message that was sent. On Airflow 3.1 and 3.2 a
    retry knows what the message store knows, when one is configured; after a worker that was killed while
    sending, it sends again.

    There is no deferrable mode for sending: a trigger may run twice, and would then send twice. Waiting is
    always deferred, and takes no worker.

    Recipient and text do not appear in the log, in XCom or under *Rendered Template*.

    :param to: The recipient: a phone number with country code in any usual writing, a business-scoped user
        id such as ``BR.1502…``, or a group id. (templated)
    :param message: A text, anything from :mod:`airflow_provider_d360.messages`, or the same dict written by
        hand. XComArgs and templates may stand anywhere inside it. A file that it names with ``path=`` is
        uploaded first. Free-form messages reach only people who
        wrote to you within the last 24 hours; everybody else gets templates. (templated)
    :param reply_to: The id of the message that this one quotes. (templated)
    :param recipient_type: ``individual`` or ``group``.
    :param on_newline: WhatsApp refuses newlines, tabs and more than four blanks in a row inside the
        parameters of a template. ``error`` fails the task then, ``flatten`` writes them on one line.
    :param on_ambiguous: What to do when the message may have been sent: ``fail`` the task, or ``resend`` at
        the next of its ``retries``, and perhaps send it twice.
    :param preflight: Compare a template message with the template that was approved, before it is sent: one
        more request, and a clear error for each parameter that does not fit.
    :param resend: Send again when the task was cleared after it had sent; a template such as ``{{
        params.resend }}`` is true when it renders to ``true``, ``yes`` or ``1``. Retries still send once.
        Without it, a cleared task returns the id that it returned before. (templated)
    :param wait_for: Wait until the message is ``sent``, ``delivered`` or ``read``; a message that fails then
        fails the task, with the error and the remedy that a refusal at sending would have. Statuses come by
        webhook, so the receiver must run, and share its store with the triggerer. Nothing is sent while
        the store cannot be read.
    :param wait_timeout: How long to wait: a timedelta, or seconds.
    :param on_timeout: When that is over: ``fail`` the task, ``skip`` it, or ``accept`` that it was accepted.
    :param ambiguity_wait_seconds: When an answer was lost, how long to look in the store for a status that
        proves that the message was accepted. Not on on-premise, where statuses do not tell.
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("to", "message", "reply_to", "resend", "d360_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"message": "json"}
    private_fields: ClassVar[frozenset[str]] = frozenset({"to", "message"})
    operator_extra_links = (D360MessageLink(),)
    ui_color = "#25d366"
    message_id: str | None = None  # for the link: the id of what was sent, as soon as it is known

    def __init__(
        self,
        *,
        to: str,
        message: str | Mapping[str, Any],
        reply_to: str | None = None,
        recipient_type: str = "individual",
        on_newline: Literal["error", "flatten"] = "error",
        preflight: bool = False,
        on_ambiguous: Literal["fail", "resend"] = "fail",
        resend: bool | str = False,
        wait_for: Literal["sent", "delivered", "read"] | None = None,
        wait_timeout: timedelta | float = timedelta(minutes=10),
        on_timeout: Literal["fail", "skip", "accept"] = "fail",
        ambiguity_wait_seconds: float = 30.0,
        d360_conn_id: str = "d360_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to = to
        self.message = message
        self.reply_to = reply_to
        self.recipient_type = recipient_type
        self.on_newline = on_newline
        self.preflight = preflight
        self.on_ambiguous = on_ambiguous
        self.resend = resend
        self.wait_for = wait_for
        self.wait_seconds = _seconds("wait_timeout", wait_timeout)
        self.on_timeout = on_timeout
        self.ambiguity_wait_seconds = ambiguity_wait_seconds
        self.d360_conn_id = d360_conn_id
        _check_choice("on_newline", on_newline, "error", "flatten")
        _check_choice("on_ambiguous", on_ambiguous, "fail", "resend")
        _check_choice("wait_for", wait_for, None, *WAIT_FOR)
        _check_choice("on_timeout", on_timeout, "fail", "skip", "accept")
        if getattr(self, "retry_policy", self) is None:  # Airflow 3.3, and the author chose no other
            from airflow_provider_d360.operators.retries import D360RetryPolicy

            self.retry_policy = D360RetryPolicy(resend_ambiguous=on_ambiguous == "resend")

    @cached_property
    def hook(self) -> D360Hook:
        """The hook of this task's connection."""
        from airflow_provider_d360.hooks.d360 import D360Hook

        return D360Hook(self.d360_conn_id)

    def execute(self, context: Context) -> str | None:
        with fail_at_once(self.d360_conn_id, retry_ambiguous=self.on_ambiguous == "resend"):
            message_id = self._send_once(context)
        if self.wait_for:
            if not message_id:
                raise AirflowFailException(
                    "The message was accepted, but the answer holds no message id to wait for. The sandbox "
                    "tells none: leave wait_for out there."
                )
            self._wait_elsewhere(message_id, self.wait_for)
        return message_id

    def _wait_elsewhere(self, message_id: str, status: str) -> NoReturn:
        from airflow_provider_d360.triggers.messages import D360MessageStatusTrigger

        until = time.time() + self.wait_seconds
        trigger = D360MessageStatusTrigger(message_id=message_id, status=status, until=until)
        self.defer(trigger=trigger, method_name="resume_after_wait")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Fail for good when waiting came to no end: the message is out, and a retry could send it again."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralError as problem:
            raise AirflowFailException(
                f"The message was accepted, but nobody could wait for it: {problem}"
            ) from None

    def resume_after_wait(self, context: Context, event: dict[str, Any]) -> str:
        """Go on with what the trigger found."""
        from airflow_provider_d360.triggers.messages import from_event

        waited = from_event(event)
        self.message_id = waited.message_id
        status = conclude(waited, str(self.wait_for), self.on_timeout)
        self.log.info("Message %s is %s", waited.message_id, status)
        return waited.message_id

    def _send_once(self, context: Context) -> str | None:
        to, message = self.rendered("to"), self.rendered("message")
        intent = self._intent(context, to, message)
        state = context.get("task_state_store")
        record = SendRecord(state, intent, self._find, self.ambiguity_wait_seconds)
        known = record.already_sent(
            resend=str(self.resend).strip().lower() in ("true", "yes", "1"),
            resend_ambiguous=self.on_ambiguous == "resend",
        )
        if known:
            self.message_id = known.get("message_id")
            self.log.info("Sent by an earlier try: message id %s", self.message_id)
            return self.message_id
        if self.wait_for:
            require_store()
        call = self.hook.prepare(
            to,
            message,
            reply_to=self.reply_to or None,
            recipient_type=self.recipient_type,
            on_newline=self.on_newline,
            preflight=self.preflight,
            biz_opaque_callback_data=intent.name,
        )
        transport = self.hook.get_conn()
        transport.sleep = record.forgetting(transport.sleep)
        try:
            sent = record.send(lambda: self.hook.call(call))
            self.message_id = sent.message_id
            self.log.info("Accepted for %s: message id %s", mask_number(to), sent.message_id)
            self._note(context, str(to), intent.name)
        except AirflowTaskTimeout:
            if self.on_ambiguous == "resend":
                raise
            raise AirflowFailException(
                "The task's execution_timeout ended while the message was being sent; it may be on its way. "
                "Look for its status before sending it again."
            ) from None
        return sent.message_id

    def _find(self, intent: str, wait_seconds: float) -> str | None:
        if not self.hook.get_conn().account.hosting.names_product:
            return None
        return find_by_intent(intent, wait_seconds, always=self.wait_for is not None)

    def _note(self, context: Context, to: str, intent: str) -> None:
        ti = context.get("ti")
        if ti is not None:
            record_sent(
                self.message_id,
                always=self.wait_for is not None,
                dag_id=ti.dag_id,
                run_id=ti.run_id,
                task_id=ti.task_id,
                map_index=-1 if ti.map_index is None else ti.map_index,
                try_number=ti.try_number,
                recipient=to,
                conn_id=self.d360_conn_id,
                intent=intent,
            )

    def _intent(self, context: Context, to: object, message: object) -> Intent:
        key = self.hook.get_conn().account.api_key
        ti = context.get("ti")
        place = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index) if ti else (self.dag_id, self.task_id)
        cycle = getattr(ti, "max_tries", 0)
        recipient = canonical(to, self.recipient_type)
        return Intent(
            name=fingerprint(key, *place, cycle, recipient, message),
            content=fingerprint(key, recipient, message),
            recipient=fingerprint(key, recipient),
            key=fingerprint(key),
            cycle=cycle,
        )


def _seconds(name: str, given: object) -> float:
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(seconds, int | float) and 0 <= seconds < math.inf:
        return seconds
    raise ValueError(f"{name} is {given!r}; it can be a timedelta, or a number of seconds")


def _check_choice(name: str, given: str | None, *allowed: str | None) -> None:
    if given not in allowed:
        raise ValueError(f"{name} is {given!r}; it can be {' or '.join(map(repr, allowed))}")

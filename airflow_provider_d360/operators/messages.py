"""Operators that send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_d360.api.intents import fingerprint
from airflow_provider_d360.api.privacy import mask_number
from airflow_provider_d360.compat import AirflowFailException, AirflowTaskTimeout
from airflow_provider_d360.operators.failures import fail_at_once
from airflow_provider_d360.operators.once import Intent, SendRecord
from airflow_provider_d360.operators.rendering import ConcealingOperator
from airflow_provider_d360.operators.retries import wait_as_told

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.hooks.d360 import D360Hook


class D360SendMessageOperator(ConcealingOperator):
    """
    Send one WhatsApp message and return its id.

    Success means that 360dialog accepted the message, not that it arrived. Map it over many recipients with
    ``.partial(message=…).expand(to=[…])``.

    A wrong message, a wrong key, a recipient that cannot be reached and above all a lost answer fail the
    task at once, whatever its ``retries``: after a lost answer the message may be on its way. Rate limits
    and outages, where nothing was accepted, are tried again within the task and then left to ``retries``; on
    Airflow 3.3 after the time that 360dialog asked for.

    On Airflow 3.3 and later, a task instance sends its message once, even when its worker is killed while
    sending: a retry, and *Clear*, return the id of the message that was sent. On Airflow 3.1 and 3.2 nothing
    survives a killed worker, and a retry of that task sends again.

    There is no deferrable mode for sending: a trigger may run twice, and would then send twice.

    Recipient and text do not appear in the log, in XCom or under *Rendered Template*.

    :param to: The recipient: a phone number with country code in any usual writing, a business-scoped user
        id such as ``BR.1502…``, or a group id. (templated)
    :param message: A text, anything from :mod:`airflow_provider_d360.messages`, or the same dict written by
        hand. XComArgs and templates may stand anywhere inside it. Free-form messages reach only people who
        wrote to you within the last 24 hours; everybody else gets templates. (templated)
    :param reply_to: The id of the message that this one quotes. (templated)
    :param recipient_type: ``individual`` or ``group``.
    :param on_newline: WhatsApp refuses newlines, tabs and more than four blanks in a row inside the
        parameters of a template. ``error`` fails the task then, ``flatten`` writes them on one line.
    :param on_ambiguous: What to do when the message may have been sent: ``fail`` the task, or ``resend`` at
        the next of its ``retries``, and perhaps send it twice.
    :param resend: Send again when the task was cleared after it had sent; a template such as ``{{
        params.resend }}`` is true when it renders to ``true``, ``yes`` or ``1``. Retries still send once.
        Without it, a cleared task returns the id that it returned before. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("to", "message", "reply_to", "resend", "d360_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"message": "json"}
    private_fields: ClassVar[frozenset[str]] = frozenset({"to", "message"})
    ui_color = "#25d366"

    def __init__(
        self,
        *,
        to: str,
        message: str | Mapping[str, Any],
        reply_to: str | None = None,
        recipient_type: str = "individual",
        on_newline: Literal["error", "flatten"] = "error",
        on_ambiguous: Literal["fail", "resend"] = "fail",
        resend: bool | str = False,
        d360_conn_id: str = "d360_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to = to
        self.message = message
        self.reply_to = reply_to
        self.recipient_type = recipient_type
        self.on_newline = on_newline
        self.on_ambiguous = on_ambiguous
        self.resend = resend
        self.d360_conn_id = d360_conn_id
        _check_choice("on_newline", on_newline, "error", "flatten")
        _check_choice("on_ambiguous", on_ambiguous, "fail", "resend")
        wait_as_told(self, resend_ambiguous=on_ambiguous == "resend")

    @cached_property
    def hook(self) -> D360Hook:
        """The hook of this task's connection."""
        from airflow_provider_d360.hooks.d360 import D360Hook

        return D360Hook(self.d360_conn_id)

    def execute(self, context: Context) -> str | None:
        try:
            with fail_at_once(self.d360_conn_id, retry_ambiguous=self.on_ambiguous == "resend"):
                return self._send_once(context)
        except AirflowTaskTimeout:
            if self.on_ambiguous == "resend":
                raise
            raise AirflowFailException(
                "The task's execution_timeout ended while the message was being sent; it may be on its way. "
                "Look for its status before sending it again."
            ) from None

    def _send_once(self, context: Context) -> str | None:
        to, message = self.rendered("to"), self.rendered("message")
        intent = self._intent(context, to, message)
        record = SendRecord(context.get("task_state_store"), intent)
        known = record.already_sent(
            resend=str(self.resend).strip().lower() in ("true", "yes", "1"),
            resend_ambiguous=self.on_ambiguous == "resend",
        )
        if known:
            self.log.info("Sent by an earlier try: message id %s", known.get("message_id"))
            return known.get("message_id")
        sent = record.send(
            lambda: self.hook.send(
                to,
                message,
                reply_to=self.reply_to or None,
                recipient_type=self.recipient_type,
                on_newline=self.on_newline,
                biz_opaque_callback_data=intent.name,
            )
        )
        self.log.info("Accepted for %s: message id %s", mask_number(to), sent.message_id)
        return sent.message_id

    def _intent(self, context: Context, to: object, message: object) -> Intent:
        key = self.hook.get_conn().account.api_key
        ti = context.get("ti")
        place = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index) if ti else (self.dag_id, self.task_id)
        return Intent(
            name=fingerprint(key, *place, to, message),
            recipient=fingerprint(key, str(to)),
            cycle=getattr(ti, "max_tries", 0),
        )


def _check_choice(name: str, given: str, *allowed: str) -> None:
    if given not in allowed:
        raise ValueError(f"{name} is {given!r}; it can be {' or '.join(map(repr, allowed))}")

"""Operators that send."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from airflow_provider_d360.api.errors import Condition, D360RecipientError
from airflow_provider_d360.api.privacy import explain, mask_number, short_id
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.compat import (
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferralError,
)
from airflow_provider_d360.hooks.ledgers import find_ledger, open_ledger
from airflow_provider_d360.hooks.place import place_of
from airflow_provider_d360.sending.flows import send
from airflow_provider_d360.sending.identity import read_key
from airflow_provider_d360.sending.sender import Sender
from airflow_provider_d360.tasks.arguments import (
    check_choice,
    check_single,
    check_value,
    read_flag,
    read_id,
    read_seconds,
)
from airflow_provider_d360.tasks.failures import fail_at_once
from airflow_provider_d360.tasks.links import D360MessageLink
from airflow_provider_d360.tasks.operator import D360Operator
from airflow_provider_d360.tasks.tracking import (
    WAIT_FOR,
    conclude,
    find_by_short_id,
    may_have_statuses,
    require_store,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.messages.values import String


class D360SendMessageOperator(D360Operator):
    """
    Send one WhatsApp message and return its id.

    Success means that 360dialog accepted the message, not that it was delivered: for that, use ``wait_for``.
    To send to many recipients, map the operator: ``.partial(message=…).expand(to=[…])``.

    A wrong message, a wrong key, an unreachable recipient and a lost response fail the task at once, whatever
    its ``retries``: after a lost response, the message may be on its way. After rate limits and outages,
    nothing was accepted: the task retries the request itself, and then leaves it to ``retries``; on Airflow
    3.3 after the delay that 360dialog asked for.

    A message is sent once: a ledger in the store knows what went out, over retries, killed workers and
    *Clear*, also when a mapped list changes its order. Then the id of the message that was sent is returned.
    ``docs/once.md`` says what that guarantees.

    Sending is never deferred, because Airflow may run a trigger twice. Waiting is always deferred, and
    occupies no worker slot.

    Recipient, text and key appear neither in the log, nor in XCom, nor under *Rendered Template*.

    :param to: The recipient: a phone number with country code, a business-scoped user id such as
        ``BR.1502…``, or a group id. A number with a leading 0 needs the connection's ``default_region``. What
        cannot be a number (``447700900123.0``, ``None``, ``+44 7700 900123 ext 5``) fails the task before
        anything is uploaded or sent. (templated)
    :param message: A text, anything from :mod:`airflow_provider_d360.messages`, or the same dict written by
        hand. It may contain XComArgs and templates anywhere. A file named by ``path=`` is uploaded first.
        Free-form messages reach only people who wrote to you within the last 24 hours; others need a template
        message. A dict with a ``biz_opaque_callback_data`` of your own is sent unchanged, but then no status
        can prove that a message was accepted whose response was lost. (templated)
    :param reply_to: The id of the message to quote; by default, none. When it is given, it must not render to
        nothing. (templated)
    :param recipient_type: ``individual`` (default) or ``group``.
    :param on_newline: WhatsApp rejects newlines, tabs and more than four consecutive spaces in template
        parameters. ``error`` (default) fails the task, ``flatten`` replaces them by one space.
    :param preflight: Compare a template message with the approved template before sending: one more request,
        and a clear error for each parameter that does not fit. Off by default.
    :param on_ambiguous: When the message may have been sent: ``fail`` the task (default), or ``resend`` with
        the task's next retry, which may send it twice.
    :param resend: After *Clear*, send again instead of returning the known id. A boolean, or a template that
        renders to ``true``, ``false``, ``yes``, ``no``, ``1`` or ``0``. Retries still send once. Off by
        default. (templated)
    :param idempotency_key: Names what must be sent once to this recipient, in whatever DAG, run or task, for
        ever: ``"invoice {{ params.invoice }}"``. By default, that is a message to this person by this task in
        this run; see ``docs/once.md``. (templated)
    :param marketing: Whether the message is marketing, which people may have opted out of. By default, a
        template is what its category says, and other messages are not: see ``docs/opt-outs.md``.
    :param on_suppressed: When the recipient opted out: ``fail`` the task (default), or ``skip`` it.
    :param wait_for: Wait until the message is ``sent``, ``delivered`` or ``read``; by default, do not wait. A
        message that fails meanwhile fails the task. Statuses come by webhook: the receiver must run and share
        its store with the triggerer. Nothing is sent while the store cannot be read.
    :param wait_timeout: How long to wait: a timedelta, or seconds; ten minutes by default.
    :param on_timeout: When that time is over: ``fail`` the task (default), ``skip`` it, or ``accept``: let it
        succeed.
    :param ambiguity_wait_seconds: After a lost response, how long to look in the store for a status that
        proves acceptance; 30 seconds by default. Not on on-premise, where statuses carry no proof.
    :param d360_conn_id: The 360dialog connection; ``d360_default`` by default. (templated)
    """

    template_fields: Sequence[str] = (
        *("to", "message", "reply_to", "resend", "idempotency_key", "d360_conn_id"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"message": "json"}
    private_fields: ClassVar[frozenset[str]] = frozenset({"to", "message", "reply_to", "idempotency_key"})
    operator_extra_links = (D360MessageLink(),)
    message_id: str | None = None  # for the link; set as soon as it is known

    def __init__(
        self,
        *,
        to: String,
        message: String | Mapping[str, Any],
        reply_to: String | None = None,
        recipient_type: Literal["individual", "group"] = "individual",
        on_newline: Literal["error", "flatten"] = "error",
        preflight: bool = False,
        on_ambiguous: Literal["fail", "resend"] = "fail",
        resend: bool | String = False,
        idempotency_key: String | None = None,
        marketing: bool | None = None,
        on_suppressed: Literal["fail", "skip"] = "fail",
        wait_for: Literal["sent", "delivered", "read"] | None = None,
        wait_timeout: timedelta | float = timedelta(minutes=10),
        on_timeout: Literal["fail", "skip", "accept"] = "fail",
        ambiguity_wait_seconds: timedelta | float = 30.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("recipient_type", recipient_type, "individual", "group")
        check_choice("on_newline", on_newline, "error", "flatten")
        check_choice("on_ambiguous", on_ambiguous, "fail", "resend")
        check_choice("on_suppressed", on_suppressed, "fail", "skip")
        check_choice("wait_for", wait_for, None, *WAIT_FOR)
        check_choice("on_timeout", on_timeout, "fail", "skip", "accept")
        self.to = to
        self.message = message
        self.reply_to = reply_to
        self.recipient_type = recipient_type
        self.on_newline = on_newline
        self.preflight = read_flag("preflight", preflight)
        self.on_ambiguous = on_ambiguous
        self.resend = resend
        self.idempotency_key = idempotency_key
        self.marketing = None if marketing is None else read_flag("marketing", marketing)
        self.on_suppressed = on_suppressed
        self.wait_for = wait_for
        self.wait_seconds = read_seconds("wait_timeout", wait_timeout)
        self.on_timeout = on_timeout
        self.ambiguity_wait_seconds = read_seconds("ambiguity_wait_seconds", ambiguity_wait_seconds)
        self._quotes = reply_to is not None
        if on_ambiguous == "resend":
            self._set_retry_policy(resend_ambiguous=True)

    def execute(self, context: Context) -> str | None:
        with fail_at_once(self.d360_conn_id, retry_ambiguous=self.on_ambiguous == "resend"):
            message_id = self._send_once(context)
        if self.wait_for:
            if not message_id:
                raise AirflowFailException(
                    "The message was accepted, but its id is not known, so there is nothing to wait for: on "
                    "the sandbox, or because it was settled by hand. Leave out wait_for."
                )
            self._wait_in_triggerer(message_id, self.wait_for)
        return message_id

    def _wait_in_triggerer(self, message_id: str, status: str) -> NoReturn:
        from airflow_provider_d360.triggers.messages import D360MessageStatusTrigger

        until = time.time() + self.wait_seconds
        trigger = D360MessageStatusTrigger(message_id=message_id, status=status, until=until)
        self.defer(trigger=trigger, method_name="resume_after_wait", kwargs={"message_id": message_id})

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Resume the task after the trigger, and fail it without retry when the trigger broke.

        The message was sent before; a retry could send it again.

        :param next_method: The method to call; set by Airflow.
        :param next_kwargs: Its arguments, with the trigger's event.
        :param context: The task's context.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralError as problem:
            text = f"The message was accepted, but waiting for its status failed: {explain(problem)}"
        raise AirflowFailException(text)

    def resume_after_wait(
        self, context: Context, event: dict[str, Any], message_id: str | None = None
    ) -> str:
        """
        End the task according to the trigger's event, and return the message id.

        :param context: The task's context.
        :param event: What the trigger wrote.
        :param message_id: The message that was sent. Without it, the store is asked: ``airflow dags test``
            hands over the event and nothing else.
        """
        from airflow_provider_d360.triggers.messages import from_event

        waited = from_event(event, message_id or find_by_short_id(event))
        self.message_id = waited.message_id
        status = conclude(waited, str(self.wait_for), self.on_timeout)
        self.log.info("Message %s is %s", short_id(waited.message_id), status)
        return waited.message_id

    def _send_once(self, context: Context) -> str | None:
        to, message, reply_to, resend = self._read_arguments()
        place = place_of(context)
        resends_unknown = self.on_ambiguous == "resend"
        sender = Sender(
            conn_id=self.d360_conn_id,
            find_ledger=find_ledger,
            source="task",
            place=place,
            key=read_key(self.rendered("idempotency_key")),
            resend=resend,
            resend_unknown=resends_unknown,
            proof_seconds=self.ambiguity_wait_seconds if may_have_statuses(self.wait_for) else 0.0,
        )
        if self.wait_for:
            require_store()
        try:
            sent = self.hook.run(
                send,
                to,
                message,
                sender=sender,
                reply_to=reply_to,
                recipient_type=self.recipient_type,
                on_newline=self.on_newline,
                preflight=self.preflight,
                marketing=self.marketing,
            )
        except D360RecipientError as error:
            if self.on_suppressed == "skip" and error.detail.condition is Condition.OPTED_OUT:
                raise AirflowSkipException(str(error)) from None
            raise
        except AirflowTaskTimeout:
            if resends_unknown or (place and (place.state is not None or open_ledger())):
                raise  # the next try looks into the ledger
        else:
            self.message_id = sent.message_id
            self.log.info("Accepted for %s: message %s", mask_number(to), short_id(sent.message_id))
            return sent.message_id
        raise AirflowFailException(
            "The task's execution_timeout ended while the message was being sent; it may be on its way. "
            "Look for its status before sending it again."
        )

    def _read_arguments(self) -> tuple[str, Any, str | None, bool]:
        """Return ``to``, ``message``, ``reply_to`` and ``resend``; refuse what an upstream task left out."""
        to, message = self.rendered("to"), self.rendered("message")
        check_single("to", to, operator=type(self).__name__)
        region = self.hook.get_conn().settings.default_region
        to = canonical(to, self.recipient_type, default_region=region)
        check_value("message", message)
        reply_to = None
        if self._quotes:
            reply_to = read_id("reply_to", self.rendered("reply_to"), operator=type(self).__name__)
        try:
            return to, message, reply_to, read_flag("resend", self.resend)
        except ValueError as error:
            problem = str(error)
        raise AirflowFailException(problem)

"""Sending one message: check it, look it up, upload its files, wait for its turn, send and record it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.endpoints import messages
from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.sending.content import check, check_template, read_content, template_name
from airflow_provider_d360.sending.counts import count_sent, counted_errors
from airflow_provider_d360.sending.media import upload_paths
from airflow_provider_d360.sending.rates import wait_for_turn
from airflow_provider_d360.sending.recorded import send_once
from airflow_provider_d360.sending.redirection import Outgoing, redirect
from airflow_provider_d360.sending.suppressed import refuse_suppressed
from airflow_provider_d360.sending.templates import list_templates

if TYPE_CHECKING:
    from airflow_provider_d360.api.endpoints.messages import Sent
    from airflow_provider_d360.api.wire import Call
    from airflow_provider_d360.sending.record import SendRecord
    from airflow_provider_d360.sending.sender import Sender
    from airflow_provider_d360.transport.flows import Flow
    from airflow_provider_d360.transport.settings import ConnectionSettings


def send(
    settings: ConnectionSettings,
    /,
    to: str,
    message: str | Mapping[str, Any],
    *,
    sender: Sender | None = None,
    reply_to: str | None = None,
    recipient_type: str = "individual",
    on_newline: str = "error",
    preflight: bool = False,
    biz_opaque_callback_data: str | None = None,
    marketing: bool | None = None,
) -> Flow[Sent]:
    """
    Send one message, unless the ledger knows that it went out: then return what was sent.

    :param settings: The settings of the connection.
    :param to: The recipient: a phone number, a business-scoped user id or a group id.
    :param message: A text, or a message dict.
    :param sender: Who sends, and what counts as the same message; without it, nothing is recorded.
    :param reply_to: The id of the message that this one quotes.
    :param recipient_type: ``individual`` or ``group``.
    :param on_newline: ``flatten`` or ``error``: newlines in template parameters.
    :param preflight: Compare a template message with the approved template; one more request.
    :param biz_opaque_callback_data: A string that comes back in each status of the message. By default, a
        random one with which a status proves that a message was accepted whose response was lost.
    :param marketing: Whether the message is marketing, which people may have opted out of. By default, a
        template is what its category says, and other messages are not.
    :raises D360RequestError: when the message breaks a documented limit.
    :raises D360RecipientError: when the recipient opted out, or the connection may not write to them
        (``only_to``).
    :raises D360RateLimitError: when its turn is too far away.
    :raises D360UnavailableError: when the ledger cannot be read: then nothing was sent.
    :raises D360AmbiguousError: when the message may have been sent, now or earlier.
    """
    with counted_errors(sender.source if sender else "hook"):
        to = canonical(to, recipient_type, default_region=settings.default_region)
        _check_flag("preflight", preflight)
        _check_flag("marketing", False if marketing is None else marketing)
        content = read_content(message, on_newline)
        check(content, settings.hosting)
        prepare = partial(
            _prepare,
            settings,
            Outgoing(to, recipient_type, content, reply_to),
            preflight=preflight,
            own_data=biz_opaque_callback_data,
            marketing=marketing,
        )
        if sender is not None:
            has_own_data = biz_opaque_callback_data or content.get("biz_opaque_callback_data")
            if has_own_data or not settings.hosting.names_product:  # then no status can prove anything
                sender = replace(sender, proof_seconds=0.0)
            return (yield from send_once(settings, sender, to, [content, reply_to], prepare))
        call = yield from prepare(None)
        yield from wait_for_turn(settings, call.recipient)
        sent: Sent = yield call
        count_sent(sent, "hook")
        return sent


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):  # "false" would count as true
        problem = f"{name} must be a boolean, not {type(value).__name__}"
        raise D360RequestError(ErrorDetail(problem, "Give True or False."))


def _prepare(
    settings: ConnectionSettings,
    message: Outgoing,
    record: SendRecord | None,
    *,
    preflight: bool,
    own_data: str | None,
    marketing: bool | None,
) -> Flow[Call[Sent]]:
    """Refuse people who opted out, do what takes other requests, and return the call that sends."""
    if record is not None:
        yield from refuse_suppressed(settings, message.content, marketing, record)
    message = redirect(settings, message)
    if preflight:
        approved = yield from list_templates(settings, name=template_name(message.content))
        check_template(message.content, approved)
    return messages.send_message(
        settings.hosting,
        message.to,
        (yield from upload_paths(settings, message.content)),
        recipient_type=message.recipient_type,
        reply_to=message.reply_to,
        biz_opaque_callback_data=own_data or (record.token if record else None),
    )

"""Sending with the ledger: look a message up, send it unless it was sent before, record the outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_d360.api.endpoints.messages import Sent
from airflow_provider_d360.api.errors import D360AmbiguousError, D360UnavailableError, ErrorDetail
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.sending.counts import count_sent
from airflow_provider_d360.sending.rates import wait_for_turn
from airflow_provider_d360.transport.flows import Flow, Pause, Recorded, Work

if TYPE_CHECKING:
    from airflow_provider_d360.api.wire import Call
    from airflow_provider_d360.sending.once import Decision
    from airflow_provider_d360.sending.record import SendRecord
    from airflow_provider_d360.sending.sender import Sender
    from airflow_provider_d360.transport.settings import ConnectionSettings

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0


def send_once(
    settings: ConnectionSettings,
    sender: Sender,
    to: str,
    content: object,
    prepare: Callable[[SendRecord | None], Flow[Call[Sent]]],
) -> Flow[Sent]:
    """
    Send a message unless the ledger knows that it went out; then return what was sent.

    :param settings: The settings of the connection.
    :param sender: Who sends.
    :param to: The recipient, as :func:`~airflow_provider_d360.api.recipients.canonical` returns it.
    :param content: Anything that names the message's content.
    :param prepare: Returns the call that sends, or raises an error if the recipient opted out. Gets the
        record of the send, whose token travels with the message; None if there is no record.
    :raises D360UnavailableError: when the ledger cannot be read: then nothing was sent.
    :raises D360AmbiguousError: when the message may have been sent, now or earlier.
    """
    record = yield from _begin_record(sender, settings, to, content)
    call: Call[Sent] | None = None
    while True:
        known = (yield from _find_sent(settings, sender, record)) if record else None
        if known is not None:
            return known
        try:
            if call is None:
                call = yield from prepare(record)
            yield from wait_for_turn(settings, call.recipient, record.rate_leases if record else None)
            if record is None:
                sent: Sent | None = yield call
            else:
                sent = yield from _send_recorded(call, record, sender.proof_seconds)
        except Exception as error:
            if record is not None:
                yield Work(partial(record.stopped, error))
            raise
        if sent is not None:
            count_sent(sent, sender.source)
            return sent


def _begin_record(
    sender: Sender, settings: ConnectionSettings, to: str, content: object
) -> Flow[SendRecord | None]:
    """Begin to record a send; None if there is nothing to record it in."""
    try:
        ledger = yield from sender.find_ledger()
    except D360UnavailableError as error:
        if sender.required:
            raise
        log.warning("The message is sent without the ledger. %s", error)
        return None
    if ledger is None and (sender.place is None or sender.place.state is None):
        return None
    from airflow_provider_d360.sending.record import new_record

    return new_record(sender, settings, to, content, ledger)


def _find_sent(settings: ConnectionSettings, sender: Sender, record: SendRecord) -> Flow[Sent | None]:
    """
    Return the earlier result of this message; None if it must be sent now.

    While another process is sending it, wait for that: at most the time limit of a request. Then it is
    unknown whether it went out, and a status that proves it is waited for.
    """
    from airflow_provider_d360.sending.once import Verdict

    impatient_at = time.monotonic() + min(settings.timeout_seconds, settings.budget_seconds)
    hopeless_at = None
    while True:
        is_patient = time.monotonic() < impatient_at
        decision: Decision = yield Work(partial(record.look, patient=is_patient))
        if decision.verdict is Verdict.SEND:
            return None
        if decision.verdict is Verdict.KNOWN:
            return _known(decision)
        if decision.verdict is Verdict.UNKNOWN:
            now = time.monotonic()
            hopeless_at = now + sender.proof_seconds if hopeless_at is None else hopeless_at
            if now >= hopeless_at:
                break
        yield Pause(_POLL_SECONDS)
    if sender.resend_unknown:
        log.warning("An earlier try may have sent this message; on_ambiguous='resend' sends it again.")
        return None
    raise D360AmbiguousError(
        ErrorDetail(
            "An earlier try was interrupted while it was sending this message",
            'It may be on its way: look for its status, or ask the recipient. "airflow d360 unknown" settles '
            "it as sent or not sent; if it was not sent, clear the task.",
        )
    )


def _send_recorded(call: Call[Sent], record: SendRecord, proof_seconds: float) -> Flow[Sent | None]:
    """Send a message and record the outcome; None if another process was faster."""
    from airflow_provider_d360.sending.record import HELD, SupersededError

    try:
        sent: Sent = yield Recorded(call, record)
    except SupersededError:
        return None
    except D360AmbiguousError:
        message_id = yield from _proof(record, proof_seconds)
        if message_id is None:
            raise
        log.warning("The response was lost, but a status proves that the message was accepted.")
        sent = Sent(message_id)
    if sent.message_status not in (None, "accepted"):
        log.warning(
            "Message %s is not accepted yet: WhatsApp says %s. It may be dropped; do not send it again.",
            short_id(sent.message_id),
            sent.message_status if sent.message_status in HELD else "nothing that is known",
        )
    yield Work(partial(record.accepted, sent))
    return sent


def _proof(record: SendRecord, proof_seconds: float) -> Flow[str | None]:
    """Wait for a status that proves acceptance; return the message's id, or None."""
    ends = time.monotonic() + proof_seconds
    while proof_seconds > 0:
        message_id: str | None = yield Work(record.proof)
        if message_id is not None or time.monotonic() >= ends:
            return message_id
        yield Pause(_POLL_SECONDS)
    return None


def _known(decision: Decision) -> Sent:
    entry = decision.entry
    message = short_id(entry.message_id) if entry.message_id else "settled by hand"
    if decision.exact:
        log.info("Sent before: message %s. It is not sent again.", message)
    else:
        log.warning(
            "Not sent: this task has written to this person before (message %s), and the message has changed "
            'since. It is recorded as withheld; "airflow d360 unknown" lists it.',
            message,
        )
    return Sent(entry.message_id, message_status=entry.reason if entry.state.value == "held" else None)

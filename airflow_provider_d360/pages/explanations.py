"""Why a message is in its state, and what to do: in the words that an error at sending would have."""

from __future__ import annotations

from airflow_provider_d360.api.errors import ErrorDetail
from airflow_provider_d360.api.responses import failed_status
from airflow_provider_d360.store import Entry, State, Status
from airflow_provider_d360.store.entries import is_unsettled

_FIND_OUT = "Find out whether it arrived, and settle it as sent or as not sent."


def explain(entry: Entry, status: Status | None, now: float) -> ErrorDetail | None:
    """
    Explain what is wrong with a message; None if nothing is.

    :param entry: The message.
    :param status: Its current status, if there is one.
    :param now: The time, in Unix seconds.
    """
    return _explain_state(entry, now) if status is None else explain_status(status)


def explain_status(status: Status) -> ErrorDetail | None:
    """
    Explain a failure in the words that an error at sending would have; None for another status.

    :param status: The status.
    """
    if status.status != "failed":
        return None
    title, details = status.error_title or "", status.error_details or ""
    return failed_status(status.error_code, title, details, on_premise=status.on_premise).detail


def is_doubtful(entry: Entry, status: Status | None) -> bool:
    """
    Return whether a message may still arrive, or may have arrived: what is wrong with it is not certain.

    :param entry: The message.
    :param status: Its current status, if there is one.
    """
    return status is None and entry.state is not State.REFUSED


def next_send(entry: Entry) -> str:
    """
    Say what sends a message that was not sent.

    :param entry: The message.
    """
    if entry.source == "alert":
        return "Nothing sends an alert again by itself."
    if entry.task_id:
        return "The next retry or Clear of its task sends it."
    if entry.kept:
        return "The next call with the same idempotency_key sends it."
    return "Nothing sends it again by itself."


def _explain_state(entry: Entry, now: float) -> ErrorDetail | None:
    state = entry.state
    if state is State.REFUSED:
        is_settled = (entry.reason or "").startswith("settled by hand")
        remedy = next_send(entry) if is_settled else f"Correct the cause. {next_send(entry)}"
        return ErrorDetail("It was not sent", remedy, details=entry.reason or "")
    if state is State.HELD:
        return ErrorDetail(
            "WhatsApp holds it back",
            "Do not send it again: WhatsApp assesses the template's quality, and then delivers or drops the "
            "message. If this happens often, look at the template in WhatsApp Manager.",
            details=entry.reason or "",
        )
    if state is State.UNKNOWN:
        return ErrorDetail("It may be on its way: the response was lost", _FIND_OUT)
    if state is State.INTENDED and is_unsettled(entry, now):
        return ErrorDetail("It may be on its way: the process ended while it was sending", _FIND_OUT)
    if state is State.INTENDED:
        return ErrorDetail("It is being sent", "Open this page again in a moment.")
    if state is State.WITHHELD:
        return ErrorDetail(
            "It was not sent: it counts as a message that this task had sent to this person before",
            "Settle it as sent if it is not to go out; to send it, settle it as not sent and clear the task.",
            details="A retry or a Clear came with another text, and a person must not get a message twice.",
        )
    if state is State.SUPPRESSED:
        return ErrorDetail("It was not sent: this person asked for no more messages")
    return None

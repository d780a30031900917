"""From a response or an error to what the store keeps of a row. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.campaigns.verdicts import Kind, Verdict
from airflow_provider_d360.sending.record import HELD
from airflow_provider_d360.store.campaign_rows import DueRow, Outcome, RowState

if TYPE_CHECKING:
    from airflow_provider_d360.api.endpoints.messages import Sent

_LONGEST_REASON = 200
_STATES = {
    Kind.SLOW_DOWN: RowState.POSTPONED,
    Kind.LATER: RowState.POSTPONED,
    Kind.OUTAGE: RowState.POSTPONED,
    Kind.NEVER: RowState.REFUSED,
    Kind.WRONG: RowState.REFUSED,
    Kind.UNKNOWN: RowState.UNKNOWN,
    Kind.STOP: RowState.PLANNED,  # nothing was accepted, and it may go out once the cause is gone
}


def outcome_of_sent(row: DueRow, sent: Sent) -> tuple[Kind, Outcome]:
    """
    Return the outcome of a message that was accepted or is held.

    :param row: Its row.
    :param sent: The response.
    """
    is_held = sent.message_status in HELD
    state = RowState.HELD if is_held else RowState.ACCEPTED
    reason = sent.message_status if is_held else None
    kind = Kind.HELD if is_held else Kind.ACCEPTED
    return kind, Outcome(row.number, state, sent.message_id, reason=reason, attempts=row.attempts)


def outcome_of_error(row: DueRow, error: D360Error, verdict: Verdict, now: float) -> Outcome:
    """
    Return the outcome of a message that was not, or perhaps not, accepted.

    :param row: Its row.
    :param error: The error.
    :param verdict: What it means.
    :param now: The time, in Unix seconds.
    """
    state = _STATES[verdict.kind]
    return Outcome(
        row.number,
        state,
        code=error.detail.code,
        reason=f"{type(error).__name__}: {error.detail.title}"[:_LONGEST_REASON],
        due_at=now + verdict.wait_seconds if state is RowState.POSTPONED else None,
        attempts=row.attempts + (verdict.kind is Kind.LATER),
    )


def released(row: DueRow) -> Outcome:
    """
    Return a row that was claimed, and whose message was not begun to be sent.

    :param row: The row.
    """
    state = RowState.POSTPONED if row.attempts else RowState.PLANNED
    return Outcome(row.number, state, attempts=row.attempts)

"""Outcomes of an alert: sent, kept to be tried again, or given up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from airflow_provider_d360.alerts.content import AlertContent
from airflow_provider_d360.alerts.delivery import Outcome
from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360UnavailableError,
)

# What passes, or what somebody mends within hours: an outage, a rate limit, an expired key.
_PASSING = (D360UnavailableError, D360RateLimitError, D360AuthError)

_FIRST_SECONDS = 5.0
_LONGEST_SECONDS = 60.0
PROOF_SECONDS = 60.0  # after a lost response, so long for a status that proves acceptance


@dataclass(frozen=True, slots=True)
class Result:
    """
    The result of one attempt at an alert.

    :param left: What is still to be sent; None if nothing is.
    :param after_seconds: When to try that.
    :param message_ids: The messages that were accepted so far.
    :param is_out: The connection could not be used, so that others of it must wait, too.
    """

    left: AlertContent | None
    after_seconds: float
    message_ids: list[str]
    is_out: bool


def judge(content: AlertContent, outcomes: Sequence[Outcome], attempts: int) -> Result:
    """
    Say what is left of an alert after an attempt.

    What may have arrived is tried once more, when a status that proves it should have come; then it is given
    up as unknown.

    :param content: The alert.
    :param outcomes: The response or the error for each of its recipients.
    :param attempts: How many attempts failed before.
    """
    doubtful, passing, message_ids = [], [], list(content.message_ids)
    wait = 0.0
    for to, outcome in zip(content.recipients, outcomes, strict=True):
        if isinstance(outcome, D360AmbiguousError):
            if to not in content.doubtful:
                doubtful.append(to)
        elif isinstance(outcome, _PASSING):
            passing.append(to)
            wait = max(wait, outcome.detail.retry_after_seconds or 0.0)
        elif not isinstance(outcome, D360Error) and outcome.message_id:
            message_ids.append(outcome.message_id)
    if not doubtful and not passing:
        return Result(None, 0.0, message_ids, is_out=False)
    still = [to for to in passing if to in content.doubtful]
    left = replace(
        content, recipients=[*doubtful, *passing], doubtful=[*doubtful, *still], message_ids=message_ids
    )
    back_off = min(_FIRST_SECONDS * 2**attempts, _LONGEST_SECONDS)
    after = max(back_off, wait) if passing else PROOF_SECONDS
    return Result(left, after, message_ids, is_out=bool(passing))


def backup_of(content: AlertContent) -> AlertContent | None:
    """
    Return the alert to the backup; None without one.

    :param content: The alert, with the messages that were accepted.
    """
    if not content.backup or content.is_backup:
        return None
    return replace(
        content,
        recipients=content.backup,
        key=f"{content.key} backup",
        notes=[*content.notes, "you get this because nobody else has got it"],
        doubtful=[],
        is_backup=True,
    )

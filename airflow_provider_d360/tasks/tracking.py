"""What operators and sensors read from the store after a message was sent."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.compat import AirflowFailException, AirflowSkipException, conf
from airflow_provider_d360.tasks.failures import log_error, log_problem

if TYPE_CHECKING:
    from airflow_provider_d360.store import Entry
    from airflow_provider_d360.store.watch import Waited

log = logging.getLogger(__name__)

# The statuses that a task can wait for.
WAIT_FOR = ("sent", "delivered", "read")


def require_store() -> None:
    """
    Check that the store works, before a message is sent whose status is waited for.

    :raises StoreUnavailableError: when it does not. A failed look-up of its connection raises other errors.
    """
    from airflow_provider_d360.store.configured import configured_store

    with closing(configured_store()) as store:
        store.check_writable()


def may_have_statuses(wait_for: str | None) -> bool:
    """
    Return whether statuses may come: the receiver and the task share a store.

    :param wait_for: The status that the task waits for, if it does.
    """
    from airflow_provider_d360.hooks.ledgers import is_store_configured

    return (
        wait_for is not None
        or is_store_configured()
        or conf.getboolean("d360", "webhook_enabled", fallback=False)
    )


def find_by_short_id(event: object) -> str:
    """
    Look up the whole id of the message that an event is about.

    :param event: The trigger's event, with the short id as ``message``.
    :raises AirflowFailException: when the store does not know it.
    """
    short = event.get("message") if isinstance(event, dict) else None
    entry = _find(short) if isinstance(short, str) else None
    if entry is None or entry.message_id is None:
        raise AirflowFailException("The message was sent, but the store does not know its id.")
    return entry.message_id


def conclude(waited: Waited, awaited: str, on_timeout: str = "fail") -> str:
    """
    End a task that has waited for a status: return the status, or raise.

    :param waited: What waiting came to.
    :param awaited: The status that the task waited for.
    :param on_timeout: ``fail``, ``skip`` or ``accept``.
    :raises AirflowFailException: when the message failed, with the same error and remedy as for a refusal at
        sending; or after the timeout.
    :raises AirflowSkipException: after the timeout, if ``on_timeout`` is ``skip``.
    """
    from airflow_provider_d360.api.responses import failed_status

    if waited.state == "failed":
        error = failed_status(
            waited.error_code, waited.error_title, waited.error_details, on_premise=waited.on_premise
        )
        what = f"{type(error).__name__}: message {short_id(waited.message_id)} failed"
        log_error(error, what)
        raise AirflowFailException(f"{what}: {error}") from error
    if waited.state == "timeout":
        text = f"Message {short_id(waited.message_id)} was accepted, but is not {awaited} in time"
        if on_timeout == "skip":
            raise AirflowSkipException(text)
        if on_timeout == "fail":
            remedy = "Its recipient may be offline. Without a working webhook, no status comes at all."
            log_problem(f"{text}.", remedy)
            raise AirflowFailException(f"{text}. {remedy}")
        log.warning("%s; on_timeout='accept' lets the task succeed.", text)
    return waited.status or "accepted"


def _find(short: str) -> Entry | None:
    try:
        from airflow_provider_d360.store.configured import configured_store

        with closing(configured_store()) as store:
            return store.ledger.find(short)
    except Exception as problem:  # noqa: BLE001 - whatever it is, the message was sent
        log.warning("The message store cannot be used: %s", type(problem).__name__)
        return None

"""What operators tell the store, and ask it. A store that fails never fails a message that is out."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.compat import AirflowFailException, AirflowSkipException, conf

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_d360.store import Store
    from airflow_provider_d360.triggers.messages import Waited

log = logging.getLogger(__name__)

_ASK_EVERY_SECONDS = 1.0

# What may be waited for; the store knows how far each is.
WAIT_FOR = ("sent", "delivered", "read")


def require_store() -> None:
    """
    Make sure that the store can be read, before something goes out that is to be waited for.

    :raises StoreUnavailableError: or what looking up its connection raises.
    """
    from airflow_provider_d360.store.configured import configured_store

    with closing(configured_store()) as store:
        store.ping()


def record_sent(message_id: str | None, *, always: bool, **fields: Any) -> None:
    """
    Write into the outbox that a task sent a message.

    :param always: Do so even when Airflow's configuration names no store, and use the one it has by default.
    :param fields: What an ``OutboxEntry`` wants to know.
    """
    from airflow_provider_d360.store import OutboxEntry

    if message_id is not None:
        entry = OutboxEntry(message_id=message_id, at=time.time(), **fields)
        _try(lambda store: store.record_sent(entry), always=always)


def find_by_intent(intent: str, wait_seconds: float, *, always: bool = False) -> str | None:
    """
    Look for a message that was sent with this intent: a status of it proves that it was accepted.

    :param wait_seconds: How long to look.
    :param always: As in :func:`record_sent`.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        found = _try(lambda store: store.find_by_intent([intent]), always=always)
        if found is None:
            return None
        if intent in found or time.monotonic() >= deadline:
            return str(found[intent]) if intent in found else None
        time.sleep(min(_ASK_EVERY_SECONDS, max(0.0, deadline - time.monotonic())))


def conclude(waited: Waited, wanted: str, on_timeout: str = "fail") -> str:
    """
    Turn what waiting came to into the end of a task; return the status when there is no reason to fail.

    :raises AirflowFailException: when the message failed, with the error and the remedy that a refusal at
        sending would have; or when it took too long.
    :raises AirflowSkipException: when it took too long and ``on_timeout`` is ``skip``.
    """
    from airflow_provider_d360.api.refusals import failed_status

    if waited.state == "failed":
        error = failed_status(
            waited.error_code, waited.error_title, waited.error_details, on_premise=waited.on_premise
        )
        raise AirflowFailException(
            f"{type(error).__name__}: message {waited.message_id} failed: {error}"
        ) from error
    if waited.state == "timeout":
        text = f"Message {waited.message_id} was accepted, but is not {wanted} in time"
        if on_timeout == "skip":
            raise AirflowSkipException(text)
        if on_timeout == "fail":
            remedy = "Its recipient may be offline; and statuses come only when the webhook works."
            raise AirflowFailException(f"{text}. {remedy}")
        log.warning("%s; on_timeout='accept' goes on.", text)
    return waited.status or "accepted"


def _is_configured() -> bool:
    named = (conf.get("d360", name, fallback="").strip() for name in ("store_conn_id", "store_path"))
    return conf.getboolean("d360", "webhook_enabled", fallback=False) or any(named)


def _try(work: Callable[[Store], Any], *, always: bool = False) -> Any:
    """Do something with the store; give ``None`` when there is none, or when it cannot be used."""
    try:
        if not (always or _is_configured()):
            return None
        from airflow_provider_d360.store.configured import configured_store

        with closing(configured_store()) as store:
            return work(store)
    except Exception as problem:  # noqa: BLE001 - whatever it is, the message is out
        log.warning("The message store cannot be used, going on without: %s", type(problem).__name__)
        return None

"""The ledger of the configured store, or of the default file."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.errors import D360UnavailableError, ErrorDetail
from airflow_provider_d360.compat import OldSQLAlchemyError, conf
from airflow_provider_d360.transport.flows import Flow, Work

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.ledger import Ledger

log = logging.getLogger(__name__)

_RETRY_SECONDS = 3.0
# Then the configuration and its connection are read again.
_REMEMBERED_SECONDS = 60.0
_MISSING_SECONDS = 5.0

_open_stores: dict[Any, Store] = {}  # they stay open in this process
_remembered: dict[float, tuple[float, Ledger | None]] = {}  # until when, by seconds of retrying
_warnings: set[str] = set()


def is_store_configured() -> bool:
    """Return whether Airflow's configuration names a store. The default one is this machine's own."""
    return any(conf.get("d360", name, fallback="").strip() for name in ("store_conn_id", "store_path"))


def find_ledger() -> Flow[Ledger | None]:
    """
    Return the ledger as :func:`open_ledger` does, in a flow.

    :raises D360UnavailableError: as there.
    """
    until, ledger = _remembered.get(_RETRY_SECONDS, (0.0, None))
    return ledger if time.monotonic() < until else (yield Work(open_ledger))


def open_ledger(retry_seconds: float = _RETRY_SECONDS) -> Ledger | None:
    """
    Return the ledger. If the default file cannot be used, log that once, and return None.

    A locked file, as during its migration, counts as a configured store: it may know this message.

    A ledger is remembered for a minute, None for five seconds: reading the configuration takes a tenth of the
    time of a message, and reading the store's connection is a request to Airflow's API server.

    :param retry_seconds: How long it retries while the database is locked or away.
    :raises D360UnavailableError: A store is configured, or locked, and cannot be used. Then nothing may be
        sent.
    """
    until, ledger = _remembered.get(retry_seconds, (0.0, None))
    if time.monotonic() >= until:
        ledger = _look_up(retry_seconds)
        seconds = _REMEMBERED_SECONDS if ledger else _MISSING_SECONDS
        _remembered[retry_seconds] = time.monotonic() + seconds, ledger
    return ledger


def _look_up(retry_seconds: float) -> Ledger | None:
    try:
        from airflow_provider_d360.store.configured import configured_store

        store = configured_store(retry_seconds=retry_seconds)
        ledger: Ledger = _open_stores.setdefault((store.url, retry_seconds), store).ledger
        ledger.hash()  # opens the database
    except Exception as error:  # noqa: BLE001 - of the look-up, the driver or the file
        reason, is_busy = _explain(error), _is_busy(error)
    else:
        return ledger
    if is_busy or is_store_configured():
        which = "configured" if is_store_configured() else "default"
        raise D360UnavailableError(
            ErrorDetail(
                f"The {which} store cannot be used, so nothing was sent: {reason}",
                "Make it available and try again: without it, nobody knows whether this message went out.",
            )
        )
    if reason not in _warnings:
        _warnings.add(reason)
        log.warning(
            "The default store cannot be used, so it prevents no second copy of a message: %s. Set [d360] "
            "store_conn_id or store_path.",
            reason,
        )
    return None


def _is_busy(error: Exception) -> bool:
    if isinstance(error, OldSQLAlchemyError):
        return False
    from airflow_provider_d360.store.database import StoreBusyError

    return isinstance(error, StoreBusyError)


def _explain(error: Exception) -> str:
    """Return the text of our own errors; others may hold secrets."""
    if isinstance(error, OldSQLAlchemyError):  # then the store's own errors cannot be imported
        return str(error)
    from airflow_provider_d360.store import StoreError

    if isinstance(error, StoreError):
        return str(error)
    return f"{type(error).__name__}; look at [d360] store_conn_id and store_path"

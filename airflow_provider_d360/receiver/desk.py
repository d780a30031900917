"""The desk beside the receiver, as configured: it serves taps that no task waits for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.privacy import explain
from airflow_provider_d360.conversations.airflow_account import AirflowAccountError, configured_account
from airflow_provider_d360.conversations.desk import Desk
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.receiver.background import Background
from airflow_provider_d360.store import Store, StoreError
from airflow_provider_d360.transport.airflow_api import AirflowUnavailableError

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0


class _Hook(D360Hook):
    """
    A hook that looks its connection up outside of tasks.

    :param get_connection: Returns the connection with an id.
    :param conn_id: The connection.
    """

    def __init__(self, get_connection: Callable[[str], Any], conn_id: str) -> None:
        super().__init__(conn_id)
        self._look_up = get_connection

    @cached_property
    def _connection(self) -> Any:
        return self._look_up(self.d360_conn_id)


def background_desk(store: Store, get_connection: Callable[[str], Any]) -> Background:
    """
    Return the desk. It looks connections up when somebody taps.

    :param store: The store.
    :param get_connection: Returns the connection with an id, in this process.
    """
    desk = Desk(store, partial(_Hook, get_connection), partial(configured_account, get_connection))
    return Background(desk.serve, "d360-desk", lambda: RETRY_SECONDS, _report)


def _report(error: Exception) -> None:
    is_own = isinstance(error, D360Error | StoreError | AirflowUnavailableError | AirflowAccountError)
    log.error(
        "A tap could not be served, and is tried again in %.0f s: %s",
        RETRY_SECONDS,
        error if is_own else explain(error),
    )

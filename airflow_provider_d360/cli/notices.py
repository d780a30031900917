"""The step of the check that reads what WhatsApp has reported: it may have stopped what alerts need."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_d360.api.notices import Level

if TYPE_CHECKING:
    from airflow_provider_d360.store import Notice

STOPPED = 10  # the exit code of the check

NOTHING = "WhatsApp has reported nothing that is wrong now"


def check_notices(
    conn_id: str, template: str | None, *, is_key_accepted: bool
) -> tuple[str, str] | tuple[str, str, int]:
    """
    Return the state and the text of the step, and its exit code if it failed.

    :param conn_id: The connection that is checked. The keys of others that are rejected are a warning.
    :param template: The template that the check sends, if any. Others that are stopped are a warning.
    :param is_key_accepted: The key of the connection has just been accepted: what is known of it is over.
    """
    from airflow_provider_d360.compat import AirflowNotFoundException, OldSQLAlchemyError

    try:
        notices = _read(conn_id if is_key_accepted else None)
    except (OldSQLAlchemyError, ValueError, AirflowNotFoundException) as error:
        known = isinstance(error, OldSQLAlchemyError)
        reason = str(error) if known else "its connection is missing, or is none to a database"
        return "warning", f"what WhatsApp reports is not known, the store cannot be read: {reason}"
    if isinstance(notices, str):
        return "warning", f"what WhatsApp reports is not known, the store cannot be read: {notices}"
    text = " | ".join(notice.describe() for notice in notices)
    if any(_stops(notice, conn_id, template) for notice in notices):
        return "failed", text, STOPPED
    return ("warning", text) if notices else ("ok", NOTHING)


def _read(accepted: str | None) -> list[Notice] | str:
    """Read what is wrong now; return the problem while the store cannot be used."""
    from airflow_provider_d360.alerts.announcements import accept_key
    from airflow_provider_d360.store import StoreError
    from airflow_provider_d360.store.configured import configured_store

    with contextlib.closing(configured_store()) as store:
        file = store.url.database if store.url.get_backend_name() == "sqlite" else None
        if file and not Path(file).exists():  # this command may run as another user: do not make it
            return []
        try:
            if accepted is not None:
                accept_key(store, accepted)
            return store.notices.current(time.time())
        except StoreError as error:
            return str(error)


def _stops(notice: Notice, conn_id: str, template: str | None) -> bool:
    """Return True for a state that stops this check's messages; another template's or key's does not."""
    if notice.about == "connection":
        is_ours = notice.subject == f"connection {conn_id}"
    else:
        is_ours = notice.about != "template" or notice.is_template(template)
    return is_ours and notice.level >= Level.FAILED

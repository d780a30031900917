"""Addresses of pages: our own, and those of tasks in Airflow's user interface."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store import Entry
from airflow_provider_d360.urls import base_path, messages_path


def page_path(message: str | None = None, query: Mapping[str, object] | None = None) -> str:
    """
    Return the path of the page of all messages, or of one.

    :param message: What names the message in addresses; see :func:`name_of`. Default: all messages.
    :param query: Parameters; those without a value are left out.
    """
    return _with_query(messages_path(message), query or {})


def login_path(here: str) -> str:
    """
    Return the path of Airflow's login.

    :param here: Where to go after it.
    """
    return _with_query(base_path() + "/api/v2/auth/login", {"next": here})


def task_path(entry: Entry) -> str | None:
    """
    Return the path of the task instance that sent a message; None if no task did.

    :param entry: The message.
    """
    if not (entry.dag_id and entry.run_id and entry.task_id):
        return None
    parts = [quote(part, safe="") for part in (entry.dag_id, entry.run_id, entry.task_id)]
    mapped = f"/mapped/{entry.map_index}" if entry.map_index >= 0 else ""
    path = base_path() + "/dags/{}/runs/{}/tasks/{}".format(*parts) + mapped
    return _with_query(path, {"try_number": entry.try_number or None})


def name_of(entry: Entry) -> str:
    """
    Return what names a message in addresses: the short form of its id, or the row's own id.

    :param entry: The message.
    """
    return short_id(entry.message_id) if entry.message_id else entry.id


def _with_query(path: str, query: Mapping[str, object]) -> str:
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return path + (f"?{urlencode(given)}" if given else "")

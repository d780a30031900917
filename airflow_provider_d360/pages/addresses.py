"""Addresses of pages: our own, and the pages of DAGs, runs and tasks in Airflow's user interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import quote, urlencode

from airflow_provider_d360 import urls
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store import Entry
from airflow_provider_d360.store.alert_history import AlertFacts

Sender: TypeAlias = Entry | AlertFacts


def page_path(*parts: str, query: Mapping[str, object] | None = None) -> str:
    """
    Return the address of a page of ours.

    :param parts: The parts of its path, such as ``messages`` and the name of a message; see :func:`name_of`.
    :param query: Parameters; those without a value are left out.
    """
    return _with_query(urls.page_path(*parts), query or {})


def login_path(here: str) -> str:
    """
    Return the path of Airflow's login.

    :param here: Where to go after it.
    """
    return _with_query(urls.base_path() + "/api/v2/auth/login", {"next": here})


def dag_path(entry: Sender) -> str | None:
    """
    Return the path of the DAG that sent a message, or that an alert is about; None without one.

    :param entry: The message, or the facts of the alert.
    """
    return dag_path_of(entry.dag_id) if entry.dag_id else None


def run_path(entry: Sender) -> str | None:
    """
    Return the path of the run that sent a message, or that an alert is about; None without one.

    :param entry: The message, or the facts of the alert.
    """
    return _airflow_path(dags=entry.dag_id, runs=entry.run_id) if entry.dag_id and entry.run_id else None


def task_path(entry: Sender) -> str | None:
    """
    Return the path of the task that sent a message, or that an alert is about; None without one.

    :param entry: The message, or the facts of the alert.
    """
    if not (entry.dag_id and entry.run_id and entry.task_id):
        return None
    path = task_path_of(entry.dag_id, entry.run_id, entry.task_id, entry.map_index)
    try_number = entry.try_number if isinstance(entry, Entry) else None  # an alert is about several, perhaps
    return _with_query(path, {"try_number": try_number or None})


def dag_path_of(dag_id: str) -> str:
    """
    Return the path of a DAG.

    :param dag_id: The DAG.
    """
    return _airflow_path(dags=dag_id)


def task_path_of(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """
    Return the path of a task instance.

    :param dag_id: Its DAG.
    :param run_id: Its run.
    :param task_id: Its task.
    :param map_index: Its index; -1 without mapping.
    """
    path = _airflow_path(dags=dag_id, runs=run_id, tasks=task_id)
    return path + (f"/mapped/{map_index}" if map_index >= 0 else "")


def name_of(entry: Entry) -> str:
    """
    Return the name of a message in addresses: the short form of its id, or else the id of its row.

    :param entry: The message.
    """
    return short_id(entry.message_id) if entry.message_id else entry.id


def _airflow_path(**parts: str) -> str:
    return urls.base_path() + "".join(f"/{kind}/{quote(part, safe='')}" for kind, part in parts.items())


def _with_query(path: str, query: Mapping[str, object]) -> str:
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return path + (f"?{urlencode(given)}" if given else "")

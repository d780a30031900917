"""
Adds an alert to every DAG, if ``[d360] alert_to`` names somebody.

Airflow calls the two functions for each DAG and each of its tasks whenever it reads a DAG file. Every process
of Airflow imports this module, so it imports next to nothing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.policies import hookimpl

from airflow_provider_d360.notifications.configured import (
    BROKEN_DAG_FILES,
    FAILED_RUNS,
    FAILED_TASKS,
    PROBLEM,
    RECOVERIES,
    RECOVERY,
    RETRIES,
    AlertSettings,
    ConfiguredAlert,
    alert_settings,
)

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from airflow.sdk.bases.operator import BaseOperator

log = logging.getLogger(__name__)

_NOTIFIER_MODULE = "airflow_provider_d360.notifications.d360"
_LISTENER_MODULE = "airflow_provider_d360.notifications.dag_files"
_problems: set[str] = set()  # what was logged


@hookimpl
def dag_policy(dag: DAG) -> None:
    """
    Add alerts about the runs of a DAG.

    :param dag: The DAG, as its file has made it.
    """
    with _unharmed():
        settings = alert_settings()
        if settings is None:
            return
        if BROKEN_DAG_FILES in settings.events:
            _stop_listening_for(dag)
        if FAILED_RUNS not in settings.events or settings.opt_out_tag in dag.tags:
            return
        _add(dag, "on_failure_callback", PROBLEM)
        dag.has_on_failure_callback = True
        if RECOVERIES in settings.events:
            _add(dag, "on_success_callback", RECOVERY)
            dag.has_on_success_callback = True


@hookimpl
def task_policy(task: BaseOperator) -> None:
    """
    Add alerts about a task.

    :param task: The task or mapped task.
    """
    with _unharmed():
        settings = alert_settings()
        if settings is None or settings.events.isdisjoint((FAILED_TASKS, RETRIES)):
            return
        # An empty operator cannot fail; the scheduler starts no process for it unless it has a callback.
        if task.inherits_from_empty_operator or _is_left_out(task, settings):
            return
        if FAILED_TASKS in settings.events:
            _add(task, "on_failure_callback", PROBLEM)
        if RETRIES in settings.events:
            _add(task, "on_retry_callback", PROBLEM)
        if RECOVERIES in settings.events:
            _add(task, "on_success_callback", RECOVERY)


@contextmanager
def _unharmed() -> Iterator[None]:
    """Log an error, once: an alert that is missing is better than a DAG that is."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - of Airflow or of the configuration; its text may hold values
        problem = type(error).__name__
        if problem not in _problems:
            _problems.add(problem)
            from airflow_provider_d360.api.privacy import explain

            text = "A DAG or task gets no WhatsApp alert, because of a %s. It works as before."
            log.error(text, explain(error))


def _is_left_out(task: BaseOperator, settings: AlertSettings) -> bool:
    dag = task.get_dag()
    return dag is not None and settings.opt_out_tag in dag.tags


def _add(target: Any, name: str, alert: ConfiguredAlert) -> None:
    """Add an alert to a callback, unless one of this package is there."""
    value = getattr(target, name, None)
    callbacks: list[Callable[..., Any]] = (
        list(value) if isinstance(value, list | tuple) else [value] if value else []
    )
    if not any(isinstance(callback, _our_classes()) for callback in callbacks):
        setattr(target, name, [*callbacks, alert])


def _our_classes() -> tuple[type, ...]:
    """Return the classes of our callbacks. While the notifier's module is not imported, no DAG has one."""
    module = sys.modules.get(_NOTIFIER_MODULE)
    return (ConfiguredAlert, module.D360Notifier) if module else (ConfiguredAlert,)


def _stop_listening_for(dag: DAG) -> None:
    """
    Take our listener away from this process, which only reads DAG files, before Airflow looks for one.

    While there is a listener, Airflow refuses DAGs with a task that ends in the triggerer.
    """
    listener = sys.modules.get(_LISTENER_MODULE)
    if listener is None or not any(getattr(task, "end_from_trigger", False) for task in dag.tasks):
        return
    from airflow.listeners.listener import get_listener_manager

    manager = get_listener_manager().pm
    if manager.is_registered(listener):
        manager.unregister(listener)

"""
The alerts of ``[d360] alert_to``, about every DAG.

Every process of Airflow imports this module, so it imports nothing: the notifier comes with the first alert.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

log = logging.getLogger(__name__)

FAILED_RUNS = "failed_runs"
FAILED_TASKS = "failed_tasks"
RETRIES = "retries"
RECOVERIES = "recoveries"
BROKEN_DAG_FILES = "broken_dag_files"
_EVENTS = (FAILED_RUNS, FAILED_TASKS, RETRIES, RECOVERIES, BROKEN_DAG_FILES)


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """
    The options ``[d360] alert_…`` of Airflow's configuration.

    :param to: The recipients, as the notifier takes them.
    :param template: The approved template; empty for free text.
    :param language: The language of the template.
    :param events: What is alerted about: ``failed_runs``, ``failed_tasks``, ``retries``, ``recoveries``,
        ``broken_dag_files``.
    :param opt_out_tag: DAGs with this tag are left out.
    """

    to: str
    template: str
    language: str
    events: frozenset[str]
    opt_out_tag: str


@cache
def alert_settings() -> AlertSettings | None:
    """
    Return the options, or None without ``alert_to``. They are read once a process.

    A wrong option is logged, once, and there are no alerts.
    """
    from airflow.configuration import conf

    to = conf.get("d360", "alert_to", fallback="").strip()
    if not to:
        return None
    names = conf.get("d360", "alert_on", fallback="failed_runs,recoveries,broken_dag_files").split(",")
    events = frozenset(filter(None, (name.strip() for name in names)))
    unknown = sorted(events.difference(_EVENTS))
    if unknown or not events:
        log.error(
            "No DAG gets an alert: [d360] alert_on %s. Give it one or more of %s, separated by commas.",
            f"names {unknown[0]!r}, which is unknown" if unknown else "is empty",
            ", ".join(_EVENTS),
        )
        return None
    return AlertSettings(
        to,
        conf.get("d360", "alert_template", fallback="").strip(),
        conf.get("d360", "alert_language", fallback="en").strip(),
        events,
        conf.get("d360", "alert_opt_out_tag", fallback="no-whatsapp-alerts").strip(),
    )


class ConfiguredAlert:
    """
    A callback that sends an alert as the options say. Many DAGs can share it.

    :param only_after_failure: Send only the first success after an alert about a problem.
    """

    def __init__(self, *, only_after_failure: bool = False) -> None:
        self._only_after_failure = only_after_failure

    def __call__(self, context: Mapping[str, Any]) -> None:
        settings = alert_settings()
        if settings is None:
            return
        from airflow_provider_d360.notifications.d360 import D360Notifier

        notifier = D360Notifier(
            settings.to,
            template=settings.template or None,
            language=settings.language,
            only_after_failure=self._only_after_failure,
        )
        notifier(context)


PROBLEM = ConfiguredAlert()
RECOVERY = ConfiguredAlert(only_after_failure=True)

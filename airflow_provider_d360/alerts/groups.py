"""Which alerts belong together: names for the store, from which no number can be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from airflow_provider_d360.alerts.alert import DAG_FAILED, FAILED, RETRY, Alert

# Failures of tasks and of their DAG are one; that a task will be retried is another thing.
_FAMILIES = {FAILED: "failed", DAG_FAILED: "failed", RETRY: "retry"}


class Groups:
    """
    The groups of the alerts to certain people through one connection.

    :param recipients: Who gets the alerts.
    :param conn_id: The Airflow connection that they are sent through.
    """

    def __init__(self, recipients: Sequence[str], conn_id: str) -> None:
        self._to = [*sorted(recipients), conn_id]

    def id(self, key: str) -> str:
        """
        Name one alert.

        :param key: What names it in the ledger.
        """
        return self._digest("alert", key)

    def cooldown(self, alert: Alert) -> str:
        """
        Name the cooldown of an alert: the same event, DAG, task and class of error.

        :param alert: The alert.
        """
        return self._digest("cooldown", alert.event.name, alert.dag, alert.task, alert.kind)

    def run(self, alert: Alert, round_: str) -> str | None:
        """
        Name the failures of a run; None for other alerts: what has not failed may say anything.

        :param alert: The alert.
        :param round_: Changes with each *Clear* of the run.
        """
        family = _FAMILIES.get(alert.event)
        if family is None or not alert.run:
            return None
        return self._digest("run", family, alert.dag, alert.run, round_)

    def subject(self, alert: Alert) -> str:
        """
        Name what an alert is about: a task, its mapped instance, or a DAG.

        :param alert: The alert.
        """
        return self._digest("subject", alert.dag, alert.task, alert.map_index)

    def _digest(self, *parts: object) -> str:
        return hashlib.sha256(json.dumps([parts, self._to]).encode()).hexdigest()

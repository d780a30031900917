"""Alerts as values: the kinds of events, and what an alert says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """
    One kind of event of a task or a DAG.

    :param name: Names the event in the cooldown's key.
    :param headline: The first line of the alert, after the mark.
    :param mark: An emoji, with which the alert begins.
    :param is_problem: A later success is a recovery.
    :param is_success: The event ends earlier problems.
    :param is_running: The task continues after the callback.
    """

    name: str
    headline: str
    mark: str
    is_problem: bool = False
    is_success: bool = False
    is_running: bool = False


FAILED = AlertEvent("failed", "Task failed", "🔴", is_problem=True)
RETRY = AlertEvent("retry", "Task failed and will be retried", "🟡", is_problem=True)
SUCCEEDED = AlertEvent("succeeded", "Task succeeded", "🟢", is_success=True)
SKIPPED = AlertEvent("skipped", "Task was skipped", "⚪")
STARTED = AlertEvent("started", "Task started", "🔵", is_running=True)
WAITING = AlertEvent("waiting", "Task waits for an answer", "🔵", is_running=True)
RECOVERED = AlertEvent("recovered", "Task recovered", "🟢")
DAG_FAILED = AlertEvent("dag_failed", "DAG failed", "🔴", is_problem=True)
DAG_SUCCEEDED = AlertEvent("dag_succeeded", "DAG succeeded", "🟢", is_success=True)
DAG_RECOVERED = AlertEvent("dag_recovered", "DAG recovered", "🟢")
TEST = AlertEvent("test", "Test of the alerts", "🔵")
BROKEN_FILE = AlertEvent("broken_file", "DAG file cannot be read", "🔴", is_problem=True)
DEADLINE = AlertEvent("deadline", "Deadline missed", "⏰", is_problem=True)

MORE_FAILED = AlertEvent("more_failed", "More tasks failed", "🔴", is_problem=True)
MORE_RETRIES = AlertEvent("more_retries", "More tasks failed and will be retried", "🟡", is_problem=True)

EVENTS = {
    event.name: event
    for event in (
        *(FAILED, RETRY, SUCCEEDED, SKIPPED, STARTED, WAITING, RECOVERED, DAG_FAILED, DAG_SUCCEEDED),
        *(DAG_RECOVERED, TEST, BROKEN_FILE, DEADLINE, MORE_FAILED, MORE_RETRIES),
    )
}
_RECOVERY = {SUCCEEDED: RECOVERED, DAG_SUCCEEDED: DAG_RECOVERED}
_MORE = {FAILED: MORE_FAILED, DAG_FAILED: MORE_FAILED, RETRY: MORE_RETRIES}
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Alert:
    """
    The content of one alert.

    :param event: What happened.
    :param dag: The DAG's id.
    :param task: The task's id; empty when the alert is about the whole DAG.
    :param map_index: The index of a mapped task instance; -1 for any other task.
    :param map_label: What the author calls this instance (``map_index_template``); empty without a template.
    :param failed_task: For an alert about a DAG: the task that made it fail, if known.
    :param run: The run's id.
    :param attempt: The number of the try, such as ``2 of 3``.
    :param kind: The class of the error, or why a DAG failed; part of the cooldown's key.
    :param details: The reason, in one line.
    :param link: The URL of the log or the run.
    :param run_link: The URL of the run.
    :param log: The last lines of the task's log; empty unless the author asks for them.
    """

    event: AlertEvent
    dag: str
    task: str = ""
    map_index: int = -1
    map_label: str = ""
    failed_task: str = ""
    run: str = ""
    attempt: str = ""
    kind: str = ""
    details: str = ""
    link: str = ""
    run_link: str = ""
    log: str = ""

    @property
    def where(self) -> str:
        """The task, with its map index and label, as the alert shows it."""
        task = self.task or self.failed_task
        if self.map_index < 0:
            return task
        return (
            f"{task} [{self.map_index}: {self.map_label}]" if self.map_label else f"{task} [{self.map_index}]"
        )


def recovered(alert: Alert, since: float, held: int) -> Alert:
    """
    Return the alert about the end of a problem.

    :param alert: The alert about a success.
    :param since: When the alert about the problem was sent, in Unix seconds.
    :param held: How many further alerts were held back.
    """
    details = f"The first success after the alert of {moment(since)}"
    if held:
        details = f"{details}; {held} more {'were' if held > 1 else 'was'} held back"
    return replace(alert, event=_RECOVERY[alert.event], details=details)


def summary(alert: Alert, labels: Sequence[str]) -> Alert:
    """
    Return the alert about further failures of a run, which names the first five.

    :param alert: Any alert about the run.
    :param labels: The names of the tasks that failed, oldest first.
    """
    names = ", ".join(labels[:_MOST_NAMED])
    rest = len(labels) - _MOST_NAMED
    more = f" and {rest} others" if rest > 0 else ""
    return Alert(
        event=_MORE[alert.event],
        dag=alert.dag,
        run=alert.run,
        details=f"{len(labels)} more: {names}{more}",
        link=alert.run_link,
    )


def moment(at: float | datetime) -> str:
    """
    Return a time as text, in UTC.

    :param at: Unix seconds, or a datetime with time zone.
    """
    when = at if isinstance(at, datetime) else datetime.fromtimestamp(at, tz=timezone.utc)
    return when.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def flat(value: str) -> str:
    """
    Return a text in one line.

    :param value: The text.
    """
    return " ".join(value.split())


def capitalised(value: str) -> str:
    """
    Return a text that begins with a capital letter.

    :param value: The text.
    """
    return value[:1].upper() + value[1:]

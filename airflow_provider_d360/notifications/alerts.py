"""What Airflow hands to a callback, read into an alert, and the alert put into words: no I/O, no Airflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

# With these bounds the text, and the template of docs/alerting.md, stay below 1024 characters.
_LONGEST_NAME = 80
_LONGEST_ERROR = 240
_LONGEST_LINK = 300
_NOTHING = "-"  # WhatsApp takes no empty parameter

_REASONS = {
    "task_failure": "a task failed",
    "all_tasks_deadlocked": "its tasks wait for each other",
    "timed_out": "it ran longer than its dagrun_timeout",
}


@dataclass(frozen=True, slots=True)
class Event:
    """
    One kind of thing that happens to a task or a DAG.

    :param name: How the cooldown knows it.
    :param headline: How people read it.
    :param mark: What they see first.
    :param is_problem: A recovery may follow.
    :param is_success: It may be one.
    :param is_running: The task goes on after the callback.
    """

    name: str
    headline: str
    mark: str
    is_problem: bool = False
    is_success: bool = False
    is_running: bool = False


FAILED = Event("failed", "Task failed", "🔴", is_problem=True)
RETRY = Event("retry", "Task failed and will be retried", "🟡", is_problem=True)
SUCCEEDED = Event("succeeded", "Task succeeded", "🟢", is_success=True)
SKIPPED = Event("skipped", "Task was skipped", "⚪")
STARTED = Event("started", "Task started", "🔵", is_running=True)
WAITING = Event("waiting", "Task waits for an answer", "🔵", is_running=True)
RECOVERED = Event("recovered", "Task recovered", "🟢")
DAG_FAILED = Event("dag_failed", "DAG failed", "🔴", is_problem=True)
DAG_SUCCEEDED = Event("dag_succeeded", "DAG succeeded", "🟢", is_success=True)
DAG_RECOVERED = Event("dag_recovered", "DAG recovered", "🟢")
TEST = Event("test", "Test of the alerts", "🔵")
DEADLINE = Event("deadline", "Deadline missed", "⏰", is_problem=True)

_RECOVERY = {SUCCEEDED: RECOVERED, DAG_SUCCEEDED: DAG_RECOVERED}
_BY_STATE = {"failed": FAILED, "up_for_retry": RETRY, "success": SUCCEEDED, "skipped": SKIPPED}


@dataclass(frozen=True, slots=True)
class Alert:
    """
    One alert, before anybody decided how it is said.

    :param event: What happened.
    :param dag: The DAG's id.
    :param task: The task's id; empty when this is about the DAG as a whole.
    :param map_index: Which of a mapped task's instances; -1 for any other task.
    :param culprit: For a DAG: the task that Airflow names with it.
    :param run: The id of the run.
    :param attempt: Such as ``2 of 3``.
    :param kind: The class of the error, or why a DAG failed: what the cooldown tells apart.
    :param details: What is known of the reason, in one line.
    :param link: Where to read more.
    """

    event: Event
    dag: str
    task: str = ""
    map_index: int = -1
    culprit: str = ""
    run: str = ""
    attempt: str = ""
    kind: str = ""
    details: str = ""
    link: str = ""

    @property
    def where(self) -> str:
        """The task as people read it."""
        task = self.task or self.culprit
        return f"{task} [{self.map_index}]" if self.map_index >= 0 else task


def read(
    context: Mapping[str, Any],
    base_url: str,
    *,
    redact: Callable[[str], str] = str,
    names_culprit: bool = True,
) -> Alert:
    """
    Read what any callback of Airflow 3.1 to 3.3 is given.

    :param context: The context: of a task, of a DAG (with ``reason``) or of a deadline.
    :param base_url: Where the user interface is.
    :param redact: Hides the secrets that an error's text may hold.
    :param names_culprit: The task in a DAG's context is the one that made it fail. Before Airflow 3.2 it is
        just any of its tasks.
    """
    if "deadline" in context:
        return _read_deadline(context, base_url)
    if context.get("reason") is not None or context.get("ti") is None:
        return _read_dag(context, base_url, names_culprit=names_culprit)
    return _read_task(context, redact)


def is_running(context: Mapping[str, Any]) -> bool:
    """Say whether a task will go on after this callback, and would fail if it raised."""
    about_a_task = (
        "deadline" not in context and context.get("reason") is None and context.get("ti") is not None
    )
    return about_a_task and _task_event(context).is_running


def recovered(alert: Alert, since: float, held: int) -> Alert:
    """
    Turn a success into the end of a problem.

    :param since: When the alert went out.
    :param held: How many more were held back.
    """
    told = f"The first success after the alert of {moment(since)}"
    if held:
        told = f"{told}; {held} more {'were' if held > 1 else 'was'} held back"
    return replace(alert, event=_RECOVERY[alert.event], details=told)


def text(alert: Alert, repeats: str = "") -> str:
    """
    Say an alert in at most 1024 characters.

    :param repeats: What was held back, from :func:`repeated`.
    """
    lines = [f"{alert.event.mark} {alert.event.headline}"]
    named = {
        "DAG": alert.dag,
        "Task": alert.where,
        "Run": alert.run,
        "Try": alert.attempt,
    }
    lines += [f"{name}: {_cut(value, _LONGEST_NAME)}" for name, value in named.items() if value]
    lines += [_cut(alert.details, _LONGEST_ERROR)] if alert.details else []
    lines += [_capitalised(repeats)] if repeats else []
    lines += [alert.link] if 0 < len(alert.link) <= _LONGEST_LINK else []
    return "\n".join(lines)


def parameters(alert: Alert, repeats: str = "") -> list[str]:
    """Give the seven parameters of the alert template: event, DAG, task, run, try, reason, link."""
    details = _cut(_flat(alert.details), _LONGEST_ERROR)
    if repeats:
        details = f"{details} ({repeats})" if details else repeats
    values = [
        alert.event.headline,
        *(_cut(name, _LONGEST_NAME) for name in (alert.dag, alert.where, alert.run)),
        alert.attempt,
        details,
        alert.link if len(alert.link) <= _LONGEST_LINK else "",
    ]
    return [_flat(value) or _NOTHING for value in values]


def repeated(count: int, since: float) -> str:
    """Say what was held back: ``and 12 more since 14:02 UTC``."""
    return f"and {count} more since {moment(since)}" if count else ""


def moment(at: float | datetime) -> str:
    """Write a time for people anywhere."""
    when = at if isinstance(at, datetime) else datetime.fromtimestamp(at, tz=timezone.utc)
    return when.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _read_task(context: Mapping[str, Any], redact: Callable[[str], str]) -> Alert:
    ti = context["ti"]
    index = getattr(ti, "map_index", -1)
    kind, details = _error(context.get("exception"), redact)
    event = _task_event(context)
    if event is WAITING:
        details = _flat(str(context["task"].subject))
    if event.is_problem and not details and not _state(ti):
        details = "The task stopped without saying why: it was killed, or its worker was lost"
    return Alert(
        event=event,
        dag=ti.dag_id,
        task=ti.task_id,
        map_index=index if isinstance(index, int) else -1,
        run=ti.run_id,
        attempt=_attempt(ti),
        kind=kind,
        details=details,
        link=str(getattr(ti, "log_url", "") or ""),
    )


def _task_event(context: Mapping[str, Any]) -> Event:
    ti, task = context["ti"], context.get("task")
    if _state(ti) in _BY_STATE:
        return _BY_STATE[_state(ti)]
    if context.get("exception") is None and getattr(ti, "start_date", None) is not None:
        return WAITING if hasattr(task, "subject") and hasattr(task, "options") else STARTED
    # The task's process is gone, and Airflow's DAG processor speaks for it, without a state.
    return RETRY if ti.try_number <= getattr(ti, "max_tries", 0) else FAILED


def _state(ti: Any) -> str:
    state = getattr(ti, "state", None)
    return str(getattr(state, "value", state) or "")


def _read_dag(context: Mapping[str, Any], base_url: str, *, names_culprit: bool) -> Alert:
    reason = str(context.get("reason") or "")
    ti, dag = context.get("ti"), context.get("dag")
    dag_id = str(getattr(ti, "dag_id", "") or getattr(dag, "dag_id", ""))
    run = str(context.get("run_id") or getattr(ti, "run_id", ""))
    failed = reason != "success"
    return Alert(
        event=DAG_FAILED if failed else DAG_SUCCEEDED,
        dag=dag_id,
        culprit=str(getattr(ti, "task_id", "")) if failed and names_culprit else "",
        run=run,
        kind=reason if failed else "",
        details=_capitalised(_REASONS.get(reason, _flat(reason))) if failed else "",
        link=_run_link(base_url, dag_id, run),
    )


def _read_deadline(context: Mapping[str, Any], base_url: str) -> Alert:
    run, deadline = context.get("dag_run") or {}, context["deadline"] or {}
    dag_id, run_id = str(run.get("dag_id", "")), str(run.get("dag_run_id", ""))
    due = _time(deadline.get("deadline_time"))
    state = run.get("state")
    return Alert(
        event=DEADLINE,
        dag=dag_id,
        run=run_id,
        details=". ".join(filter(None, [due and f"Due at {due}", state and f"The run was {state} then"])),
        link=_run_link(base_url, dag_id, run_id),
    )


def _error(error: object, redact: Callable[[str], str]) -> tuple[str, str]:
    """Name an error, and say it in one line."""
    if error is None:
        return "", ""
    said = next((line for line in redact(_words(error)).splitlines() if line.strip()), "")
    if not isinstance(error, BaseException):
        return "", _flat(said)
    kind = type(error).__name__
    return kind, _flat(f"{kind}: {said}" if said else kind)


def _words(error: object) -> str:
    """Let an error speak; one that cannot, or not in Unicode, must not cost the alert."""
    try:
        return str(error).encode("utf-8", "replace").decode()
    except Exception:  # noqa: BLE001 - anybody's code
        return ""


def _attempt(ti: Any) -> str:
    number, most = getattr(ti, "try_number", None), getattr(ti, "max_tries", None)
    if not isinstance(number, int) or not isinstance(most, int):
        return ""
    return f"{number} of {max(number, most + 1)}"


def _run_link(base_url: str, dag_id: str, run_id: str) -> str:
    return f"{base_url.rstrip('/')}/dags/{dag_id}/runs/{quote(run_id)}" if base_url and run_id else ""


def _time(value: object) -> str:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return ""
    return moment(value) if isinstance(value, datetime) else ""


def _flat(value: str) -> str:
    return " ".join(value.split())


def _cut(value: str, longest: int) -> str:
    return value if len(value) <= longest else f"{value[: longest - 1]}…"


def _capitalised(value: str) -> str:
    return value[:1].upper() + value[1:]

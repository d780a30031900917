"""Alerts, read from the context of an Airflow callback. No I/O, no import of Airflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow_provider_d360.alerts.alert import (
    BROKEN_FILE,
    DAG_FAILED,
    DAG_SUCCEEDED,
    DEADLINE,
    FAILED,
    RETRY,
    SKIPPED,
    STARTED,
    SUCCEEDED,
    WAITING,
    Alert,
    AlertEvent,
    capitalised,
    flat,
    moment,
)
from airflow_provider_d360.alerts.broken_files import BrokenFile, error_line
from airflow_provider_d360.alerts.reasons import read_error

_REASONS = {
    "task_failure": "a task failed",
    "all_tasks_deadlocked": "its tasks wait for each other",
    "timed_out": "it ran longer than its dagrun_timeout",
}
_BY_STATE = {"failed": FAILED, "up_for_retry": RETRY, "success": SUCCEEDED, "skipped": SKIPPED}
# With these trigger rules, one failure upstream is enough for a task to fail, too.
_STRICT_RULES = frozenset({"all_success", "none_failed", "none_failed_min_one_success"})


def read(
    context: Mapping[str, Any],
    base_url: str,
    *,
    redact: Callable[[str], str] = str,
    has_failed_task: bool = True,
) -> Alert:
    """
    Read the context of a callback of Airflow 3.1 to 3.4.

    :param context: The context of a task, of a DAG (with ``reason``) or of a deadline; or ``broken_files``, a
        list of :class:`~airflow_provider_d360.alerts.broken_files.BrokenFile`.
    :param base_url: The base URL of Airflow's user interface, for links.
    :param redact: Masks secrets in the text of an error; by default, nothing is masked.
    :param has_failed_task: The task in a DAG's context is the one that failed last. Before Airflow 3.2, it is
        any task of the DAG.
    """
    if "broken_files" in context:
        return _read_broken_files(context["broken_files"], base_url, redact)
    if "deadline" in context:
        return _read_deadline(context, base_url)
    if context.get("reason") is not None or context.get("ti") is None:
        return _read_dag(context, base_url, has_failed_task=has_failed_task)
    return _read_task(context, base_url, redact)


def is_running(context: Mapping[str, Any]) -> bool:
    """
    Return whether a task continues after this callback, and would fail by an exception of it.

    :param context: The context of the callback.
    """
    about_a_task = (
        "deadline" not in context and context.get("reason") is None and context.get("ti") is not None
    )
    return about_a_task and _task_event(context).is_running


def _read_task(context: Mapping[str, Any], base_url: str, redact: Callable[[str], str]) -> Alert:
    ti = context["ti"]
    index = getattr(ti, "map_index", -1)
    kind, details = read_error(context.get("exception"), redact)
    event = _task_event(context)
    link = str(getattr(ti, "log_url", "") or "")
    if event is WAITING:
        details = flat(str(context["task"].subject))
        link = link and f"{link.partition('?')[0]}/required_actions"
    if event.is_problem and not details and not _state(ti):
        details = "The task stopped without saying why: it was killed, or its worker was lost"
    return Alert(
        event=event,
        dag=ti.dag_id,
        task=ti.task_id,
        map_index=index if isinstance(index, int) else -1,
        map_label=flat(redact(str(getattr(ti, "rendered_map_index", None) or ""))),
        run=ti.run_id,
        attempt=_attempt(ti),
        kind=kind,
        details=details,
        link=link,
        run_link=_run_link(base_url, ti.dag_id, ti.run_id),
    )


def _task_event(context: Mapping[str, Any]) -> AlertEvent:
    ti, task = context["ti"], context.get("task")
    if _state(ti) in _BY_STATE:
        return _BY_STATE[_state(ti)]
    if context.get("exception") is None and getattr(ti, "start_date", None) is not None:
        return WAITING if hasattr(task, "subject") and hasattr(task, "options") else STARTED
    # The task's process is gone. Airflow's DAG processor runs the callback, and passes no state.
    return RETRY if ti.try_number <= getattr(ti, "max_tries", 0) else FAILED


def _state(ti: Any) -> str:
    state = getattr(ti, "state", None)
    return str(getattr(state, "value", state) or "")


def _read_dag(context: Mapping[str, Any], base_url: str, *, has_failed_task: bool) -> Alert:
    reason = str(context.get("reason") or "")
    ti, dag = context.get("ti"), context.get("dag")
    dag_id = str(getattr(ti, "dag_id", "") or getattr(dag, "dag_id", ""))
    run = str(context.get("run_id") or getattr(ti, "run_id", ""))
    failed = reason != "success"
    is_blamed = failed and has_failed_task and (reason != "task_failure" or _decides(context))
    return Alert(
        event=DAG_FAILED if failed else DAG_SUCCEEDED,
        dag=dag_id,
        failed_task=str(getattr(ti, "task_id", "")) if is_blamed else "",
        run=run,
        kind=reason if failed else "",
        details=capitalised(_REASONS.get(reason, flat(reason))) if failed else "",
        link=_run_link(base_url, dag_id, run),
        run_link=_run_link(base_url, dag_id, run),
    )


def _decides(context: Mapping[str, Any]) -> bool:
    """
    Return whether the task that failed last made the DAG fail; False if that is not certain.

    A teardown decides nothing, unless its author says so, and neither does a failure that another task
    handles.
    """
    try:
        return _is_decisive(context["task"], context["dag"])
    except Exception:  # noqa: BLE001 - a wrong name is worse than none, and no alert is worse than both
        return False


def _is_decisive(task: Any, dag: Any) -> bool:
    """Return whether the failure of a task leads, from one failing task to the next, to a last one."""
    left, seen = [task] if _counts(task) else [], {task.task_id}
    while left:
        one = left.pop()
        names = sorted(one.downstream_task_ids)
        followers = [follower for follower in map(dag.get_task, names) if _counts(follower)]
        if not followers:
            return True
        left += [follower for follower in followers if _is_strict(follower) and follower.task_id not in seen]
        seen.update(names)
    return False


def _is_strict(task: Any) -> bool:
    return str(getattr(task.trigger_rule, "value", task.trigger_rule)) in _STRICT_RULES


def _counts(task: Any) -> bool:
    """Return whether Airflow looks at a task to decide whether a run has failed."""
    return bool(not task.is_teardown or task.on_failure_fail_dagrun)


def _read_broken_files(files: Sequence[BrokenFile], base_url: str, redact: Callable[[str], str]) -> Alert:
    reasons = [flat(redact(error_line(file.trace))) for file in files]
    if len(files) > 1:
        reasons = [f"{file.name}: {reason}" for file, reason in zip(files, reasons, strict=True)]
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return Alert(event=BROKEN_FILE, dag=f"{files[0].name}{more}", details="; ".join(reasons), link=base_url)


def _read_deadline(context: Mapping[str, Any], base_url: str) -> Alert:
    run, deadline = context.get("dag_run") or {}, context["deadline"] or {}
    dag_id, run_id = str(run.get("dag_id") or ""), str(run.get("dag_run_id") or "")
    due = _time(deadline.get("deadline_time"))
    state = run.get("state")
    return Alert(
        event=DEADLINE,
        dag=dag_id,
        run=run_id,
        details=". ".join(filter(None, [due and f"Due at {due}", state and f"The run was {state} then"])),
        link=_run_link(base_url, dag_id, run_id),
    )


def _attempt(ti: Any) -> str:
    number, most = getattr(ti, "try_number", None), getattr(ti, "max_tries", None)
    if not isinstance(number, int) or not isinstance(most, int):
        return ""
    return f"{number} of {max(number, most + 1)}"


def _run_link(base_url: str, dag_id: str, run_id: str) -> str:
    """Return the URL of a run; an empty text where a part of it is not known: such a page does not exist."""
    if not (base_url and dag_id and run_id):
        return ""
    return f"{base_url.rstrip('/')}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


def _time(value: object) -> str:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return ""
    return moment(value) if isinstance(value, datetime) else ""

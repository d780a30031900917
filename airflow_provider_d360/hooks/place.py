"""Where in Airflow a message is sent: read from the context of the running task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_d360.compat import CLEARS_ARE_COUNTED
from airflow_provider_d360.hooks.ledgers import is_store_configured
from airflow_provider_d360.sending.identity import Place, fingerprint


def current_place() -> Place | None:
    """Return the place of the task that runs in this process; None outside a task."""
    from airflow.sdk import get_current_context

    try:
        context: Any = get_current_context()
    except Exception:  # noqa: BLE001 - another class in each version of Airflow
        return None
    return place_of(context)


def place_of(context: Mapping[str, Any]) -> Place | None:
    """
    Return the place of a task; None if it is no task's context.

    :param context: The context that Airflow passes to a task.
    """
    ti = context.get("ti")
    if ti is None:
        return None
    logical_date = _field(context.get("dag_run"), "logical_date")
    map_index = getattr(ti, "map_index", None)
    round_ = round_of(context)
    if not CLEARS_ARE_COUNTED:
        round_ = f"{round_}/{getattr(ti, 'max_tries', 0)}"
    return Place(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        run=str(logical_date or ti.run_id),
        task_id=ti.task_id,
        map_index=-1 if map_index is None else map_index,
        try_number=ti.try_number,
        round=round_,
        stage=_stage(ti),
        # A configured store is everybody's, and its missing entry proves that nothing was sent.
        state=None if is_store_configured() else context.get("task_state_store"),
    )


def round_of(context: Mapping[str, Any]) -> str:
    """
    Return a value that changes with each *Clear* of the run, and only then.

    Before Airflow 3.2, a *Clear* of a run that has not ended does not change it. A run that was deleted
    and is run again counts its Clears from zero, but starts at another time.

    :param context: The context of a task or of a callback.
    """
    run = context.get("dag_run")
    return f"{_field(run, 'clear_number') or 0}/{_field(run, 'start_date') or ''}"


def _field(run: Any, name: str) -> Any:
    return run.get(name) if isinstance(run, Mapping) else getattr(run, name, None)


def _stage(ti: Any) -> str:
    """Distinguish a resumed task from one that was started again."""
    server: Any = getattr(ti, "_ti_context_from_server", None)
    resumed = getattr(server, "next_method", None), getattr(server, "next_kwargs", None)
    reschedules = getattr(server, "task_reschedule_count", 0)
    return fingerprint(*resumed, reschedules) if any(resumed) or reschedules else ""

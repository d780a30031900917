"""The few names that moved between Airflow 3.1 and 3.3, and nothing else."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from airflow import sdk
from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowRuntimeError

try:
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferralError,
    )
except ImportError:  # before 3.2
    from airflow.exceptions import (  # type: ignore[no-redef,attr-defined]
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferralError,
    )

try:
    from airflow.sdk.configuration import conf

    # Whether ``dag_run.clear_number`` grows with each Clear; before, only with that of a run that has ended.
    CLEARS_ARE_COUNTED = True
except ImportError:  # before 3.2
    from airflow.configuration import conf

    CLEARS_ARE_COUNTED = False

# Whether Airflow's address bar follows a page in a frame, so that such a page can be linked to.
PAGES_HAVE_ADDRESSES = "RetryPolicy" in sdk.__all__  # from 3.3 on

__all__ = [
    "CLEARS_ARE_COUNTED",
    "PAGES_HAVE_ADDRESSES",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRuntimeError",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "OldSQLAlchemyError",
    "TaskDeferralError",
    "airflow_stats",
    "conf",
    "get_connection_async",
    "has_store",
    "skip_mixin",
]


class OldSQLAlchemyError(Exception):
    """The store cannot be used with SQLAlchemy 1.4, which Airflow 3.1 allows; the text holds no secret."""


def has_store() -> bool:
    """Return whether this installation has a store: SQLAlchemy 1.4, which Airflow 3.1 allows, has none."""
    import sqlalchemy

    return not sqlalchemy.__version__.startswith("1.")


def skip_mixin() -> Any:
    """Return Airflow's class that skips downstream tasks."""
    try:
        from airflow.sdk.bases.skipmixin import SkipMixin
    except ImportError:  # before 3.2
        from airflow.providers.standard.utils.skipmixin import SkipMixin  # type: ignore[assignment]
    return SkipMixin


@cache
def airflow_stats() -> Any:
    """
    Return Airflow's statistics, which have ``incr`` and ``timing``.

    From Airflow 3.2 on, they do nothing in a process that has not set them up. Tasks have; the children of
    the DAG processor and the triggerer, the API server and our own commands have not.
    """
    try:
        from airflow.sdk.observability import stats
        from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
    except ImportError:  # before 3.2
        from airflow.stats import Stats

        return Stats
    if not hasattr(stats, "initialize"):  # 3.2
        holder: Any = stats.Stats
        if getattr(holder.factory, "__name__", "NoStatsLogger") == "NoStatsLogger":
            holder.initialize(factory=get_stats_factory(holder))  # type: ignore[call-arg]
        return holder
    if getattr(sys.modules[stats.initialize.__module__], "_factory", None) is None:
        legacy_names = conf.getboolean("metrics", "legacy_names_on", fallback=True)
        stats.initialize(factory=get_stats_factory(), export_legacy_names=legacy_names)
    return stats


async def get_connection_async(conn_id: str) -> Connection:
    """
    Look a connection up without blocking the event loop; in a thread where Airflow itself would block it.

    :param conn_id: The connection's id.
    :raises AirflowNotFoundException: There is no such connection.
    """
    if hasattr(Connection, "aextra_dejson"):
        return await BaseHook.aget_connection(conn_id)
    from asgiref.sync import sync_to_async  # in a thread of any other kind, a triggerer of Airflow 3.1 fails

    return await sync_to_async(BaseHook.get_connection)(conn_id)

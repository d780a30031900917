"""The few names that moved between Airflow 3.1 and 3.3, and nothing else."""

from __future__ import annotations

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
except ImportError:  # before 3.2
    from airflow.configuration import conf

__all__ = [
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRuntimeError",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "TaskDeferralError",
    "conf",
    "get_connection_async",
]


async def get_connection_async(conn_id: str) -> Connection:
    """Look a connection up without blocking; in a thread where Airflow's own way blocks (before 3.3.2)."""
    if hasattr(Connection, "aextra_dejson"):
        return await BaseHook.aget_connection(conn_id)
    from asgiref.sync import sync_to_async  # in a thread of any other kind, a triggerer of 3.1 dies of it

    return await sync_to_async(BaseHook.get_connection)(conn_id)

"""Thirty DAGs of people who never heard of alerts, and a mapped task with many instances."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, task


@task
def load(params: dict[str, Any] | None = None) -> None:
    if params and params.get("fail"):
        raise ValueError("no rows")


@task
def copy(table: int) -> None:
    raise ValueError(f"table {table} is locked")


for number in range(30):
    with DAG(f"outage_{number}", schedule=None) as dag:
        load()
    globals()[dag.dag_id] = dag

with DAG("mapped", schedule=None):
    copy.expand(table=list(range(int(os.environ.get("TABLES", "50")))))

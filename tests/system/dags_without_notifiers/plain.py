"""A DAG as people have it who never heard of alerts."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

with DAG("plain", schedule=None):

    @task
    def load(params: dict[str, Any] | None = None) -> None:
        if params and params.get("fail"):
            raise ValueError("no rows")

    load()

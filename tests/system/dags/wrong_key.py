"""Fails for good at the first try, although it has retries."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_d360.operators.messages import D360SendMessageOperator

with DAG("wrong_key", schedule=None):
    D360SendMessageOperator(
        task_id="send",
        to="+49 151 23456789",
        message="Nobody reads this",
        d360_conn_id="d360_wrong_key",
        retries=3,
        retry_delay=timedelta(seconds=1),
    )

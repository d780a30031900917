"""Goes out once, by itself, as soon as the scheduler may have it."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from airflow_provider_d360.operators.messages import D360SendMessageOperator

with DAG("scheduled_message", schedule="@once", start_date=pendulum.datetime(2026, 1, 1), catchup=False):
    D360SendMessageOperator(task_id="send", to="+49 151 23456789", message="Once, for {{ run_id }}")

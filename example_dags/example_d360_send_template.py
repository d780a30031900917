"""
Send an approved template every morning: the one kind of message that needs no open 24-hour window.

Needs the connection ``d360_default`` and an approved template ``daily_report`` in English with two
parameters: "Good morning, {{1}}! {{2}} orders came in yesterday."
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_d360.messages import template
from airflow_provider_d360.operators.messages import D360SendMessageOperator

# [START send_template]
with DAG(
    "example_d360_send_template",
    schedule="0 7 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    params={"to": "+49 151 23456789", "name": "Ada"},
):

    @task
    def count_orders() -> str:
        return "1,204"

    D360SendMessageOperator(
        task_id="send_report",
        to="{{ params.to }}",
        message=template("daily_report", "en", body=["{{ params.name }}", count_orders()]),
    )
# [END send_template]

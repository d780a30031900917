"""
Send an approved template: the one kind of message that needs no open 24-hour window.

Needs the connection ``d360_default`` and an approved template ``daily_report`` in English with two
parameters: "Good morning, {{1}}! {{2}} orders came in yesterday."
"""

from __future__ import annotations

# [START send_template]
from airflow.sdk import DAG, task

from airflow_provider_d360.messages import template
from airflow_provider_d360.operators.messages import D360SendMessageOperator

with DAG(
    "example_d360_send_template",
    schedule=None,  # of yours: "0 7 * * *"
    tags=["example", "whatsapp"],
    params={"to": "+44 7700 900123", "name": "Ada"},
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

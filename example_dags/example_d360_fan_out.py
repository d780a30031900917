"""
Send one message to many recipients: one mapped task, one try and one log per recipient.

Needs the connection ``d360_default``. When one recipient cannot be reached, the others still get theirs,
and only that one map index fails. Clear the failed index, not the task, to try it again.
"""

from __future__ import annotations

# [START fan_out]
from airflow.sdk import DAG, task

from airflow_provider_d360.messages import text
from airflow_provider_d360.operators.messages import D360SendMessageOperator

with DAG("example_d360_fan_out", schedule=None, tags=["example", "whatsapp"], max_active_tasks=4):

    @task
    def on_call() -> list[str]:
        return ["+44 7700 900123", "+44 7700 900456", "+1 (202) 555-0143"]

    send = D360SendMessageOperator.partial(
        task_id="send",
        message=text("Maintenance tonight from 22:00. Details: https://status.example.com", preview_url=True),
    ).expand(to=on_call())

    @task
    def report(message_ids: list[str]) -> None:
        print(f"{len(list(message_ids))} messages accepted")

    report(send.output)
# [END fan_out]

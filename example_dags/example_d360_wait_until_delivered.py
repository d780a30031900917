"""
Send a message, wait until it is on the phone, and only then go on.

Needs the connection ``d360_default`` and a running receiver (see ``docs/receiving.md``), because whether a
message arrived, only the webhook knows. Waiting takes no worker. A message that fails on its way fails the
task, with the reason and what to do about it.
"""

from __future__ import annotations

# [START wait_until_delivered]
from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_provider_d360.messages import text
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.sensors.messages import D360MessageStatusSensor

with DAG(
    "example_d360_wait_until_delivered",
    schedule=None,
    tags=["example", "whatsapp"],
    params={"to": "+44 7700 900123"},
):
    send = D360SendMessageOperator(
        task_id="send",
        to="{{ params.to }}",
        message=text("Your parcel is on its way: https://example.com/parcels/42"),
        wait_for="delivered",
        wait_timeout=timedelta(minutes=10),
        on_timeout="fail",
    )

    # Somebody else's patience may be longer: a sensor waits for any message, by its id.
    read = D360MessageStatusSensor(
        task_id="wait_until_read", message_id=send.output, status="read", deferrable=True, timeout=3600
    )

    @task
    def report(status: str) -> None:
        print(f"The recipient has seen it: {status}")

    report(read.output)
# [END wait_until_delivered]

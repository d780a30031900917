"""Tasks that wait for what becomes of their message; whom they write to, and what, stands in variables."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.sensors.messages import D360MessageStatusSensor


def send(to: str, **waiting):
    return D360SendMessageOperator(
        task_id="send",
        to=f"{{{{ var.value.{to} }}}}",
        message="{{ var.value.secret_text }} {{ run_id }}",
        retries=2,
        retry_delay=timedelta(seconds=1),
        **waiting,
    )


with DAG("waiting_delivered", schedule=None):
    D360MessageStatusSensor(
        task_id="see_it_read",
        message_id=send("customer", wait_for="delivered", wait_timeout=60).output,
        status="read",
        poke_interval=1,
        timeout=60,
    )

with DAG("waiting_failed", schedule=None):
    send("unreachable", wait_for="read", wait_timeout=60)

with DAG("waiting_in_vain", schedule=None):
    send("asleep", wait_for="read", wait_timeout=3, on_timeout="skip")

with DAG("waiting_lost_answer", schedule=None):
    send("customer")

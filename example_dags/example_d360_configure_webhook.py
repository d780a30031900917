"""
Tell 360dialog where to deliver replies and statuses, and see that it took effect.

Needs the connection ``d360_default``. When your webhook wants a user and a password, they stand in that
connection (``webhook_username``, ``webhook_password``), never in a DAG.

Harmless to repeat: what is already right is left alone, and the URL of somebody else is not replaced
unless you say ``replace=True``.
"""

from __future__ import annotations

# [START configure_webhook]
from airflow.sdk import DAG, task

from airflow_provider_d360.operators.webhooks import D360ConfigureWebhookOperator

with DAG(
    "example_d360_configure_webhook",
    schedule=None,
    tags=["example", "whatsapp"],
    params={"url": "https://hooks.example.com/whatsapp"},
):
    configure = D360ConfigureWebhookOperator(task_id="configure_webhook", url="{{ params.url }}")

    @task
    def report(previous_url: str | None) -> None:
        print(f"Before, deliveries went to {previous_url or 'nobody'}")

    report(configure.output)
# [END configure_webhook]

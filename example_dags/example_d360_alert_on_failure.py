"""
Alert the people on call when a task fails, and tell them when it works again.

Needs the connection ``d360_default``, a variable ``on_call`` with their numbers, separated by commas, and
the approved template ``airflow_alert`` of docs/alerting.md: free text reaches only people who wrote to you
within the last 24 hours.

The first failure is told at once. More of the same within an hour are counted, and told with the next one.
"""

from __future__ import annotations

# [START alert_on_failure]
from airflow.sdk import DAG, task

from airflow_provider_d360.notifications.d360 import D360Notifier

ON_CALL = "{{ var.value.on_call }}"

with DAG(
    "example_d360_alert_on_failure",
    schedule=None,
    tags=["example", "whatsapp"],
    default_args={
        "on_failure_callback": D360Notifier(to=ON_CALL, template="airflow_alert", cooldown_seconds=3600),
        "on_success_callback": D360Notifier(to=ON_CALL, template="airflow_alert", only_after_failure=True),
    },
):

    @task
    def load_orders() -> None:
        raise ValueError("no orders since midnight")

    @task(trigger_rule="all_done")
    def clean_up() -> None:
        print("Cleaned up")

    load_orders() >> clean_up()
# [END alert_on_failure]

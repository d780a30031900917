"""
Put a question of Airflow's own human-in-the-loop operators on people's phones, with the options as buttons.

Needs the connection ``d360_default``, a running receiver, and the account of a bot in ``[d360]
airflow_conn_id`` (see ``docs/conversations.md``). The first answer counts, on the phone or in Airflow.
"""

from __future__ import annotations

# [START hitl]
from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, task

from airflow_provider_d360.notifications.hitl import D360HITLNotifier

with DAG("example_d360_hitl", schedule=None, tags=["example", "whatsapp"]):
    approve = ApprovalOperator(
        task_id="approve",
        subject="Send the invoices of this month?",
        response_timeout=timedelta(hours=8),
        notifiers=[D360HITLNotifier(to="+44 7700 900123")],
    )
    # [END hitl]

    @task
    def send_invoices() -> None:
        print("Sending the invoices")

    approve >> send_invoices()

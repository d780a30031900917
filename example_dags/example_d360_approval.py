"""
Deploy when two of three people on call have approved on WhatsApp; remind those who have not answered.

Needs the connection ``d360_default`` and a running receiver (see ``docs/receiving.md``), because answers
come by webhook. Waiting takes no worker. When it is rejected, the deployment is skipped.
"""

from __future__ import annotations

# [START approval]
from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_provider_d360.operators.questions import D360ApprovalOperator

ON_CALL = ["+44 7700 900123", "+44 7700 900456", "+1 (202) 555-0143"]

with DAG("example_d360_approval", schedule=None, tags=["example", "whatsapp"], params={"version": "2.4.0"}):
    approve = D360ApprovalOperator(
        task_id="approve",
        to=ON_CALL,
        question="Deploy version {{ params.version }} to production?",
        needed=2,
        reminders=[timedelta(minutes=15), timedelta(hours=1)],
        wait_timeout=timedelta(hours=4),
    )
    # [END approval]

    @task
    def deploy(approved_by: str) -> None:
        print(f"Deploying: approved by {approved_by}")

    approve >> deploy("{{ ti.xcom_pull('approve', key='answered_by') | join(' and ') }}")

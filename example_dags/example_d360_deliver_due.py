"""
Each minute, send the alerts that could not be sent before: for those who run no webhook receiver.

Needs what the notifiers need: ``d360_default``, and a store within reach of the worker.
"""

from __future__ import annotations

# [START deliver_due]
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    "example_d360_deliver_due",
    schedule="* * * * *",
    catchup=False,
    max_active_runs=1,
    tags=["example", "whatsapp"],
):
    # Exit code 1 means that some are kept: this run has done what it could, and the next one tries again.
    BashOperator(
        task_id="deliver_due",
        bash_command="python -m airflow_provider_d360 deliver-due || [ $? = 1 ]",
    )
# [END deliver_due]

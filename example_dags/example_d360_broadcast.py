"""
Write to everybody in a table: each once, at the rate that WhatsApp allows, with a report.

Needs the connection ``d360_default``, a connection ``shop`` to a database with a table ``customers``, and an
approved template ``spring_sale`` in English with one parameter: "Hello {{1}}, our spring sale has begun."

People who opted out are left out. Running the task again, after a failure or with *Clear*, writes to nobody
a second time.
"""

from __future__ import annotations

# [START broadcast]
from airflow.sdk import DAG, task

from airflow_provider_d360.messages import column, template
from airflow_provider_d360.operators.campaigns import D360BroadcastOperator

with DAG("example_d360_broadcast", schedule=None, tags=["example", "whatsapp"]):
    broadcast = D360BroadcastOperator(
        task_id="broadcast",
        audience={"sql": "SELECT phone, first_name, id FROM customers", "conn_id": "shop"},
        to_column="phone",
        message=template("spring_sale", "en", body=[column("first_name")]),
        label_column="id",
        report_path="spring_sale.csv",  # a line for each customer; of yours: "s3://aws@bucket/sale.csv"
    )
    # [END broadcast]

    @task
    def summarize(totals: dict[str, int]) -> None:
        print(f"{totals['tried']} tried, {totals['failed']} failed, {totals['unknown']} unknown")

    summarize(broadcast.output)

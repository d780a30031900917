"""
Send a WhatsApp message, and quote it in the next one.

Needs the connection ``d360_default``, and a recipient who wrote to you within the last 24 hours: outside
that window WhatsApp delivers templates only (see ``example_d360_send_template``).

Start it with other values through *Trigger DAG*, or ``airflow dags test example_d360_send_message``.
"""

from __future__ import annotations

# [START send_message]
from airflow.sdk import DAG

from airflow_provider_d360.messages import image
from airflow_provider_d360.operators.messages import D360SendMessageOperator

with DAG(
    "example_d360_send_message", schedule=None, tags=["example", "whatsapp"], params={"to": "+44 7700 900123"}
):
    greeting = D360SendMessageOperator(
        task_id="greet",
        to="{{ params.to }}",
        message="Hello! The report of {{ dag_run.run_after | ds }} is ready.",
    )

    # An operator returns the id of its message. Anything in a message may come from another task.
    D360SendMessageOperator(
        task_id="show_the_chart",
        to="{{ params.to }}",
        message=image(link="https://www.example.com/chart.png", caption="Yesterday's orders"),
        reply_to=greeting.output,
    )
# [END send_message]

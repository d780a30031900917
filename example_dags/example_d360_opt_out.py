"""
Respect those who asked for no more messages: add somebody to the list, and skip whoever is on it.

Needs the connection ``d360_default``. People who write STOP, or stop marketing in WhatsApp, are added by the
receiver.
"""

from __future__ import annotations

# [START opt_out]
from airflow.sdk import DAG

from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.operators.suppression import D360SuppressOperator

with DAG(
    "example_d360_opt_out",
    schedule=None,
    tags=["example", "whatsapp"],
    params={"left": "+44 7700 900123"},
):
    suppress = D360SuppressOperator(
        task_id="suppress", to="{{ params.left }}", scope="marketing", reason="asked by e-mail"
    )
    send = D360SendMessageOperator.partial(
        task_id="send",
        message="Everything must go",
        marketing=True,
        on_suppressed="skip",
    ).expand(to=["+44 7700 900123", "+44 7700 900124"])

    suppress >> send
    # [END opt_out]

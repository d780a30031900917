"""Tasks that ask; whom they ask stands in a variable."""

from __future__ import annotations

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG

from airflow_provider_d360.notifications.hitl import D360HITLNotifier
from airflow_provider_d360.operators.inbox import D360ReceiveMessagesOperator
from airflow_provider_d360.operators.questions import D360AskOperator

with DAG("conversation_asking", schedule=None):
    D360AskOperator(
        task_id="ask",
        to="{{ var.value.on_call }}",
        question="{{ var.value.secret_question }} {{ run_id }}",
        choices={"yes": "Deploy", "no": "Wait"},
        wait_timeout=600,
    )

with DAG("conversation_hitl", schedule=None):
    HITLOperator(
        task_id="approve",
        subject="A question of Airflow",
        options=["Deploy", "Wait"],
        notifiers=[D360HITLNotifier(to="{{ var.value.on_call }}")],
    )

with DAG("conversation_reading", schedule=None):
    D360ReceiveMessagesOperator(task_id="receive", cursor="system", kinds=["text"])

"""Tasks that ask; whom they ask stands in a variable."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_d360.notifications.hitl import D360HITLNotifier
from airflow_provider_d360.operators.inbox import D360ReceiveMessagesOperator
from airflow_provider_d360.operators.questions import D360AskOperator
from airflow_provider_d360.triggers.inbox import D360InboxTrigger

with DAG("conversation_asking", schedule=None):
    D360AskOperator(
        task_id="ask",
        to="{{ var.value.on_call }}",
        question="{{ var.value.secret_question }} {{ run_id }}",
        choices={"yes": "Deploy", "no": "Wait"},
        wait_timeout=600,
        retries=3,  # a busy Airflow may lose a worker before it begins
        retry_delay=timedelta(seconds=1),
    )

with DAG("conversation_many", schedule=None):

    @task(retries=5, retry_delay=timedelta(seconds=1))
    def people(dag_run: Any = None) -> list[str]:
        return list(dag_run.conf["people"])

    # A worker may be killed as well, while it resumes: with its scheduler, or for want of an API server.
    D360AskOperator.partial(
        task_id="ask",
        question="Deploy?",
        choices={"yes": "Deploy", "no": "Wait"},
        wait_timeout=7200,
        retries=20,
        retry_delay=timedelta(seconds=1),
    ).expand(to=people())

with DAG("conversation_hitl", schedule=None):
    HITLOperator(
        task_id="approve",
        subject="A question of Airflow",
        options=["Deploy", "Wait"],
        notifiers=[D360HITLNotifier(to="{{ var.value.on_call }}")],
    )

with DAG("conversation_reading", schedule=None):
    D360ReceiveMessagesOperator(task_id="receive", cursor="system", kinds=["text"])

burst = Asset(
    "whatsapp_burst",
    watchers=[AssetWatcher(name="inbox", trigger=D360InboxTrigger(cursor="burst", kinds=["text"]))],
)
with DAG("conversation_burst", schedule=[burst], max_active_runs=1):
    D360ReceiveMessagesOperator(
        task_id="receive", cursor="burst", kinds=["text"], limit=100, with_numbers=True
    )

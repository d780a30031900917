"""
A message starts a run: who is on the list writes ``deploy`` or ``status``, and gets a reply when it is done.

Needs the connection ``d360_default`` and a running receiver (see ``docs/receiving.md``). The watcher only
rings: what came is read under the cursor ``commands``, also what came while the DAG was paused. Each message
starts one run of another DAG, whose id is made of the message's: reading it twice starts no second run.
"""

from __future__ import annotations

# [START keywords]
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_d360.api.inbound import keyword_of
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.operators.inbox import D360MarkAsReadOperator, D360ReceiveMessagesOperator
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.triggers.inbox import D360InboxTrigger

ALLOWED = ["+44 7700 900123", "+44 7700 900456"]
KEYWORDS = ["deploy", "status"]

commands = Asset(
    "whatsapp_commands",
    watchers=[AssetWatcher(name="inbox", trigger=D360InboxTrigger(cursor="commands", keywords=KEYWORDS))],
)

with DAG("example_d360_keywords", schedule=[commands], tags=["example", "whatsapp"], max_active_runs=1):
    receive = D360ReceiveMessagesOperator(
        task_id="receive", cursor="commands", keywords=KEYWORDS, senders=ALLOWED, with_numbers=True
    )
    # [END keywords]

    @task
    def order(messages: list[dict[str, str]]) -> list[dict[str, object]]:
        return [
            {
                "trigger_dag_id": f"example_d360_keyword_{keyword_of(one['text'])}",
                "trigger_run_id": f"whatsapp_{short_id(one['message_id'])}",
                "conf": {"to": one["sender"]},
            }
            for one in messages
        ]

    D360MarkAsReadOperator.partial(task_id="mark", typing=True).expand(
        message_id=receive.output.map(lambda one: one["message_id"])
    )
    TriggerDagRunOperator.partial(task_id="start").expand_kwargs(order(receive.output))

for keyword in KEYWORDS:
    with DAG(
        f"example_d360_keyword_{keyword}",
        schedule=None,
        tags=["example", "whatsapp"],
        params={"to": "+44 7700 900123"},
    ):
        D360SendMessageOperator(task_id="reply", to="{{ params.to }}", message=f"Done: {keyword}")

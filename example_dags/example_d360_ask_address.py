"""
An order came without a usable address: ask the customer, check the answer, and thank for it.

Needs the connection ``d360_default`` and a running receiver (see ``docs/receiving.md``). The customer may
just write: the next message counts. An answer without a postcode gets a second try. If no answer comes, the
order goes to a person.
"""

from __future__ import annotations

# [START ask_address]
from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_provider_d360.messages import text
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.operators.questions import D360AskOperator
from airflow_provider_d360.sensors.replies import D360ReplySensor

with DAG(
    "example_d360_ask_address",
    schedule=None,
    tags=["example", "whatsapp"],
    params={"to": "+44 7700 900123", "order": "4711"},
):
    ask = D360AskOperator(
        task_id="ask",
        to="{{ params.to }}",
        question="Where shall we send your order {{ params.order }}? Please answer with street and postcode.",
        pattern=r".*\b[0-9]{5}\b.*",
        accept_next=True,
        invalid_text="We need street, postcode and town, such as: Beispielweg 1, 10115 Berlin",
        wait_timeout=timedelta(hours=12),
        on_timeout="default",
        default="",
    )
    # [END ask_address]

    @task
    def save(address: str) -> str:
        # The address is personal: it stands in XCom now, because this DAG has asked for it, and not in a log.
        print("Address saved" if address else "No address: a person has to call")
        return "Thank you. We are on it. Is there anything else?" if address else "Somebody will call you."

    # A sensor waits for a reply to any message: here for one that quotes the confirmation.
    confirm = D360SendMessageOperator(
        task_id="confirm",
        to="{{ params.to }}",
        message=text(save(ask.output)),
    )
    D360ReplySensor(
        task_id="anything_else", message_id=confirm.output, deferrable=True, timeout=3600, soft_fail=True
    )

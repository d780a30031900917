"""
Bring a template to life: create it, wait until WhatsApp has approved it, send it, change it, delete it.

Needs the connection ``d360_default``. Approval takes minutes to a day; the sensor waits for it in the
triggerer, where it takes no worker, and fails with the reason when WhatsApp says no.
"""

from __future__ import annotations

# [START template_lifecycle]
from airflow.sdk import DAG

from airflow_provider_d360.messages import template
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.operators.templates import (
    D360CreateTemplateOperator,
    D360DeleteTemplateOperator,
    D360EditTemplateOperator,
    D360ListTemplatesOperator,
)
from airflow_provider_d360.sensors.templates import D360TemplateApprovedSensor

GREETING = {"type": "BODY", "text": "Hello {{1}}, welcome!", "example": {"body_text": [["Ada"]]}}
FOOTER = {"type": "FOOTER", "text": "Example Ltd."}

with DAG(
    "example_d360_template_lifecycle",
    schedule=None,
    tags=["example", "whatsapp"],
    params={"to": "+44 7700 900123"},
):
    create = D360CreateTemplateOperator(
        task_id="create", name="welcome", language="en_US", category="UTILITY", components=[GREETING]
    )
    approved = D360TemplateApprovedSensor(
        task_id="wait_for_approval", name="welcome", language="en_US", deferrable=True, poke_interval=5
    )
    send = D360SendMessageOperator(
        task_id="send", to="{{ params.to }}", message=template("welcome", "en_US", body=["Ada"])
    )
    create >> approved >> send

    edit = D360EditTemplateOperator(task_id="edit", template_id=create.output, components=[GREETING, FOOTER])
    look = D360ListTemplatesOperator(task_id="list", name="welcome")
    delete = D360DeleteTemplateOperator(task_id="delete", name="welcome")
    send >> edit >> look >> delete
# [END template_lifecycle]

"""What the tests of campaigns share: a template, an audience, and a task's context."""

from __future__ import annotations

import types
from contextlib import closing

from airflow_provider_d360.messages import column, template
from airflow_provider_d360.operators.campaigns import (
    D360BroadcastOperator,
    D360PlanCampaignOperator,
    D360SendCampaignOperator,
)
from airflow_provider_d360.store.configured import configured_store

MESSAGE = template("promo", "en", body=[column("name")])


def add_template(emulator, category="MARKETING", text="Hello {{1}}, we are open", status="approved"):
    content = {"name": "promo", "language": "en", "category": category}
    body = {"type": "BODY", "text": text, "example": {"body_text": [["Ann"]]}}
    return emulator.templates.add({**content, "components": [body]}, status=status).template_id


def people(count, first=0):
    return [{"to": f"+4915100{number:06}", "name": f"N{number}"} for number in range(first, first + count)]


class Task:
    """A task instance, as far as operators ask for it."""

    def __init__(self, task_id="plan"):
        self.dag_id, self.run_id, self.task_id, self.map_index = "dag", "run", task_id, -1
        self.try_number, self.max_tries = 1, 0
        self.pushed = {}

    def xcom_push(self, key, value):
        self.pushed[key] = value


def context(task_id="plan"):
    return {
        "ti": Task(task_id),
        "dag_run": types.SimpleNamespace(clear_number=0, logical_date=None, start_date=None),
    }


def plan(audience, message=MESSAGE, where=None, **arguments):
    arguments = {"campaign_id": "spring", **arguments}
    operator = D360PlanCampaignOperator(task_id="plan", audience=audience, message=message, **arguments)
    return operator.execute(where or context())


def send(campaign_id="spring", **arguments):
    operator = D360SendCampaignOperator(task_id="send", campaign_id=campaign_id, **arguments)
    return operator.execute(context("send"))


def broadcast(audience, message=MESSAGE, **arguments):
    operator = D360BroadcastOperator(task_id="broadcast", audience=audience, message=message, **arguments)
    return operator.execute(context("broadcast"))


def with_store(read):
    with closing(configured_store()) as store:
        return read(store)


def states(campaign_id="spring"):
    """Count the rows of a campaign by state."""

    def read(store):
        counts = store.campaign_results.counts(store.campaigns.find(campaign_id).key)
        return {state.value: count for state, count in counts.items()}

    return with_store(read)

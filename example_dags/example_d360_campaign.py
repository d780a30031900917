"""
Write to many people carefully: a few first, then look, then all others; and nobody at night.

Needs the connection ``d360_default``, the receiver for statuses, a connection ``shop`` to a database with a
table ``customers``, and an approved template ``spring_sale``. Variables ``opens`` and ``closes`` may give
other hours than 9 to 20.

The first 200 get the message. When most have got it and few have failed, the others follow, each between 9
and 20 o'clock where they live.
"""

from __future__ import annotations

# [START campaign]
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_d360.messages import column, template
from airflow_provider_d360.operators.campaigns import (
    D360CampaignReportOperator,
    D360PlanCampaignOperator,
    D360SendCampaignOperator,
)
from airflow_provider_d360.sensors.campaigns import D360CampaignSensor

with DAG("example_d360_campaign", schedule=None, tags=["example", "whatsapp"]):
    plan = D360PlanCampaignOperator(
        task_id="plan",
        audience={"sql": "SELECT phone, first_name FROM customers", "conn_id": "shop"},
        to_column="phone",
        message=template("spring_sale", "en", body=[column("first_name")]),
        window=("{{ var.value.get('opens', '09:00') }}", "{{ var.value.get('closes', '20:00') }}"),
        not_within=timedelta(days=7),
    )
    first = D360SendCampaignOperator(task_id="send_first", campaign_id=plan.output, limit=200)
    look = D360CampaignSensor(
        task_id="look", campaign_id=plan.output, delivered=0.8, failed=0.05, timeout=3600, poke_interval=5
    )
    rest = D360SendCampaignOperator(task_id="send_rest", campaign_id=plan.output)
    report = D360CampaignReportOperator(task_id="report", campaign_id=plan.output)
    first >> look >> rest >> report  # for a human gate, put an ApprovalOperator before the rest
# [END campaign]

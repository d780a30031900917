"""
Send a large campaign with several workers at once.

Needs the connection ``d360_default``, a connection ``shop`` to a database with a table ``customers``, an
approved template ``spring_sale``, and a PostgreSQL store that all workers share.

All workers together stay below the rate of the number, so this helps numbers with 1,000 messages per second,
and lets the campaign go on when a worker is lost.
"""

from __future__ import annotations

# [START shards]
from airflow.sdk import DAG

from airflow_provider_d360.messages import column, template
from airflow_provider_d360.operators.campaigns import (
    D360CampaignReportOperator,
    D360PlanCampaignOperator,
    D360SendCampaignOperator,
)

with DAG("example_d360_campaign_shards", schedule=None, tags=["example", "whatsapp"]):
    plan = D360PlanCampaignOperator(
        task_id="plan",
        audience={"sql": "SELECT phone, first_name FROM customers", "conn_id": "shop"},
        to_column="phone",
        message=template("spring_sale", "en", body=[column("first_name")]),
    )
    send = D360SendCampaignOperator.partial(
        task_id="send", campaign_id=plan.output, retries=3, batch=500
    ).expand(shard=["1/4", "2/4", "3/4", "4/4"])
    report = D360CampaignReportOperator(task_id="report", campaign_id=plan.output)
    send >> report
# [END shards]

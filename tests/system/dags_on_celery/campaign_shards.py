"""A planned campaign, sent by four tasks on Celery workers."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_d360.operators.campaigns import D360CampaignReportOperator, D360SendCampaignOperator

with DAG("campaign_shards", schedule=None, default_args={"executor": "CeleryExecutor"}):
    send = D360SendCampaignOperator.partial(
        task_id="send", campaign_id="spring", batch=20, retries=100, retry_delay=timedelta(seconds=1)
    ).expand(shard=["1/4", "2/4", "3/4", "4/4"])
    report = D360CampaignReportOperator(task_id="report", campaign_id="spring")
    send >> report

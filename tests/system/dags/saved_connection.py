"""Sends through the connection that a test typed into the form."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_d360.operators.messages import D360SendMessageOperator

with DAG("saved_connection", schedule=None):
    D360SendMessageOperator(
        task_id="send", to="+49 151 23456789", message="From the form", d360_conn_id="d360_from_the_form"
    )

"""
Forget, once a day, what the store holds of messages older than ``[d360] store_retention_days`` (30).

Needs no ``d360_default``, but the store that the webhook fills, within reach of the worker. The store keeps
what people wrote to you, so run this, or ``python -m airflow_provider_d360.receiver purge`` from cron.
"""

from __future__ import annotations

# [START purge_store]
from airflow.sdk import DAG, task

with DAG("example_d360_purge_store", schedule="@daily", catchup=False, tags=["example", "whatsapp"]):

    @task
    def purge_store() -> dict[str, int]:
        from airflow_provider_d360.store.configured import configured_store, purge

        store = configured_store()
        try:
            return purge(store)
        finally:
            store.close()

    purge_store()
# [END purge_store]

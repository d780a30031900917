"""
What was sent and what became of it: a database of our own, never Airflow's.

The receiver writes it, tasks and triggers read it. SQLite in a file for one machine, PostgreSQL for several.
"""

from airflow_provider_d360.store.database import StoreUnavailableError
from airflow_provider_d360.store.records import InboxMessage, OutboxEntry, SentMessage, Status
from airflow_provider_d360.store.store import Store

__all__ = ["InboxMessage", "OutboxEntry", "SentMessage", "Status", "Store", "StoreUnavailableError"]

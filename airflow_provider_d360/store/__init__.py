"""
What was sent and with which outcome: a database of our own, never Airflow's.

The receiver writes it, tasks and triggers read it. SQLite in a file for one machine, PostgreSQL for several.
To add a table, write a module like ``inbox.py`` and a step in ``migrations/``, and make it an attribute of
``Store``.
"""

import sqlalchemy

if sqlalchemy.__version__.startswith("1."):  # Airflow 3.1 allows it; checked before its missing names matter
    from airflow_provider_d360.compat import OldSQLAlchemyError

    raise OldSQLAlchemyError(
        f"The message store needs SQLAlchemy 2.0, and {sqlalchemy.__version__} is installed. "
        "Run: pip install 'sqlalchemy>=2.0'"
    )

from airflow_provider_d360.store.database import StoreError, StoreFaultError, StoreUnavailableError
from airflow_provider_d360.store.entries import Entry, State
from airflow_provider_d360.store.incoming import InboxMessage
from airflow_provider_d360.store.notices import Notice
from airflow_provider_d360.store.opt_outs import Scope, Suppression
from airflow_provider_d360.store.sent import LedgerMessage, Selection
from airflow_provider_d360.store.statuses import Status
from airflow_provider_d360.store.store import Store

__all__ = [
    "Entry",
    "InboxMessage",
    "LedgerMessage",
    "Notice",
    "Scope",
    "Selection",
    "State",
    "Status",
    "Store",
    "StoreError",
    "StoreFaultError",
    "StoreUnavailableError",
    "Suppression",
]

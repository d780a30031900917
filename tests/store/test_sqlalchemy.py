"""SQLAlchemy 1.4, which Airflow 3.1 allows: everything but the store works, and the store says what it needs."""

import subprocess
import sys

_IMPORT_ALL_BUT_THE_STORE = """
import importlib, sys
import sqlalchemy
import airflow.sdk
sqlalchemy.__version__ = "1.4.54"
for name in (
    "plugin", "hooks.d360", "operators.messages", "operators.media", "operators.templates",
    "operators.webhooks", "sensors.messages", "sensors.templates", "notifications.d360", "sending.flows",
    "tasks.tracking", "triggers.templates",
):
    importlib.import_module(f"airflow_provider_d360.{name}")
LOADED = ([name for name in sys.modules if name.startswith("airflow_provider_d360.store")])
from airflow_provider_d360.alerts.queue import _explain
from airflow_provider_d360.compat import OldSQLAlchemyError
from airflow_provider_d360.hooks.ledgers import open_ledger
print(open_ledger())  # with the default store, a task that sends goes on
try:
    import airflow_provider_d360.store.configured
except OldSQLAlchemyError as error:
    print(LOADED)
    print(_explain(error))
"""


def test_with_sqlalchemy_1_nothing_imports_the_store_and_the_store_says_what_to_install(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL_BUT_THE_STORE],
        check=True, capture_output=True, text=True, env={"AIRFLOW_HOME": str(tmp_path), "PATH": ""},
    )  # fmt: skip
    ledger, imported, error = done.stdout.splitlines()[-3:]
    assert ledger == "None"
    assert "prevents no second copy" in done.stdout + done.stderr
    assert imported == "[]"
    assert error.endswith("needs SQLAlchemy 2.0, and 1.4.54 is installed. Run: pip install 'sqlalchemy>=2.0'")

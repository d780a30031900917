"""Hundreds of processes that fail at once: one alert and one summary, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import closing

import pytest
from sqlalchemy import make_url

from airflow_provider_d360.alerts.deliverer import deliver_due
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.alert_groups import HELD
from airflow_provider_d360.store.rows import count_rows
from tests import programs
from tests.provider.test_notifier import texts
from tests.store.conftest import postgres, url

__all__ = ["postgres", "url"]


def store_environment(url):
    """Name a store in Airflow's configuration."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        return {"AIRFLOW__D360__STORE_PATH": str(address.database)}
    connection = {
        "conn_type": "postgres",
        "login": address.username,
        "host": address.host or address.query.get("host"),
        "port": address.port,
        "schema": address.database,
        "extra": {name: value for name, value in address.query.items() if name != "host"},
    }
    return {"AIRFLOW_CONN_FLOOD": json.dumps(connection), "AIRFLOW__D360__STORE_CONN_ID": "flood"}


@pytest.mark.parametrize(
    "count", [pytest.param(40, id="small"), pytest.param(500, id="whole", marks=pytest.mark.attack)]
)
def test_a_flood_is_one_alert_and_one_summary(d360_emulator, url, count):
    environment = {**os.environ, **store_environment(url)}
    flood = programs.run("-m", "tests.provider.flood", str(count), environment=environment)
    assert flood.returncode == 0, flood.stderr
    assert "without regard to others" not in flood.stdout
    if len(d360_emulator.sent) < 2:  # each who stayed had to leave before nothing more failed
        with closing(Store(url)) as store:
            deliver_due(store, time.monotonic() + 30)
    first, summary = texts(d360_emulator)
    assert first.startswith("🔴 Task failed")
    (told,) = re.findall(r"\n(\d+) more: load \[", summary)
    with closing(Store(url)) as store:  # who was late on a busy machine is told by the next summary
        late = count_rows(store._database, HELD)
    assert int(told) + late == count - 1

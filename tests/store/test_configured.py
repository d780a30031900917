"""Which database Airflow's configuration names."""

from __future__ import annotations

import json
import os
import time

import pytest

from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.configured import configured_store, purge, store_url
from tests.store.entries import entry, record


class Connection:
    """What Airflow gives, in the parts that matter."""

    conn_id = "store"

    def __init__(self, conn_type: str = "postgres", host: str | None = "db", **extra: object) -> None:
        self.conn_type, self.host, self.extra = conn_type, host, json.dumps(extra)
        self.login, self.password, self.port, self.schema = "me", "p@ss/word", 5433, "d360"


def test_without_configuration_it_is_a_file_in_airflows_home(monkeypatch):
    store = configured_store()
    store.check_writable()
    store.close()
    assert "d360.sqlite" in os.listdir(os.environ["AIRFLOW_HOME"])  # noqa: PTH208


def test_the_file_may_be_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", f"{tmp_path}/mine.db")
    store = configured_store()
    store.check_writable()
    store.close()
    assert "mine.db" in {file.name for file in tmp_path.iterdir()}


def test_a_connection_names_a_postgresql(monkeypatch, postgres):
    postgres.execute("CREATE DATABASE named")
    connection = {"conn_type": "postgres", "login": "d360", "host": str(postgres.home), "schema": "named"}
    monkeypatch.setenv("AIRFLOW_CONN_D360_STORE", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "d360_store")
    store = configured_store()
    store.add([StatusEvent("a", "sent")], 1.0)
    store.close()
    by_url = Store(postgres.url("named"))
    assert by_url.count()["statuses"] == 1
    by_url.close()


def test_a_connections_fields_become_a_url():
    url = store_url(Connection(sslmode="require", keepalives_idle=9, cursor="realdictcursor"))
    shown = url.render_as_string(hide_password=False)
    assert shown == "postgresql://me:p%40ss%2Fword@db:5433/d360?keepalives_idle=9&sslmode=require"
    assert store_url(Connection("sqlite", "/data/store.db")).render_as_string() == "sqlite:////data/store.db"


@pytest.mark.parametrize(
    ("conn_type", "host"), [("mysql", "db"), ("sqlite", ""), ("sqlite", None), ("", "db")]
)
def test_a_connection_to_something_else_is_refused_by_name(conn_type, host):
    with pytest.raises(ValueError, match="'store' cannot be the store"):
        store_url(Connection(conn_type, host))


@pytest.mark.parametrize("extra", ['{"sslpassword": "secret"', '["secret"]', '"secret"'])
def test_a_connection_whose_extra_is_no_object_is_refused_without_a_word_of_it(extra):
    connection = Connection()
    connection.extra = extra
    with pytest.raises(ValueError, match="its extra is no JSON object") as caught:
        store_url(connection)
    assert "secret" not in repr((caught.value, caught.value.__context__, caught.value.__cause__))


def test_a_purge_keeps_as_many_days_as_configured(store, monkeypatch):
    day = 86_400
    for age in (0, 5, 29, 31):
        store.add([StatusEvent(f"{age} days old", "sent")], time.time() - age * day)
    assert purge(store)["statuses"] == 1
    monkeypatch.setenv("AIRFLOW__D360__STORE_RETENTION_DAYS", "6")
    assert purge(store)["statuses"] == 1
    assert purge(store, 0)["statuses"] == 2
    with pytest.raises(ValueError, match="must not be negative"):
        purge(store, -1)
    with pytest.raises(ValueError, match="must not be negative"):
        purge(store, float("nan"))


def test_the_ledger_is_kept_longer_for_as_many_days_as_configured(store, monkeypatch):
    day = 86_400
    record(store, *(entry(f"{age} days old", time.time() - age * day) for age in (5, 31, 364, 366)))
    assert purge(store)["ledger"] == 1
    assert purge(store, 0)["ledger"] == 0
    monkeypatch.setenv("AIRFLOW__D360__LEDGER_RETENTION_DAYS", "6")
    assert purge(store)["ledger"] == 2
    monkeypatch.setenv("AIRFLOW__D360__LEDGER_RETENTION_DAYS", "-1")
    with pytest.raises(ValueError, match="must not be negative"):
        purge(store)

"""
The attack: mapped sends, kills with -9, a list in another order after each *Clear*, two schedulers.

``make attack`` runs it whole, ``make system`` a small version. The emulator counts what went out.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version
from sqlalchemy import create_engine, inspect, make_url, text

from airflow_provider_d360.emulator import CLOUD_KEY, EmulatorServer
from airflow_provider_d360.emulator.server import connection_json
from scripts.real_airflow import RealAirflow, session_of
from tests.store.conftest import postgres  # noqa: F401
from tests.store.postgres import Postgres
from tests.system.attacking import PREFIXES, Attack, KillingEmulator

pytestmark = pytest.mark.system

FEW = 7
SENDS, CLEARS = (80, 5) if os.environ.get("ATTACK") == "whole" else (FEW, 2)
LISTED = ("intended", "unknown", "withheld")
IS_OLDER = airflow_version.startswith(("3.1.", "3.2."))
AIRFLOW_STATE = pytest.mark.skipif(IS_OLDER, reason="Airflow keeps no state of tasks before 3.3")
# Of each DAG. The hook does the same on every version, so the older ones attack the operator alone with many.
SENDS_OF = {dag_id: FEW if IS_OLDER and dag_id != "attack_operator" else SENDS for dag_id in PREFIXES}


@pytest.mark.parametrize(
    ("store", "clears"),
    [("default file", CLEARS), ("PostgreSQL", CLEARS), pytest.param("none", 0, marks=AIRFLOW_STATE)],
)
def test_everybody_gets_each_message_once_or_it_is_listed(store, clears, postgres, capsys):  # noqa: F811
    with attacked_airflow(store, postgres) as (airflow, emulator, store_url):
        attacks = [Attack(dag_id, sends, airflow, emulator) for dag_id, sends in SENDS_OF.items()]
        for attack in attacks:
            attack.start()
        for attack in attacks:
            attack.end_round()
        for _ in range(clears):
            for attack in attacks:
                attack.clear()
            for attack in attacks:
                attack.end_round()
        if store_url:
            listed = Counter(listed_recipients(store_url))
        else:
            listed = Counter(to for attack in attacks for to in attack.failed())
        lines = [f"\nAirflow {airflow_version}, store: {store}, {clears} times cleared"]
        lines += [attack.figures(listed) for attack in attacks]
        with capsys.disabled():
            sys.stdout.write("\n".join(lines) + "\n")
        assert [fault for attack in attacks for fault in attack.faults(listed)] == []
        assert all(attack.kills() for attack in attacks)


@contextmanager
def attacked_airflow(
    store: str,
    postgres: Postgres,  # noqa: F811
) -> Iterator[tuple[RealAirflow, KillingEmulator, str | None]]:
    """Run an Airflow with two schedulers and a server, and return the URL of the store's database, too."""
    environment = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": new_database(postgres),
        "AIRFLOW__CORE__PARALLELISM": "4",  # of each scheduler
    }
    emulator = KillingEmulator()
    with EmulatorServer(emulator) as server:
        # A try that meets the intent of a killed one waits as long as a request may take.
        connection = connection_json(server.url, CLOUD_KEY, "cloud", timeout_seconds=3)
        environment["AIRFLOW_CONN_D360_DEFAULT"] = connection
        store_url = None
        if store == "PostgreSQL":
            store_url = new_database(postgres)
            environment["AIRFLOW_CONN_D360_STORE"] = store_connection(store_url)
            environment["AIRFLOW__D360__STORE_CONN_ID"] = "d360_store"
        with RealAirflow(Path(__file__).parent / "dags", environment) as airflow:
            file = airflow.home / "d360.sqlite"
            if store == "default file":
                store_url = f"sqlite:///{file}"
            if store == "none":
                file.mkdir()  # which no database can be opened in
            emulator.prepare(airflow.home)
            airflow.start_scheduler()
            yield airflow, emulator, store_url
        assert session_of(airflow.leader) == []


def new_database(postgres: Postgres) -> str:  # noqa: F811
    """Create a database, and return its URL with the driver that is installed."""
    return postgres.new_database().replace("postgresql:", "postgresql+psycopg2:")


def store_connection(url: str) -> str:
    place = make_url(url)
    fields = {"host": place.query["host"], "login": place.username, "schema": place.database}
    return json.dumps({"conn_type": "postgres", **fields})


def listed_recipients(store_url: str) -> list[str]:
    """Return the masked recipient of each message that a person has to look at."""
    engine = create_engine(store_url)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("d360_ledger"):
                return []
            rows = connection.execute(text("SELECT recipient, state FROM d360_ledger")).all()
    finally:
        engine.dispose()
    return [row.recipient for row in rows if row.state in LISTED]

"""One whole Airflow, and one emulator, for all system tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer
from airflow_provider_d360.emulator.server import connection_json
from scripts.real_airflow import RealAirflow, session_of

WRONG_KEY = "no-such-key-at-all"


@pytest.fixture(scope="session")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(Emulator()) as server:
        yield server


@pytest.fixture(scope="session")
def emulator(server: EmulatorServer) -> Emulator:
    return server.emulator


@pytest.fixture(scope="session")
def airflow(server: EmulatorServer) -> Iterator[RealAirflow]:
    environment = {
        "AIRFLOW_CONN_D360_DEFAULT": connection_json(server.url, CLOUD_KEY, "cloud"),
        "AIRFLOW_CONN_D360_WRONG_KEY": connection_json(server.url, WRONG_KEY, "cloud"),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    }
    with RealAirflow(Path(__file__).parent / "dags", environment) as airflow:
        yield airflow
    assert session_of(airflow.leader) == []

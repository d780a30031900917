"""
A pytest fixture that is a local 360dialog.

Switch it on with ``pytest_plugins = ["airflow_provider_d360.emulator.testing"]`` in ``conftest.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_d360.emulator.app import Emulator
from airflow_provider_d360.emulator.server import EmulatorServer, connection_json


class ServedEmulator(Emulator):
    """An emulator that listens on ``url``."""

    url = ""

    def connection(self, hosting: str = "cloud", **extra: object) -> str:
        """
        Write an Airflow connection to a number of this emulator.

        :param hosting: ``cloud``, ``on_premise`` or ``sandbox``.
        :param extra: More extras of the connection.
        """
        key = next(key for key, number in self.numbers.items() if number.hosting.name == hosting)
        return connection_json(self.url, key, hosting, **extra)


@pytest.fixture
def d360_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedEmulator]:
    """Serve an emulator for one test, with the connection ``d360_default`` pointing at its cloud number."""
    emulator = ServedEmulator()
    with EmulatorServer(emulator) as server:
        emulator.url = server.url
        monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection())
        yield emulator

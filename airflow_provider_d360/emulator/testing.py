"""
A pytest fixture with a local 360dialog.

Switch it on with ``pytest_plugins = ["airflow_provider_d360.emulator.testing"]`` in ``conftest.py``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from airflow_provider_d360.emulator.app import Emulator
from airflow_provider_d360.emulator.server import EmulatorServer, connection_json


class ServedEmulator(Emulator):
    """
    An emulator that listens on a socket.

    :ivar url: Its base URL.
    """

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
def d360_emulator(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedEmulator]:
    """
    Serve an emulator for one test. The connection ``d360_default`` is the one to its cloud number.

    Unless a variable names a store, the test has an empty one of its own: what one test has sent would not be
    sent again by the next.

    :param monkeypatch: Sets the variables ``AIRFLOW_CONN_D360_DEFAULT`` and ``AIRFLOW__D360__STORE_PATH``.
    :param tmp_path_factory: Makes the folder of the store.
    """
    if not {"AIRFLOW__D360__STORE_PATH", "AIRFLOW__D360__STORE_CONN_ID"} & os.environ.keys():
        store = tmp_path_factory.mktemp("store") / "d360.sqlite"
        monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(store))
    emulator = ServedEmulator()
    with EmulatorServer(emulator) as server:
        emulator.url = server.url
        monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection())
        yield emulator

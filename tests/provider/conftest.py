"""A served 360dialog for every provider test that asks for it, and no waiting for what another test sent."""

import pytest

from airflow_provider_d360.emulator.testing import d360_emulator
from airflow_provider_d360.sending import rates
from airflow_provider_d360.store import Store

__all__ = ["d360_emulator"]


@pytest.fixture(autouse=True)
def _own_turns(monkeypatch):
    monkeypatch.setattr(rates, "_limiters", {})


@pytest.fixture
def client(monkeypatch):
    """Restore the mark that a command puts on its process, as a server's."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Open the store that a command will find."""
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", f"{tmp_path}/store.sqlite")
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    yield store
    store.close()

"""A served 360dialog for every provider test that asks for it, and no waiting for what another test sent."""

import os
import shutil
from pathlib import Path

import pytest

from airflow_provider_d360.emulator.testing import d360_emulator as served_emulator
from airflow_provider_d360.sending import rates
from airflow_provider_d360.store import Store
from tests.store.conftest import opened_file, statements_compiled_once

__all__ = ["opened_file", "served_emulator", "statements_compiled_once"]


@pytest.fixture
def d360_emulator(served_emulator, opened_file):
    """Serve an emulator, and name a store whose tables are there already."""
    place = Path(os.environ.get("AIRFLOW__D360__STORE_PATH", opened_file))
    if place.parent.is_dir() and not place.exists():
        shutil.copy(opened_file, place)
    return served_emulator


@pytest.fixture
def store_path(tmp_path, monkeypatch, opened_file):
    """Name a store of this test's own whose tables are there already: to make them takes longer than most tests."""
    path = tmp_path / "d360.sqlite"
    shutil.copy(opened_file, path)
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(path))
    return path


@pytest.fixture(autouse=True)
def _own_turns(monkeypatch):
    monkeypatch.setattr(rates, "_limiters", {})


@pytest.fixture
def client(monkeypatch):
    """Restore the mark that a command puts on its process, as a server's."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")


@pytest.fixture
def store(store_path):
    """Open the store that a command will find."""
    store = Store(f"sqlite:///{store_path}")
    yield store
    store.close()

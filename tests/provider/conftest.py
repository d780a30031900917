"""A served 360dialog for every provider test that asks for it, and no waiting for what another test sent."""

import pytest

from airflow_provider_d360.emulator.testing import d360_emulator
from airflow_provider_d360.sending import rates

__all__ = ["d360_emulator"]


@pytest.fixture(autouse=True)
def _own_turns(monkeypatch):
    monkeypatch.setattr(rates, "_limiters", {})

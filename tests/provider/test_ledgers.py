"""Looking the ledger up: once a minute, not once a message."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_d360.api.errors import D360UnavailableError
from airflow_provider_d360.hooks import ledgers
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.store import configured


@pytest.fixture
def look_ups(monkeypatch):
    """Count the look-ups of the configured store."""
    calls, look_up = [], configured.configured_store

    def counted(**options):
        calls.append(1)
        return look_up(**options)

    monkeypatch.setattr(configured, "configured_store", counted)
    return calls


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(ledgers, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_several_sends_look_the_ledger_up_once(d360_emulator, monkeypatch, tmp_path, look_ups):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "d360.sqlite"))
    hook = D360Hook()
    for _ in range(3):
        hook.send("4915112345689", "Hello")
    assert len(d360_emulator.sent) == 3
    assert len(look_ups) == 1


def test_a_minute_later_the_configuration_is_read_again(monkeypatch, tmp_path, look_ups, clock):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "d360.sqlite"))
    first = ledgers.open_ledger()
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "moved.sqlite"))
    clock.now += 59
    assert ledgers.open_ledger() is first
    clock.now += 2
    assert ledgers.open_ledger() is not first
    assert len(look_ups) == 2


def test_a_default_file_that_cannot_be_opened_is_tried_again_soon(monkeypatch, tmp_path, look_ups, clock):
    monkeypatch.setattr(configured, "AIRFLOW_HOME", str(tmp_path / "later"))
    assert ledgers.open_ledger() is ledgers.open_ledger() is None
    assert len(look_ups) == 1
    (tmp_path / "later").mkdir()
    clock.now += 6
    assert ledgers.open_ledger() is not None


def test_a_configured_store_that_cannot_be_used_is_looked_up_each_time(monkeypatch, look_ups):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", "/nowhere/at/all.sqlite")
    for _ in range(2):
        with pytest.raises(D360UnavailableError):
            ledgers.open_ledger()
    assert len(look_ups) == 2

"""The same databases as for the store's own tests, with a receiver before them."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from airflow_provider_d360.receiver.app import create_app
from airflow_provider_d360.store import Store
from tests.receiver.doors import LOGIN, served
from tests.receiver.visitors import Visitor, airflow_with
from tests.store.conftest import opened_file, postgres, statements_compiled_once, store, url  # noqa: F401


@pytest.fixture(autouse=True)
def no_log_at_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log nothing when the process ends: by then, pytest has closed the streams."""
    at_exit = SimpleNamespace(register=lambda function: function)
    monkeypatch.setattr("airflow_provider_d360.receiver.throttled_log.atexit", at_exit)


@pytest.fixture
def port(store: Store) -> Iterator[int]:  # noqa: F811
    """Serve a receiver with a limit of 10 kB."""
    with served(create_app(store, [LOGIN], max_body_bytes=10_000)) as port:
        yield port


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from airflow.api_fastapi import app as airflow_app

    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "tests.receiver.gatekeeper.Gatekeeper")
    airflow_app.create_auth_manager()
    yield
    airflow_app.purge_cached_app()


@pytest.fixture(scope="session")
def pages() -> Iterator[tuple[int, list[Store]]]:
    """Serve the pages for all tests: to build their routes takes longer than most of them."""
    shown: list[Store] = []
    with served(airflow_with(lambda: shown[0])) as port:
        yield port, shown


@pytest.fixture
def visitor(store: Store, gate: None, pages: tuple[int, list[Store]]) -> Visitor:  # noqa: F811
    port, shown = pages
    shown[:] = [store]
    return Visitor(port)

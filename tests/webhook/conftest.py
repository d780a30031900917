"""The same databases as for the store's own tests, with a receiver before them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_d360.store import Store
from airflow_provider_d360.webhook.app import create_app
from tests.store.conftest import postgres, store, url  # noqa: F401
from tests.webhook.doors import LOGIN, served


@pytest.fixture
def port(store: Store) -> Iterator[int]:  # noqa: F811
    """Serve a receiver with a limit of 10 kB."""
    with served(create_app(store, [LOGIN], max_body_bytes=10_000)) as port:
        yield port

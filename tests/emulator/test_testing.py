"""The fixture for users, used as they do."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from airflow_provider_d360.api.wire import Request
from tests.emulator.services import TEXT, over_http

if TYPE_CHECKING:  # pytest wants to be the first to import a plugin
    from airflow_provider_d360.emulator.testing import ServedEmulator

pytest_plugins = ["airflow_provider_d360.emulator.testing"]


def test_the_default_connection_leads_to_the_emulator(d360_emulator: ServedEmulator) -> None:
    connection = json.loads(os.environ["AIRFLOW_CONN_D360_DEFAULT"])
    headers = {"D360-API-KEY": connection["password"], "Content-Type": "application/json"}
    port = int(connection["host"].rpartition(":")[2])
    over_http(port, Request("POST", "/messages", headers, json.dumps(TEXT).encode()))
    assert connection["extra"] == {"hosting": "cloud"}
    assert [sent.to for sent in d360_emulator.sent] == ["4915112345678"]


def test_nothing_is_left_of_the_test_before(d360_emulator: ServedEmulator) -> None:
    assert d360_emulator.sent == []


@pytest.mark.parametrize(
    ("hosting", "key"),
    [("cloud", "cloud-key"), ("on_premise", "on-premise-key"), ("sandbox", "1234567_sandbox")],
)
def test_every_hosting_has_a_connection(d360_emulator: ServedEmulator, hosting: str, key: str) -> None:
    connection = json.loads(d360_emulator.connection(hosting, timeout_seconds=1))
    assert connection["password"] == key
    assert connection["host"] == d360_emulator.url
    assert connection["extra"] == {"hosting": hosting, "timeout_seconds": 1}

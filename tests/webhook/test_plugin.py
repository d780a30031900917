"""The plugin, in an application like Airflow's."""

from __future__ import annotations

import gc
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from starlette.routing import Mount

from airflow_provider_d360.store import Store
from airflow_provider_d360.webhook import plugin
from airflow_provider_d360.webhook.settings import SettingsError
from tests.webhook.doors import post, served, statuses

API_SERVER = ["/bin/airflow", "api-server", "--port", "8080"]


@asynccontextmanager
async def start_mounted(app: FastAPI):
    """Start what is mounted, as Airflow does."""
    for route in app.routes:
        assert not isinstance(route, Mount) or isinstance(route.app, FastAPI)
        if isinstance(route, Mount):
            async with route.app.router.lifespan_context(route.app):  # type: ignore[attr-defined]
                yield


@pytest.fixture
def in_api_server(monkeypatch, tmp_path) -> Iterator[FastAPI]:
    monkeypatch.setattr(sys, "argv", API_SERVER)
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_ENABLED", "True")
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", f"{tmp_path}/store.sqlite")
    login = {"webhook_username": "d360", "webhook_password": "secret"}
    connection = {"conn_type": "d360", "password": "key", "extra": login}
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", json.dumps(connection))
    [mounted] = importlib.reload(plugin).D360Plugin.fastapi_apps
    app = FastAPI(lifespan=start_mounted)
    app.mount(mounted["url_prefix"], mounted["app"])
    yield app
    monkeypatch.undo()
    importlib.reload(plugin)


def test_the_receiver_is_served_under_its_prefix(in_api_server, tmp_path):
    with served(in_api_server, lifespan="on") as port:
        assert post(port, statuses(("a", "sent")), path="/d360/webhook") == 200
        assert post(port, statuses(("b", "sent")), {}, path="/d360/webhook") == 401
        assert post(port, b"", {}, "/d360/health", "GET") == 200
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    assert store.status_of("ab").keys() == {"a"}
    store.close()


def test_what_airflow_imported_is_no_longer_searched_for_garbage(in_api_server):
    gc.unfreeze()
    with served(in_api_server, lifespan="on") as port:
        assert post(port, b"", {}, "/d360/health", "GET") == 200
        assert gc.get_freeze_count() > 0
    gc.unfreeze()


@pytest.mark.parametrize("page", ["docs", "redoc", "openapi.json", "webhook/more"])
def test_nothing_else_is_served(in_api_server, page):
    with served(in_api_server, lifespan="on") as port:
        assert post(port, b"", {}, f"/d360/{page}", "GET") == 404


def test_without_credentials_airflow_lives_and_deliveries_are_to_come_again(
    in_api_server, monkeypatch, caplog
):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", '{"conn_type": "d360", "password": "key"}')
    with served(in_api_server, lifespan="on") as port:
        assert post(port, statuses(("a", "sent")), path="/d360/webhook") == 503
        assert post(port, b"", {}, "/d360/health", "GET") == 503
        assert post(port, b"", {}, "/elsewhere", "GET") == 404
    assert "No credentials are configured" in caplog.text


@pytest.mark.parametrize("broken", [SettingsError("no"), RuntimeError("no")])
def test_whatever_is_wrong_with_the_receiver_airflow_lives(in_api_server, monkeypatch, caplog, broken):
    def fail(**options):
        raise broken

    monkeypatch.setattr("airflow_provider_d360.webhook.settings.configured_routes", fail)
    with served(in_api_server, lifespan="on") as port:
        assert post(port, statuses(("a", "sent")), path="/d360/webhook") == 503
        assert post(port, b"", {}, "/elsewhere", "GET") == 404
    assert "The 360dialog webhook takes no deliveries" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "enabled"),
    [
        (API_SERVER, "False"),
        (API_SERVER, None),
        (["/bin/airflow", "scheduler"], "True"),
        (["/bin/airflow"], "True"),
        (["pytest"], "True"),
    ],
)
def test_it_is_not_served_elsewhere_or_before_it_is_switched_on(monkeypatch, arguments, enabled):
    monkeypatch.setattr(sys, "argv", arguments)
    if enabled is not None:
        monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_ENABLED", enabled)
    assert importlib.reload(plugin).D360Plugin.fastapi_apps == []


def test_every_process_of_airflow_can_import_it_for_nothing():
    code = (
        "import sys, airflow.sdk; before = set(sys.modules); import airflow_provider_d360.webhook.plugin;"
        "print(*sorted(name for name in set(sys.modules) - before if 'd360' in name or 'api' in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    package = "airflow_provider_d360"
    assert set(done.stdout.splitlines()[-1].split()) <= {
        package,
        f"{package}.webhook",
        f"{package}.webhook.plugin",
    }

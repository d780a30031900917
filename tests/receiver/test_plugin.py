"""The plugin, in an application like Airflow's."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import ModuleType

import pytest
from fastapi import FastAPI
from starlette.routing import Mount

from airflow_provider_d360 import plugin
from airflow_provider_d360.receiver import mounting
from airflow_provider_d360.receiver.settings import SettingsError
from airflow_provider_d360.store import Store
from tests.receiver.doors import post, served, statuses
from tests.receiver.visitors import Visitor

API_SERVER = ["/bin/airflow", "api-server", "--port", "8080"]


@asynccontextmanager
async def start_mounted(app: FastAPI):
    """Start what is mounted, as Airflow does."""
    for route in app.routes:
        assert not isinstance(route, Mount) or isinstance(route.app, FastAPI)
        if isinstance(route, Mount):
            async with route.app.router.lifespan_context(route.app):  # type: ignore[attr-defined]
                yield


@pytest.fixture(autouse=True)
def load_again(monkeypatch) -> Iterator[None]:
    """Leave the plugin as it is in this process."""
    yield
    monkeypatch.undo()
    importlib.reload(plugin)


@pytest.fixture
def in_api_server(monkeypatch, tmp_path) -> FastAPI:
    monkeypatch.setattr(sys, "argv", API_SERVER)
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_ENABLED", "True")
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", f"{tmp_path}/store.sqlite")
    login = {"webhook_username": "d360", "webhook_password": "secret"}
    connection = {"conn_type": "d360", "password": "key", "extra": login}
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", json.dumps(connection))
    [mounted] = importlib.reload(plugin).D360Plugin.fastapi_apps
    app = FastAPI(lifespan=start_mounted)
    app.mount(mounted["url_prefix"], mounted["app"])
    return app


def test_the_receiver_is_served_under_its_prefix(in_api_server, tmp_path):
    with served(in_api_server, lifespan="on") as port:
        assert post(port, statuses(("a", "sent")), path="/d360/webhook") == 200
        assert post(port, statuses(("b", "sent")), {}, path="/d360/webhook") == 401
        assert post(port, b"", {}, "/d360/health", "GET") == 200
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    assert store.statuses.current("ab").keys() == {"a"}
    store.close()


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


def test_a_connection_that_is_added_later_is_found_without_a_restart(in_api_server, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(mounting, "RETRY_SECONDS", 0.5)
    connection = os.environ["AIRFLOW_CONN_D360_DEFAULT"]
    monkeypatch.delenv("AIRFLOW_CONN_D360_DEFAULT")
    with served(in_api_server, lifespan="on") as port:
        for _ in range(5):
            assert post(port, statuses(("a", "sent")), path="/d360/webhook") == 503
        monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", connection)
        time.sleep(0.6)
        assert post(port, statuses(("a", "sent")), path="/d360/webhook") == 200
        assert post(port, statuses(("a", "sent")), {}, path="/d360/webhook") == 401
        assert post(port, b"", {}, "/d360/messages", "GET") == 401
        assert post(port, b"", {}, "/d360/nothing", "GET") == 404
    assert caplog.text.count("accepts no deliveries (503) yet") == 1
    assert caplog.text.count("accepts deliveries at /d360/webhook") == 1


def test_requests_while_something_is_missing_try_seldom_and_once_at_a_time(in_api_server, monkeypatch):
    tries, at_once, lock = [], [], threading.Lock()

    def fail(**options):
        at_once.append(lock.acquire(blocking=False))
        tries.append(1)
        time.sleep(0.1)
        lock.release()
        raise SettingsError("no")

    monkeypatch.setattr("airflow_provider_d360.receiver.settings.configured_routes", fail)
    with served(in_api_server, lifespan="on") as port, ThreadPoolExecutor(20) as callers:
        monkeypatch.setattr(mounting, "RETRY_SECONDS", 600.0)
        assert {post(port, b"", path="/d360/webhook") for _ in range(5)} == {503}
        assert len(tries) == 1
        monkeypatch.setattr(mounting, "RETRY_SECONDS", 0.0)
        responses = [callers.submit(post, port, b"", path="/d360/webhook") for _ in range(20)]
        assert {response.result() for response in responses} == {503}
    assert len(tries) > 1
    assert all(at_once)


@pytest.mark.parametrize("broken", [SettingsError("no"), RuntimeError("no")])
def test_whatever_is_wrong_with_the_receiver_airflow_lives(in_api_server, monkeypatch, caplog, broken):
    def fail(**options):
        raise broken

    monkeypatch.setattr("airflow_provider_d360.receiver.settings.configured_routes", fail)
    with served(in_api_server, lifespan="on") as port:
        assert post(port, statuses(("a", "sent")), path="/d360/webhook") == 503
        assert post(port, b"", {}, "/elsewhere", "GET") == 404
    assert "The 360dialog webhook accepts no deliveries" in caplog.text


@pytest.mark.parametrize(
    "arguments",
    [
        ["uvicorn", "airflow.api_fastapi.main:app"],
        ["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "airflow.api_fastapi.main:app"],
        ["fastapi", "run", "main.py"],
    ],
)
def test_it_is_served_by_any_server_of_airflows_application(monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setitem(sys.modules, "airflow.api_fastapi.main", ModuleType("main"))
    assert [app["url_prefix"] for app in importlib.reload(plugin).D360Plugin.fastapi_apps] == ["/d360"]


@pytest.mark.parametrize(
    "arguments", [["/bin/airflow", "scheduler"], ["/bin/airflow"], ["/bin/airflow", "worker"], ["pytest"]]
)
def test_it_is_not_served_by_other_processes(monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_ENABLED", "True")
    assert importlib.reload(plugin).D360Plugin.fastapi_apps == []


@pytest.mark.parametrize("enabled", ["False", None])
def test_without_the_receiver_there_are_still_the_pages(in_api_server, monkeypatch, caplog, enabled):
    caplog.set_level("INFO")
    monkeypatch.delenv("AIRFLOW__D360__WEBHOOK_ENABLED")
    if enabled is not None:
        monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_ENABLED", enabled)
    with served(in_api_server, lifespan="on") as port:
        assert post(port, b"", {}, "/d360/messages", "GET") == 401
        assert post(port, statuses(("a", "sent")), path="/d360/webhook") == 404
        assert post(port, b"", {}, "/d360/health", "GET") == 404
    assert "not mounted: [d360] webhook_enabled is False" in caplog.text


@pytest.mark.parametrize(
    "setting", [{}, {"STORE_PATH": "/nowhere/store.sqlite"}, {"STORE_CONN_ID": "nowhere"}]
)
def test_the_pages_are_served_with_the_default_store_and_while_the_store_is_away(
    in_api_server, gate, monkeypatch, setting
):
    monkeypatch.delenv("AIRFLOW__D360__WEBHOOK_ENABLED")
    monkeypatch.delenv("AIRFLOW__D360__STORE_PATH")
    for name, value in setting.items():
        monkeypatch.setenv(f"AIRFLOW__D360__{name}", value)
    with served(in_api_server, lifespan="on") as port:
        assert post(port, b"", {}, "/elsewhere", "GET") == 404
        assert Visitor(port).get().status == (503 if setting else 200)


def test_the_store_is_looked_up_for_a_page_and_not_at_the_start(in_api_server, gate, monkeypatch):
    looked_up = []

    def open_store():
        looked_up.append(1)
        raise SettingsError("no")

    monkeypatch.delenv("AIRFLOW__D360__WEBHOOK_ENABLED")
    monkeypatch.setattr("airflow_provider_d360.receiver.settings.open_store", open_store)
    with served(in_api_server, lifespan="on") as port:
        assert post(port, b"", {}, "/d360/messages", "GET") == 401
        assert looked_up == []
        assert Visitor(port).get().status == 503
        assert looked_up == [1]


def test_what_is_missing_for_the_receiver_keeps_no_page_away(in_api_server, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_D360_DEFAULT")
    with served(in_api_server, lifespan="on") as port:
        assert post(port, b"", {}, "/d360/health", "GET") == 503
        assert post(port, b"", {}, "/d360/messages", "GET") == 401


def test_what_is_wrong_with_the_pages_keeps_neither_airflow_nor_deliveries_away(
    in_api_server, monkeypatch, caplog
):
    monkeypatch.setitem(sys.modules, "airflow_provider_d360.pages.routes", None)  # an import error
    with served(in_api_server, lifespan="on") as port:
        assert post(port, statuses(("a", "sent")), path="/d360/webhook") == 200
        assert post(port, b"", {}, "/d360/messages", "GET") == 404
    assert "The pages about WhatsApp are not served: ModuleNotFoundError" in caplog.text


def test_with_sqlalchemy_1_nothing_is_served_and_the_log_says_why(monkeypatch, caplog):
    monkeypatch.setattr(sys, "argv", API_SERVER)
    monkeypatch.setattr("sqlalchemy.__version__", "1.4.54")
    mounted = importlib.reload(plugin).D360Plugin
    assert (mounted.fastapi_apps, mounted.external_views) == ([], [])
    assert "they need SQLAlchemy 2.0" in caplog.text


def test_every_process_of_airflow_can_import_it_for_nothing():
    code = (
        "import sys, airflow.sdk; before = set(sys.modules); import airflow_provider_d360.plugin;"
        "new = set(sys.modules) - before; heavy = ('d360', 'fastapi', 'starlette');"
        "print(*sorted(name for name in new if any(part in name for part in heavy)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    package = "airflow_provider_d360"
    assert set(done.stdout.splitlines()[-1].split()) <= {
        package,
        f"{package}.urls",
        f"{package}.plugin",
    }

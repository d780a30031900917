"""Whose deliveries are taken, as the configuration and the connections say."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from starlette.applications import Starlette

from airflow_provider_d360.receiver import credentials
from airflow_provider_d360.receiver.admission import Admission
from airflow_provider_d360.receiver.credentials import Credentials
from airflow_provider_d360.receiver.settings import SettingsError, configured_app, configured_routes
from airflow_provider_d360.store import Store
from tests.receiver.doors import LOGIN, post, served, statuses, wait_until


def name_connection(monkeypatch: pytest.MonkeyPatch, conn_id: str, **extra: object) -> None:
    connection = {"conn_type": "d360", "password": "key", "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))


@pytest.fixture
def sqlite_store(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", f"{tmp_path}/store.sqlite")
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    yield store
    store.close()


def test_the_connections_webhook_user_may_deliver(monkeypatch, sqlite_store):
    name_connection(monkeypatch, "d360_default", webhook_username="d360", webhook_password="secret")
    with served(configured_app()) as port:
        assert post(port, statuses(("a", "sent"))) == 200
        assert post(port, statuses(("b", "sent")), {}) == 401
    assert sqlite_store.statuses.current("ab").keys() == {"a"}


def test_several_connections_and_other_headers_may_deliver(monkeypatch, sqlite_store):
    name_connection(monkeypatch, "new", webhook_username="d360", webhook_password="new")
    name_connection(monkeypatch, "old", webhook_username="d360", webhook_password="secret")
    name_connection(monkeypatch, "none")
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_CONN_IDS", "new, old,none,")
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_HEADERS", '[{"X-Token": "t1"}, {"X-Token": "t2"}]')
    with served(Starlette(routes=configured_routes(store=sqlite_store))) as port:
        for headers in (LOGIN, {"Authorization": "Basic ZDM2MDpuZXc="}, {"X-Token": "t1"}, {"X-Token": "t2"}):
            assert post(port, statuses(("a", "sent")), headers) == 200
        assert post(port, statuses(("a", "sent")), {"X-Token": "t3"}) == 401


def test_the_limit_and_the_platform_secret_are_configured(monkeypatch, sqlite_store):
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_CONN_IDS", "")
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_HEADERS", '{"X-Token": "t"}')
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_MAX_BODY_BYTES", "300")
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_PLATFORM_SECRET", "platform")
    with served(configured_app()) as port:
        assert post(port, b" " * 301, {"X-Token": "t"}) == 413
        assert post(port, b"{}", {"X-Token": "t"}) == 401


@pytest.mark.parametrize(
    ("extra", "headers", "problem"),
    [
        ({}, "", "No credentials are configured"),
        ({"webhook_username": "d360"}, "", "webhook_password is empty"),
        ({"webhook_password": "x"}, "", "webhook_username is empty"),
        ({"nonsense": 1}, "", "'nonsense' is unknown"),
        ({}, "{", "webhook_headers must be a JSON object"),
        ({}, "[1]", "webhook_headers must be a JSON object"),
        ({}, '{"X-Token": 7}', "webhook_headers must be a JSON object"),
        ({}, '{"X-Token": ""}', "No credentials are configured"),
        ({}, "{}", "No credentials are configured"),
    ],
)
def test_without_usable_credentials_it_does_not_start(monkeypatch, sqlite_store, extra, headers, problem):
    name_connection(monkeypatch, "d360_default", **extra)
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_HEADERS", headers)
    with pytest.raises(SettingsError, match=problem):
        configured_routes()


def test_a_connection_that_is_not_there_is_named(monkeypatch, sqlite_store):
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_CONN_IDS", "nowhere")
    with pytest.raises(SettingsError, match="nowhere"):
        configured_routes()


def test_an_option_that_is_no_number_is_named(monkeypatch, sqlite_store):
    name_connection(monkeypatch, "d360_default", webhook_username="d360", webhook_password="secret")
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_MAX_BODY_BYTES", "3MB")
    with pytest.raises(SettingsError, match="webhook_max_body_bytes"):
        configured_routes()


def test_a_connection_whose_deliveries_are_not_taken_is_named(monkeypatch, sqlite_store, caplog):
    name_connection(monkeypatch, "berlin", webhook_username="d360", webhook_password="secret")
    name_connection(monkeypatch, "madrid")
    configured_routes(["berlin", "madrid"])
    assert "'madrid' has no webhook_username" in caplog.text


@pytest.fixture
def quick_look_ups(monkeypatch):
    monkeypatch.setattr(credentials, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(credentials, "REFRESH_SECONDS", 0.0)


def test_a_changed_password_is_accepted_without_a_restart(monkeypatch, sqlite_store, quick_look_ups):
    name_connection(monkeypatch, "d360_default", webhook_username="d360", webhook_password="secret")
    new = {"Authorization": "Basic ZDM2MDpuZXc="}
    with served(configured_app()) as port:
        assert post(port, statuses(("a", "sent"))) == 200
        assert post(port, statuses(("a", "sent")), new) == 401
        name_connection(monkeypatch, "d360_default", webhook_username="d360", webhook_password="new")
        assert post(port, statuses(("a", "sent")), new) == 200
        assert post(port, statuses(("a", "sent"))) == 401


def test_old_credentials_end_even_if_nobody_uses_the_new_ones(monkeypatch, sqlite_store, quick_look_ups):
    name_connection(monkeypatch, "d360_default", webhook_username="d360", webhook_password="secret")
    with served(configured_app()) as port:
        assert post(port, statuses(("a", "sent"))) == 200
        name_connection(monkeypatch, "d360_default")
        wait_until(lambda: post(port, statuses(("a", "sent"))) == 401)


def test_a_connection_that_is_added_later_is_found(monkeypatch, sqlite_store, quick_look_ups, caplog):
    name_connection(monkeypatch, "berlin", webhook_username="d360", webhook_password="secret")
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_CONN_IDS", "berlin,madrid")
    new = {"Authorization": "Basic ZDM2MDpuZXc="}
    with served(configured_app()) as port:
        assert post(port, statuses(("a", "sent")), new) == 401
        assert "madrid" in caplog.text
        name_connection(monkeypatch, "madrid", webhook_username="d360", webhook_password="new")
        assert post(port, statuses(("a", "sent")), new) == 200
        assert post(port, statuses(("a", "sent"))) == 200


def test_a_look_up_that_fails_changes_nothing(monkeypatch, sqlite_store, quick_look_ups, caplog):
    name_connection(monkeypatch, "d360_default", webhook_username="d360", webhook_password="secret")
    with served(configured_app()) as port:
        for broken in (None, "{", '{"conn_type": "d360", "extra": {"webhook_username": "x"}}'):
            if broken is None:
                monkeypatch.delenv("AIRFLOW_CONN_D360_DEFAULT")
            else:
                monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", broken)
            for _ in range(3):
                assert post(port, statuses(("a", "sent")), {}) == 401
                assert post(port, statuses(("a", "sent"))) == 200
    assert "found before" in caplog.text


async def test_however_many_guess_the_connections_are_looked_up_seldom_and_once_at_a_time():
    look_ups, hang = [], threading.Event()

    def look_up() -> Admission:
        look_ups.append(1)
        assert len(look_ups) == 1 or hang.wait(60)
        return Admission([LOGIN])

    known = Credentials(look_up)
    assert not await known.admit({})
    assert len(look_ups) == 1, "the first look-up is not five seconds old"
    known._looked_up_at -= 6
    guesses = [asyncio.create_task(known.admit({})) for _ in range(200)]
    await asyncio.sleep(0.05)
    assert sum(guess.done() for guess in guesses) == 200 - 64, "no more wait for the look-up"
    right = {b"authorization": LOGIN["Authorization"].encode()}
    assert await asyncio.wait_for(known.admit(right), 60)
    hang.set()
    assert not any(await asyncio.gather(*guesses))
    assert not await known.admit({})
    assert len(look_ups) == 2


def test_a_store_that_cannot_be_one_is_reported(monkeypatch, sqlite_store):
    name_connection(monkeypatch, "d360_default", webhook_username="d360", webhook_password="secret")
    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "d360_default")
    with pytest.raises(SettingsError, match="'d360_default' cannot be the store"):
        configured_routes()

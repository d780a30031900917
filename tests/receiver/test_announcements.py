"""What WhatsApp reports as wrong reaches people by another way, once."""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any

import pytest

from airflow_provider_d360.alerts.announcements import configured_notify, describe_notices
from airflow_provider_d360.api.notices import Level, NoticeEvent
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, Webhook
from airflow_provider_d360.receiver.announcements import background_announcer
from airflow_provider_d360.receiver.app import create_app
from airflow_provider_d360.receiver.settings import SettingsError, configured_app
from airflow_provider_d360.store import Store
from tests.receiver.doors import LOGIN, post, served, wait_until

TEMPLATE: dict[str, Any] = {
    "name": "airflow_alert",
    "language": "en",
    "category": "UTILITY",
    "components": [{"type": "BODY", "text": "Hello"}],
}
CONNECTION = json.dumps(
    {
        "conn_type": "d360",
        "password": "key",
        "extra": {"webhook_username": "d360", "webhook_password": "secret"},
    }
)
PAGER = "tests.receiver.pager.Pager"


def event(
    state: str = "PAUSED", at: float = 10.0, level: Level = Level.FAILED, name: str = "t"
) -> NoticeEvent:
    return NoticeEvent("template", name, "status", state, level, at=at)


def connected(port: int) -> Emulator:
    emulator = Emulator()
    emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{port}/webhook", LOGIN)
    emulator.templates.add(TEMPLATE, status="approved")
    return emulator


def test_a_paused_template_is_announced_once_and_its_end_is_not(store: Store) -> None:
    texts: list[str] = []
    with served(create_app(store, [LOGIN], notify=texts.append)) as port:
        emulator = connected(port)
        emulator.set_template_status("airflow_alert", "paused")
        wait_until(lambda: texts)
        delivery = emulator.wait_for_deliveries()[0]
        assert post(port, delivery.body) == 200
        assert post(port, delivery.body) == 200
        wait_until(lambda: not store.notices.claim(time.time() + 1000))
    assert len(texts) == 1
    assert texts[0].startswith("WhatsApp reports: Template airflow_alert (en): status PAUSED. Messages with")


def test_the_delivery_is_answered_while_the_other_service_hangs(store: Store) -> None:
    hangs, started = threading.Event(), threading.Event()

    def notify(text: str) -> None:
        started.set()
        hangs.wait(60)

    with served(create_app(store, [LOGIN], notify=notify)) as port:
        emulator = connected(port)
        emulator.set_template_status("airflow_alert", "paused")
        assert started.wait(60)
        assert [delivery.state for delivery in emulator.wait_for_deliveries()] == ["delivered"]
        hangs.set()


def test_what_another_process_stored_is_announced_at_the_start(store: Store) -> None:
    store.add([event()], 40.0)
    texts: list[str] = []
    create_app(store, [LOGIN], notify=texts.append)
    wait_until(lambda: texts)


def test_what_fails_is_tried_again_and_logged_without_its_text(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in ("airflow_provider_d360.receiver.announcements", "airflow_provider_d360.store.notices"):
        monkeypatch.setattr(f"{module}.LEASE_SECONDS", -1.0)
    texts: list[str] = []

    def notify(text: str) -> None:
        texts.append(text)
        if len(texts) == 1:
            raise OSError("https://hooks.example.com/token")

    store.add([event()], 40.0)
    background_announcer(store, notify).wake()
    wait_until(lambda: len(texts) == 2)
    wait_until(lambda: not store.notices.claim(time.time() + 1000))
    assert "could not be announced: OSError" in caplog.text
    assert "token" not in caplog.text


def test_what_comes_while_one_is_announced_is_announced_next(store: Store) -> None:
    hangs, texts = threading.Event(), list[str]()

    def notify(text: str) -> None:
        texts.append(text)
        hangs.wait(60)

    announcer = background_announcer(store, notify)
    store.add([event(name="first")], 40.0)
    announcer.wake()
    wait_until(lambda: texts)
    store.add([event(name="second")], 41.0)
    announcer.wake()
    hangs.set()
    wait_until(lambda: len(texts) == 2)
    assert "second" in texts[1]
    assert "first" not in texts[1]


def test_many_at_once_are_one_announcement_of_ten_lines_and_the_rest(store: Store) -> None:
    store.add([event(name=f"t{number}") for number in range(25)], 40.0)
    lines = describe_notices(store.notices.claim(100.0)).splitlines()
    assert len(lines) == 11
    assert lines[-1].startswith("And 15 more")


@pytest.fixture
def pager(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Configure a notifier that writes to a file."""
    file = tmp_path / "pages.txt"
    kwargs = {"path": str(file), "text": "On call: {{ notice }}"}
    monkeypatch.setenv("AIRFLOW__D360__NOTICE_NOTIFIER", PAGER)
    monkeypatch.setenv("AIRFLOW__D360__NOTICE_NOTIFIER_KWARGS", json.dumps(kwargs))
    return file


def test_any_notifier_of_airflow_gets_the_text_where_its_arguments_say(
    pager: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", CONNECTION)
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "store.sqlite"))
    with served(configured_app()) as port:
        connected(port).set_template_status("airflow_alert", "rejected", "INVALID_FORMAT")
        wait_until(pager.exists)
        wait_until(pager.read_text)
    (line,) = pager.read_text().splitlines()
    assert line.startswith(
        "On call: WhatsApp reports: Template airflow_alert (en): status REJECTED (INVALID_FORMAT)."
    )


def test_what_whatsapp_writes_is_text_and_no_template(pager: Any) -> None:
    notify = configured_notify()
    assert notify is not None
    notify("{{ 1 + 1 }}")
    assert pager.read_text() == "On call: {{ 1 + 1 }}\n"


def test_an_error_of_the_notifier_is_raised_and_not_logged_with_its_text(
    pager: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pager.mkdir()
    notify = configured_notify()
    assert notify is not None
    with caplog.at_level(logging.DEBUG), pytest.raises(IsADirectoryError):
        notify("x")
    assert str(pager) not in caplog.text


def test_without_a_notifier_nobody_is_told() -> None:
    assert configured_notify() is None


@pytest.mark.parametrize(("path", "kwargs"), [("Pager", "{}"), (PAGER, "[]"), (PAGER, "text=x")])
def test_a_wrong_option_is_an_error_when_the_receiver_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, path: str, kwargs: str
) -> None:
    monkeypatch.setenv("AIRFLOW__D360__NOTICE_NOTIFIER", path)
    monkeypatch.setenv("AIRFLOW__D360__NOTICE_NOTIFIER_KWARGS", kwargs)
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", CONNECTION)
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "store.sqlite"))
    with pytest.raises(SettingsError, match="notice_notifier_kwargs a JSON object"):
        configured_app()

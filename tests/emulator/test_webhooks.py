"""Configuring where events go."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, ON_PREMISE_KEY, SANDBOX_KEY, Emulator
from tests.emulator.services import Service, eventually

CONFIG = {"url": "https://hooks.example.com/d360", "headers": {"Authorization": "Basic dTpw", "X-Any": "1"}}
UNSET: dict[str, Any] = {"url": None, "headers": {}}


def set_webhook(service: Service, body: object, key: str = CLOUD_KEY) -> tuple[int, Any]:
    return service.json("POST", "/v1/configs/webhook", body, key=key)


def get_webhook(service: Service, key: str = CLOUD_KEY) -> Any:
    status, body = service.json("GET", "/v1/configs/webhook", key=key)
    assert status == 200
    return body


def set_waba(service: Service, **change: object) -> tuple[int, Any]:
    return service.json("POST", "/waba_webhook", {**CONFIG, **change})


def get_waba(service: Service) -> Any:
    status, body = service.json("GET", "/waba_webhook")
    assert status == 200
    return body


@pytest.mark.parametrize("key", [CLOUD_KEY, ON_PREMISE_KEY, SANDBOX_KEY])
def test_a_webhook_is_read_back_with_its_credentials(service: Service, key: str) -> None:
    assert get_webhook(service, key) == UNSET
    assert set_webhook(service, CONFIG, key) == (200, CONFIG)
    assert get_webhook(service, key) == CONFIG


def test_a_webhook_belongs_to_one_number(service: Service) -> None:
    set_webhook(service, CONFIG)
    assert get_webhook(service, ON_PREMISE_KEY) == UNSET


def test_a_webhook_replaces_the_one_before_headers_included(service: Service) -> None:
    set_webhook(service, CONFIG)
    set_webhook(service, {"url": "https://other.example.com"})
    assert get_webhook(service) == {"url": "https://other.example.com", "headers": {}}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://my_subdomain.example.com",
        "https://example_domain.com/a",
        "https://example.com:3000",
        "https://example.com:443/a",
        "https://example.com:99999",
        "https://",
        "https://[::1",
        "https://exam ple.com/a",
        "example.com",
        "",
    ],
)
def test_cloud_refuses_a_url_as_a_gateway_does(service: Service, url: str) -> None:
    set_webhook(service, CONFIG)
    status, body = set_webhook(service, {"url": url})
    assert status == 400
    assert body["meta"]["httpCode"] == 400
    assert body["meta"]["success"] is False
    assert get_webhook(service) == CONFIG


@pytest.mark.parametrize("url", ["https://example.com/a_path", "https://a-b.example.com/x?y_z=1"])
def test_underscores_are_welcome_after_the_domain(service: Service, url: str) -> None:
    assert set_webhook(service, {"url": url})[0] == 200


def test_on_premise_allows_underscores_and_ports_but_not_http(service: Service) -> None:
    assert set_webhook(service, {"url": "https://my_host.example.com:3000/a"}, ON_PREMISE_KEY)[0] == 200
    assert set_webhook(service, {"url": "http://example.com"}, ON_PREMISE_KEY)[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": 1},
        {**CONFIG, "headers": ["X"]},
        {**CONFIG, "headers": {"X": 1}},
        {**CONFIG, "headers": {"X Y": "1"}},
        {**CONFIG, "headers": {"X": "a\r\nY: b"}},
        b"{",
        [],
    ],
    ids=[
        "no url",
        "url is a number",
        "headers are a list",
        "a header is a number",
        "a name with a space",
        "a value with a line break",
        "no JSON",
        "no object",
    ],
)
def test_a_wrong_configuration_is_refused(service: Service, body: object) -> None:
    assert set_webhook(service, body)[0] == 400
    assert get_webhook(service) == UNSET


def test_the_account_webhook_shows_only_after_some_reads(service: Service) -> None:
    service.emulator.waba_webhook_unseen_reads = 2
    status, body = set_waba(service)
    assert status == 200
    assert "15-20 seconds" in body["message"]
    assert [get_waba(service)["url"] for _ in range(3)] == [None, None, CONFIG["url"]]
    shown = get_waba(service)
    assert shown["headers"] == CONFIG["headers"]
    assert shown["phone_numbers"] == [service.emulator.numbers[CLOUD_KEY].digits]


def test_the_account_webhook_comes_into_force_after_some_time(service: Service) -> None:
    service.emulator.waba_webhook_unseen_reads = 0
    service.emulator.waba_webhook_delay_seconds = 0.05
    started = time.monotonic()
    set_waba(service)
    eventually(lambda: get_waba(service)["url"] is not None)
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("override", [True, False])
def test_only_overriding_takes_the_webhooks_of_the_cloud_numbers(service: Service, override: bool) -> None:
    own = {"url": "https://own.example.com", "headers": {}}
    set_webhook(service, own)
    set_webhook(service, own, ON_PREMISE_KEY)
    set_waba(service, override_all=override)
    get_waba(service)
    assert get_webhook(service) == (UNSET if override else own)
    assert get_webhook(service, ON_PREMISE_KEY) == own


@pytest.mark.parametrize("change", [{"override_all": "yes"}, {"url": "https://a_b.example.com"}])
def test_a_wrong_account_webhook_is_refused(service: Service, change: dict[str, object]) -> None:
    service.emulator.waba_webhook_unseen_reads = 0
    assert set_waba(service, **change)[0] == 400
    assert get_waba(service)["url"] is None


def test_a_fresh_emulator_has_no_webhook() -> None:
    emulator = Emulator()
    assert all(number.webhook is None for number in emulator.numbers.values())
    assert emulator.waba.webhook is None

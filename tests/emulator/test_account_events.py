"""What the webhook is told about templates, numbers and the account."""

from __future__ import annotations

import time

import pytest

from airflow_provider_d360.api.wire import json_request
from airflow_provider_d360.emulator import CLOUD_KEY, ON_PREMISE_KEY, Emulator, Webhook
from airflow_provider_d360.emulator.account_events import FIELDS
from airflow_provider_d360.emulator.control import control
from tests.emulator.services import Receiver, Service

TEMPLATE = {
    "name": "airflow_alert",
    "language": "en",
    "category": "UTILITY",
    "components": [{"type": "BODY", "text": "Hello"}],
}
MESSAGE = {
    "messaging_product": "whatsapp",
    "to": "4915112345678",
    "type": "template",
    "template": {"name": "airflow_alert", "language": {"code": "en"}},
}


@pytest.fixture
def connected(service: Service, receiver: Receiver) -> Service:
    service.emulator.numbers[CLOUD_KEY].webhook = Webhook(f"{receiver.url}/hook")
    service.emulator.templates.add(TEMPLATE, status="approved")
    return service


def test_a_paused_template_is_refused_and_reported(connected: Service, receiver: Receiver) -> None:
    connected.emulator.set_template_status("airflow_alert", "paused")
    connected.emulator.wait_for_deliveries()
    (entry,) = receiver.bodies[0]["entry"]
    assert abs(entry["time"] - time.time()) < 60
    (change,) = entry["changes"]
    value = change["value"]
    assert change["field"] == "message_template_status_update"
    assert (value["event"], value["reason"]) == ("PAUSED", "NONE")
    assert (value["message_template_name"], value["message_template_language"]) == ("airflow_alert", "en")
    status, body = connected.send(MESSAGE)
    assert (status, body["error"]["code"]) == (400, 132015)


def test_any_field_about_the_account_is_reported(connected: Service, receiver: Receiver) -> None:
    for field, names in FIELDS.items():
        connected.emulator.report(field, dict.fromkeys(names, "x"))
    connected.emulator.wait_for_deliveries()
    assert [body["entry"][0]["changes"][0]["field"] for body in receiver.bodies] == list(FIELDS)


def test_over_http_as_well(connected: Service, receiver: Receiver) -> None:
    def ask(name: str, body: object) -> int:
        return control(connected.emulator, json_request("POST", f"/_emulator/{name}", body)).status

    told = {"field": "account_update", "value": {"event": "ACCOUNT_DELETED"}}
    assert ask("notices", told) == 200
    paused = {"name": "airflow_alert", "status": "paused"}
    assert ask("template_status", paused) == 200
    connected.emulator.wait_for_deliveries()
    assert len(receiver.bodies) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [("account_updates", {"event": "x"}), ("account_update", {}), ("message_template_status_update", {"event": "PAUSED"})],
)  # fmt: skip
def test_what_the_service_never_sends_is_refused(field: str, value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"There is no field|has .* as well"):
        Emulator().report(field, value)


def test_nobody_is_told_without_a_webhook_or_on_premise() -> None:
    emulator = Emulator()
    emulator.numbers[ON_PREMISE_KEY].webhook = Webhook("http://127.0.0.1:9/hook")
    for key in (None, ON_PREMISE_KEY):
        with pytest.raises(LookupError, match="no webhook"):
            emulator.report("account_update", {"event": "ACCOUNT_DELETED"}, key=key)
    with pytest.raises(LookupError, match="no template"):
        emulator.set_template_status("airflow_alert", "paused")

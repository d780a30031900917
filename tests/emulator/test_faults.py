"""What goes wrong, and what of it took effect."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import pytest

from airflow_provider_d360.api.wire import Request
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer, faults
from airflow_provider_d360.emulator.faults import Fault, ResponseLostError
from tests.emulator.services import TEXT, Service


def meta(status: int, message: str) -> dict[str, Any]:
    return {"meta": {"httpCode": status, "developerMessage": message, "success": False}}


ANSWERED: dict[str, tuple[Fault, int, object]] = {
    "429": (faults.too_many_requests(), 429, meta(429, "Too Many Requests")),
    "400": (faults.rate_limit_400(), 400, meta(400, "You have exceeded the endpoint rate limit.")),
    "400, old": (
        faults.rate_limit_400(old_wording=True),
        400,
        meta(400, "You have exceeded the limit of 1 request every 5 seconds. Try again later."),
    ),
    "500": (faults.server_error(), 500, meta(500, "Internal server error")),
    "502": (faults.server_error(502), 502, meta(502, "WhatsApp for Business API not available")),
    "503": (faults.server_error(503), 503, meta(503, "Service unavailable")),
    "503, plain": (faults.server_error(503, plain=True), 503, "Service unavailable"),
    "any JSON": (faults.any_response(401, {"error": "Unauthorized"}), 401, {"error": "Unauthorized"}),
    "any text": (faults.any_response(403, "bad json"), 403, "bad json"),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_an_error_is_answered_in_place_of_sending(service: Service, case: str) -> None:
    fault, status, body = ANSWERED[case]
    service.emulator.fail_next(fault)
    response = service.ask("POST", "/messages", TEXT)
    assert response.status == status
    text = response.body.decode()
    assert (text if isinstance(body, str) else json.loads(text)) == body
    assert service.emulator.sent == []
    assert service.send()[0] == 200


def test_an_error_of_whatsapp_comes_in_each_of_its_envelopes_with_its_status(service: Service) -> None:
    for envelope in ("plain", "gateway", "marketing"):
        service.emulator.fail_next(faults.whatsapp_error(190, details="Why", envelope=envelope))
    responses = [service.send() for _ in range(3)]
    assert [status for status, _ in responses] == [401] * 3
    plain, gateway, marketing = (body for _, body in responses)
    assert (plain["error"]["code"], plain["error"]["error_data"]["details"]) == (190, "Why")
    assert marketing["detail"]["error"]["code"] == 190
    assert (gateway["meta"]["http_code"], gateway["meta"]["success"]) == (401, False)
    message = gateway["meta"]["developer_message"]
    wrapped, _ = json.JSONDecoder().raw_decode(message[message.index("{") :])
    assert wrapped["error"]["code"] == 190
    assert service.emulator.sent == []


def test_a_template_that_is_not_there_and_a_full_account_are_known_by_name(service: Service) -> None:
    service.emulator.fail_next("template_not_found", path="/v1/configs/templates")
    assert service.json("GET", "/v1/configs/templates") == (404, meta(404, "Template not found"))
    service.emulator.fail_next(faults.whatsapp_error(80008, status=403), path="/v1/configs/templates")
    status, body = service.json("GET", "/v1/configs/templates")
    assert (status, body["error"]["code"]) == (403, 80008)
    service.emulator.reject(80008)
    assert service.send()[1]["error"]["code"] == 80008


def test_retry_after_comes_only_when_asked_for(service: Service) -> None:
    service.emulator.fail_next("too_many_requests")
    service.emulator.fail_next(faults.too_many_requests(retry_after=7))
    service.emulator.fail_next(faults.too_many_requests(retry_after="Wed, 21 Oct 2026 07:28:00 GMT"))
    headers = [service.ask("POST", "/messages", TEXT).headers.get("retry-after") for _ in range(3)]
    assert headers == [None, "7", "Wed, 21 Oct 2026 07:28:00 GMT"]


def test_a_page_of_a_proxy_is_html(service: Service) -> None:
    service.emulator.fail_next("html_page")
    response = service.ask("POST", "/messages", TEXT)
    assert (response.status, response.headers["content-type"]) == (502, "text/html")
    assert response.body.startswith(b"<!DOCTYPE html>")


def test_a_server_error_may_come_after_the_message_was_accepted(service: Service) -> None:
    service.emulator.fail_next(faults.server_error(502, accepts=True))
    assert service.send()[0] == 502
    assert len(service.emulator.sent) == 1


def test_a_truncated_answer_comes_after_the_message_was_accepted(service: Service) -> None:
    service.emulator.fail_next("truncated_json")
    response = service.ask("POST", "/messages", TEXT)
    assert response.status == 200
    assert response.body.startswith(b'{"messaging_product"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(response.body)
    assert len(service.emulator.sent) == 1


def test_an_empty_answer_comes_after_the_message_was_accepted(service: Service) -> None:
    service.emulator.fail_next("empty_body")
    response = service.ask("POST", "/messages", TEXT)
    assert (response.status, response.body) == (200, b"")
    assert len(service.emulator.sent) == 1


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_points_elsewhere(service: Service, status: int) -> None:
    service.emulator.fail_next(faults.redirect("http://127.0.0.1:9/messages", status))
    response = service.ask("POST", "/messages", TEXT)
    assert (response.status, response.headers["location"]) == (status, "http://127.0.0.1:9/messages")
    assert service.emulator.sent == []


@pytest.mark.parametrize("fault", [faults.slow(0.1), faults.slow_drip(0.1)], ids=["slow", "drip"])
def test_a_slow_answer_is_whole_in_the_end(service: Service, fault: Fault) -> None:
    service.emulator.fail_next(fault)
    started = time.monotonic()
    assert service.send()[0] == 200
    assert time.monotonic() - started >= 0.1


def test_a_slow_request_does_not_outlive_a_reset_of_the_emulator(emulator: Emulator) -> None:
    emulator.fail_next(faults.slow(1))
    request = Request("POST", "/messages", {"D360-API-KEY": CLOUD_KEY}, json.dumps(TEXT).encode())
    with pytest.raises(ConnectionResetError):
        emulator.serve(request, lambda _: emulator.reset())
    assert (emulator.sent, emulator.requests) == ([], [])


def test_a_reset_happens_before_the_message_is_accepted(service: Service) -> None:
    service.emulator.fail_next("reset")
    with pytest.raises(ConnectionResetError):
        service.send()
    assert service.emulator.sent == []
    assert len(service.emulator.requests) == 1
    assert service.send()[0] == 200


@pytest.mark.parametrize("fault", ["accepted_and_cut_off", "cut_midway"])
def test_a_cut_off_message_was_accepted_once(service: Service, fault: str) -> None:
    service.emulator.fail_next(fault)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        service.send()
    (sent,) = service.emulator.sent
    assert service.emulator.wait_for_statuses(sent.message_id).statuses == ("sent", "delivered", "read")


def test_in_process_a_lost_answer_has_a_name_of_its_own(emulator: Emulator) -> None:
    service = Service(emulator, emulator.handle)
    emulator.fail_next("accepted_and_cut_off")
    with pytest.raises(ResponseLostError) as lost:
        service.send()
    assert isinstance(lost.value, ConnectionError)


def test_over_a_socket_an_answer_ends_in_the_middle(server: EmulatorServer) -> None:
    server.emulator.fail_next("cut_midway")
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    headers = {"D360-API-KEY": "cloud-key", "Content-Type": "application/json"}
    connection.request("POST", "/messages", json.dumps(TEXT), headers)
    received = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as cut:
        received.read()
    connection.close()
    assert received.status == 200
    assert cut.value.partial.startswith(b'{"messaging_product"')


def test_faults_are_worked_off_in_order_and_counted(service: Service) -> None:
    service.emulator.fail_next(faults.server_error(503), times=2)
    service.emulator.fail_next("too_many_requests")
    assert [service.send()[0] for _ in range(4)] == [503, 503, 429, 200]


def test_a_fault_may_concern_some_paths_only(service: Service) -> None:
    service.emulator.fail_next("server_error", path="/mess*")
    assert service.json("GET", "/health_status")[0] == 200
    assert service.json("POST", "/messages?x=1", TEXT)[0] == 500


def test_a_fault_needs_no_key(service: Service) -> None:
    service.emulator.fail_next("html_page")
    assert service.ask("POST", "/messages", TEXT, key="wrong").status == 502


def test_an_unknown_fault_is_an_error_that_names_the_known(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="too_many_requests"):
        emulator.fail_next("bad_hair_day")
    with pytest.raises(ValueError, match="location"):
        emulator.fail_next("redirect")

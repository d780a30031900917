"""The documented answers, through both doors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.emulator import CLOUD_KEY, ON_PREMISE_KEY, SANDBOX_KEY, Emulator
from tests.emulator.services import ON_PREMISE_TEXT, TEXT, Service


def code_of(body: Any) -> int:
    return int(body["errors"][0]["code"] if "errors" in body else body["error"]["code"])


def on_premise(service: Service, body: object) -> tuple[int, Any]:
    return service.json("POST", "/v1/messages", body, key=ON_PREMISE_KEY)


@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_a_wrong_key_is_a_401_that_says_404(service: Service, key: str | None) -> None:
    status, body = service.send(key=key)
    assert status == 401
    assert body == {
        "meta": {
            "httpCode": 404,
            "developerMessage": "Invalid api_key or token expired",
            "success": False,
        }
    }
    assert service.emulator.sent == []


def test_the_name_of_the_key_header_is_read_in_any_case(service: Service) -> None:
    assert service.send(key=None, headers={"d360-api-KEY": CLOUD_KEY})[0] == 200


@pytest.mark.parametrize(
    ("key", "method", "path"),
    [
        (CLOUD_KEY, "POST", "/v1/messages"),
        (CLOUD_KEY, "PUT", "/v1/messages/gBGG1"),
        (CLOUD_KEY, "GET", "/v1/health"),
        (ON_PREMISE_KEY, "POST", "/messages"),
        (ON_PREMISE_KEY, "GET", "/health_status"),
        (ON_PREMISE_KEY, "POST", "/waba_webhook"),
        (SANDBOX_KEY, "POST", "/messages"),
        (SANDBOX_KEY, "GET", "/waba_webhook"),
        (SANDBOX_KEY, "GET", "/health_status"),
    ],
)
def test_what_only_another_hosting_has_is_blocked(service: Service, key: str, method: str, path: str) -> None:
    status, body = service.json(method, path, {}, key=key)
    assert status == 403
    assert body["meta"]["httpCode"] == 403
    assert "is blocked" in body["meta"]["developerMessage"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/message"), ("DELETE", "/messages"), ("GET", "/")])
def test_what_nobody_has_is_not_found(service: Service, method: str, path: str) -> None:
    status, body = service.json(method, path)
    assert (status, body["meta"]["httpCode"]) == (404, 404)


def test_a_slash_at_the_end_and_a_query_change_nothing(service: Service) -> None:
    assert service.json("POST", "/messages/?x=1", TEXT)[0] == 200


def test_cloud_answers_with_contact_and_message(service: Service) -> None:
    status, body = service.send({**TEXT, "to": "+49 (151) 1234-5678"})
    (sent,) = service.emulator.sent
    assert status == 200
    assert body == {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+49 (151) 1234-5678", "wa_id": "4915112345678"}],
        "messages": [{"id": sent.message_id}],
    }
    assert sent.message_id.startswith("wamid.")
    assert (sent.to, sent.hosting, sent.key) == ("4915112345678", "cloud", CLOUD_KEY)
    assert sent.body["text"] == {"body": "Hi"}


def test_on_premise_answers_with_message_and_meta(service: Service) -> None:
    status, body = on_premise(service, ON_PREMISE_TEXT)
    (sent,) = service.emulator.sent
    assert status == 201
    assert body == {
        "messages": [{"id": sent.message_id}],
        "meta": {"api_status": "stable", "version": "2.35.4"},
    }
    assert sent.message_id.startswith("gBG")
    assert sent.hosting == "on_premise"


def test_the_sandbox_answers_without_an_id(service: Service) -> None:
    assert service.json("POST", "/v1/messages", TEXT, key=SANDBOX_KEY) == (201, {})
    assert [sent.hosting for sent in service.emulator.sent] == ["sandbox"]


def test_a_template_is_answered_with_its_message_status(service: Service) -> None:
    template = {"name": "order_update", "language": {"code": "en_US"}}
    _, body = service.send({**TEXT, "type": "template", "template": template})
    assert body["messages"][0]["message_status"] == "accepted"


def test_a_user_id_goes_into_recipient_and_has_no_wa_id(service: Service) -> None:
    body = {name: value for name, value in TEXT.items() if name != "to"}
    _, response = service.send({**body, "recipient": "BR.15021"})
    assert response["contacts"] == [{"input": "BR.15021", "user_id": "BR.15021"}]
    assert service.emulator.sent[0].to == "BR.15021"


def test_to_wins_over_recipient(service: Service) -> None:
    service.send({**TEXT, "recipient": "BR.15021"})
    assert service.emulator.sent[0].to == "4915112345678"


def test_a_group_id_is_taken_as_it_is(service: Service) -> None:
    _, response = service.send({**TEXT, "recipient_type": "group", "to": "Y2FwaV9-x:1"})
    assert response["contacts"] == [{"input": "Y2FwaV9-x:1", "wa_id": "Y2FwaV9-x:1"}]


def test_two_equal_messages_are_two_messages(service: Service) -> None:
    first, second = service.send()[1], service.send()[1]
    assert first["messages"] != second["messages"]
    assert len(service.emulator.sent) == 2


def test_cloud_refuses_in_metas_envelope(service: Service) -> None:
    status, body = service.send({**TEXT, "text": {"body": "x" * 4097}})
    error = body["error"]
    assert status == 400
    assert error.pop("fbtrace_id")
    assert error == {
        "message": "(#100) Invalid parameter",
        "type": "OAuthException",
        "code": 100,
        "error_data": {
            "messaging_product": "whatsapp",
            "details": "Param text['body'] must be at most 4096 characters long.",
        },
    }
    assert service.emulator.sent == []


def test_on_premise_refuses_in_its_own_envelope(service: Service) -> None:
    status, body = on_premise(service, TEXT)
    assert status == 400
    assert body == {
        "errors": [
            {
                "code": 1010,
                "title": "Parameter is not required",
                "details": "Parameter 'messaging_product' is not required",
            }
        ],
        "meta": {"api_status": "stable", "version": "2.35.4"},
    }


WRONG_BODIES: dict[str, tuple[dict[str, Any], int, int]] = {
    "no recipient": ({"to": None}, 131008, 1008),
    "empty recipient": ({"to": ""}, 131008, 1008),
    "recipient is a number": ({"to": 4915112345678}, 131009, 1009),
    "recipient is a word": ({"to": "Ann"}, 131009, 1013),
    "recipient is no user id": ({"to": None, "recipient": "Ann"}, 131009, 1008),
    "unknown recipient type": ({"recipient_type": "everybody"}, 100, 1002),
    "type is not a word": ({"type": ["text"]}, 131051, 501),
    "unknown type": ({"type": "telepathy", "telepathy": {}}, 131051, 501),
    "type without its object": ({"type": "image"}, 131008, 1008),
    "object is a string": ({"text": "Hi"}, 131009, 1009),
    "empty text": ({"text": {"body": ""}}, 131008, 1008),
    "text too long": ({"text": {"body": "x" * 4097}}, 100, 1001),
    "media by nothing": ({"type": "image", "image": {"caption": "x"}}, 131008, 1008),
    "media by both": ({"type": "image", "image": {"id": "1", "link": "https://a.b/c"}}, 131008, 1008),
    "template without name": ({"type": "template", "template": {"language": {"code": "en"}}}, 131008, 1008),
    "template without language": (
        {"type": "template", "template": {"name": "a", "namespace": "n"}},
        131008,
        1008,
    ),
    "interactive without action": ({"type": "interactive", "interactive": {"type": "list"}}, 131008, 1008),
    "reaction without emoji": ({"type": "reaction", "reaction": {"message_id": "wamid.1"}}, 131008, 1008),
    "location without longitude": ({"type": "location", "location": {"latitude": 1}}, 131008, 1008),
    "contacts is no list": ({"type": "contacts", "contacts": {"name": {}}}, 131009, 1009),
    "callback data too long": ({"biz_opaque_callback_data": "x" * 513}, 131009, 1009),
}


@pytest.mark.parametrize("case", WRONG_BODIES)
def test_a_wrong_body_is_refused_in_both_dialects(emulator: Emulator, case: str) -> None:
    change, cloud_code, on_premise_code = WRONG_BODIES[case]
    service = Service(emulator, emulator.handle)
    assert code_of(service.send({**TEXT, **change})[1]) == cloud_code
    assert code_of(on_premise(service, {**ON_PREMISE_TEXT, **change})[1]) == on_premise_code
    assert emulator.sent == []


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"to": NaN}', b"[" * 100_000, b"null"],
    ids=["empty", "truncated", "array", "string", "not UTF-8", "NaN", "deep", "null"],
)
def test_what_is_no_json_object_is_refused(service: Service, raw: bytes) -> None:
    assert code_of(service.send(raw)[1]) == 100
    assert code_of(on_premise(service, raw)[1]) == 1009


def test_a_body_that_is_not_announced_as_json_is_not_read(service: Service) -> None:
    status, body = service.send(headers={"Content-Type": "text/plain"})
    assert status == 400
    assert body["error"]["error_data"]["details"] == "The parameter messaging_product is required"


@pytest.mark.parametrize("product", [None, "sms"])
def test_cloud_and_sandbox_want_the_product(service: Service, product: str | None) -> None:
    body = {**TEXT, "messaging_product": product}
    assert code_of(service.send(body)[1]) == 100
    assert code_of(service.json("POST", "/v1/messages", body, key=SANDBOX_KEY)[1]) == 100


def test_a_text_needs_no_type_and_everything_else_does(service: Service) -> None:
    assert code_of(service.send({**TEXT, "type": None})[1]) == 131051
    body = {name: value for name, value in ON_PREMISE_TEXT.items() if name != "type"}
    assert on_premise(service, body)[0] == 201
    assert service.send({**body, "messaging_product": "whatsapp"})[0] == 200
    del body["text"]
    assert code_of(service.send({**body, "messaging_product": "whatsapp", "image": {"id": "1"}})[1]) == 131008


def test_on_premise_wants_a_templates_namespace_and_bare_digits(service: Service) -> None:
    template = {"name": "order_update", "language": {"policy": "deterministic", "code": "en_US"}}
    body = {**ON_PREMISE_TEXT, "type": "template", "template": template}
    assert code_of(on_premise(service, body)[1]) == 1008
    assert on_premise(service, {**body, "template": {**template, "namespace": "c8ae"}})[0] == 201
    assert code_of(on_premise(service, {**ON_PREMISE_TEXT, "to": "+4915112345678"})[1]) == 1013


@pytest.mark.parametrize("extra", [{}, {"typing_indicator": {"type": "text"}}])
def test_cloud_marks_as_read_by_post(service: Service, extra: dict[str, object]) -> None:
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1", **extra}
    assert service.send(body) == (200, {"success": True})
    assert service.emulator.sent == []


@pytest.mark.parametrize(
    ("change", "code"),
    [({"status": "seen"}, 131009), ({"message_id": ""}, 131008), ({"typing_indicator": {}}, 131009)],
)
def test_a_wrong_mark_is_refused(service: Service, change: dict[str, object], code: int) -> None:
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1", **change}
    assert code_of(service.send(body)[1]) == code


def test_on_premise_marks_as_read_by_put(service: Service) -> None:
    path = "/v1/messages/gBGG1"
    assert service.json("PUT", path, {"status": "read"}, key=ON_PREMISE_KEY)[0] == 200
    assert code_of(service.json("PUT", path, {"status": "seen"}, key=ON_PREMISE_KEY)[1]) == 1009


def test_cloud_health_is_what_the_test_says(service: Service) -> None:
    status, body = service.json("GET", "/health_status")
    assert status == 200
    assert body["health_status"]["can_send_message"] == "AVAILABLE"
    service.emulator.can_send_message = "LIMITED"
    health = service.json("GET", "/health_status")[1]["health_status"]
    assert health["can_send_message"] == "LIMITED"
    assert health["entities"][0]["errors"][0]["error_code"] == 141010


def test_on_premise_health(service: Service) -> None:
    status, body = service.json("GET", "/v1/health", key=ON_PREMISE_KEY)
    assert (status, body["health"]) == (200, {"gateway_status": "connected"})


def test_a_rule_refuses_one_recipient_with_any_code(service: Service) -> None:
    service.emulator.reject(131047, to="+49 151 12345678")
    status, body = service.send()
    assert (status, body["error"]["message"]) == (400, "(#131047) Re-engagement message")
    assert service.send({**TEXT, "to": "4915100000000"})[0] == 200


def test_a_rule_may_be_for_some_messages_and_knows_the_http_status(service: Service) -> None:
    service.emulator.reject(132001, times=1)
    service.emulator.reject(4242, times=1)
    assert [service.send()[0] for _ in range(3)] == [404, 400, 200]


def test_a_rule_speaks_the_dialect_of_the_hosting(service: Service) -> None:
    service.emulator.reject(470)
    status, body = on_premise(service, ON_PREMISE_TEXT)
    assert (status, body["errors"][0]["code"]) == (400, 470)


def test_every_request_is_recorded_as_it_came(service: Service) -> None:
    service.send(key="wrong", headers={"X-Any": "1"})
    (request,) = service.emulator.requests
    assert (request.method, request.path, json.loads(request.body)) == ("POST", "/messages", TEXT)
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert (headers["d360-api-key"], headers["x-any"]) == ("wrong", "1")


def test_two_emulators_share_nothing(service: Service) -> None:
    other = Emulator()
    service.send()
    service.emulator.reject(131047)
    service.emulator.fail_next("reset", times=9)
    assert (other.sent, other.requests) == ([], [])
    assert Service(other, other.handle).send()[0] == 200
    other.close()


def test_a_reset_brings_back_the_beginning(service: Service) -> None:
    emulator = service.emulator
    service.send()
    service.json("POST", "/v1/configs/webhook", {"url": "https://example.com"})
    emulator.reject(131047)
    emulator.fail_next("reset", times=9)
    emulator.set_statuses(["failed"], to="4915112345678")
    emulator.can_send_message = "BLOCKED"
    emulator.reset()
    assert (emulator.sent, emulator.requests, emulator.deliveries) == ([], [], [])
    assert service.json("GET", "/v1/configs/webhook")[1]["url"] is None
    assert service.json("GET", "/health_status")[1]["health_status"]["can_send_message"] == "AVAILABLE"
    message_id = service.send()[1]["messages"][0]["id"]
    assert emulator.wait_for_statuses(message_id).statuses == ("sent", "delivered", "read")


def test_other_keys_are_other_numbers() -> None:
    emulator = Emulator(keys={"a": CLOUD, "b": CLOUD})
    service = Service(emulator, emulator.handle)
    assert service.send()[0] == 401
    service.send(key="b")
    assert [sent.key for sent in emulator.sent] == ["b"]
    emulator.close()

"""The emulator is as strict as the documentation, and no stricter."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_d360.api.checks.messages import check
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.api.normalization import normalize
from airflow_provider_d360.api.wire import Request
from airflow_provider_d360.emulator import CLOUD_KEY, ON_PREMISE_KEY, Emulator
from tests.core.test_certain_failures import REFUSED
from tests.emulator.corpus import INVALID, VALID, addressed


def send(emulator: Emulator, body: object, key: str = CLOUD_KEY) -> tuple[int, Any]:
    path = "/messages" if key == CLOUD_KEY else "/v1/messages"
    headers = {"D360-API-KEY": key, "Content-Type": "application/json"}
    response = emulator.handle(Request("POST", path, headers, json.dumps(body).encode()))
    return response.status, json.loads(response.body)


@pytest.mark.parametrize("name", INVALID)
def test_a_body_that_is_documented_as_invalid_is_refused_with_its_code(emulator: Emulator, name: str) -> None:
    invalid = INVALID[name]
    status, body = send(emulator, addressed(invalid.body))
    assert status >= 400, invalid.source
    assert body["error"]["code"] == invalid.code, body
    assert body["error"]["error_data"]["details"]
    assert emulator.sent == []


@pytest.mark.parametrize("name", VALID)
def test_a_body_that_is_documented_as_valid_is_accepted(emulator: Emulator, name: str) -> None:
    assert send(emulator, addressed(VALID[name]))[0] == 200, send(emulator, addressed(VALID[name]))


ELSEWHERE = {"product missing", "product wrong", "product in capitals", "neither type nor text"}
CLOUD_ONLY = {"a user id", "a number as people write it"}
READ_MARKS = {name for name, invalid in INVALID.items() if "status" in invalid.body}


@pytest.mark.parametrize("name", [name for name in INVALID if name not in ELSEWHERE | READ_MARKS])
def test_on_premise_refuses_it_in_its_own_envelope(emulator: Emulator, name: str) -> None:
    body = addressed(INVALID[name].body, hosting="on_premise")
    status, response = send(emulator, body, ON_PREMISE_KEY)
    assert status >= 400
    assert response["errors"][0]["code"]
    assert emulator.sent == []


@pytest.mark.parametrize("name", [name for name in VALID if name not in CLOUD_ONLY])
def test_on_premise_accepts_it_with_a_namespace(emulator: Emulator, name: str) -> None:
    body = addressed(VALID[name], hosting="on_premise")
    if "template" in body:
        body["template"] = {"namespace": "n", **body["template"]}
    assert send(emulator, body, ON_PREMISE_KEY)[0] == 201


# What the client leaves to the service: recipients and products are written elsewhere, new words may come
# with the next release of WhatsApp, numbers become text before, and on 16 characters the sources disagree.
LEFT_TO_THE_SERVICE = (
    "to ",
    "recipient ",
    "product ",
    "type unknown",
    "type null",
    "type hsm",
    "with another key",
    "of an unknown ",
    " a number",
    "coupon code of 16",
)


@pytest.mark.parametrize("name", [name for name in INVALID if name not in READ_MARKS])
def test_the_client_refuses_what_the_emulator_refuses(name: str) -> None:
    envelope = ("messaging_product", "recipient_type", "to", "recipient")
    message = {key: value for key, value in INVALID[name].body.items() if key not in envelope}
    left = any(words in f"{name} " if words[-1] == " " else words in name for words in LEFT_TO_THE_SERVICE)
    assert check(normalize(message), CLOUD) or left


# An empty text says nothing, and no source forbids it.
LEFT_TO_THE_CLIENT = [["biz_opaque_callback_data: empty"]]


@pytest.mark.parametrize(("message", "problems"), REFUSED)
def test_the_emulator_refuses_what_the_client_refuses(
    emulator: Emulator, message: Any, problems: list[str]
) -> None:
    status, _ = send(emulator, addressed(dict(normalize(message))))
    assert not problems or status >= 400 or problems in LEFT_TO_THE_CLIENT

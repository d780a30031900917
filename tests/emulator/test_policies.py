"""What WhatsApp decides by itself, as the emulator plays it: holding, capping, opting out, refusing haste."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_d360.api.wire import Request
from airflow_provider_d360.emulator import Emulator
from airflow_provider_d360.emulator.policies import Throughput
from airflow_provider_d360.emulator.records import Webhook
from airflow_provider_d360.emulator.responses import InvalidError

TO, OTHER, AMERICAN, CANADIAN = "4915112345678", "4915112345679", "12125550123", "14165550123"

HEADERS = {"D360-API-KEY": "cloud-key", "Content-Type": "application/json"}


@pytest.fixture
def emulator():
    emulator = Emulator(statuses=("sent", "delivered", "read"))
    for name, category in (("offer", "MARKETING"), ("parcel", "UTILITY")):
        content = {
            "name": name,
            "language": "en",
            "category": category,
            "components": [{"type": "BODY", "text": "Hi"}],
        }
        emulator.templates.add(content, status="approved")
    emulator.numbers["cloud-key"].webhook = Webhook(
        "https://nowhere.example.com"
    )  # recorded, and not delivered
    yield emulator
    emulator.close()


def send(emulator: Emulator, to: str = TO, name: str | None = "offer") -> tuple[int, dict[str, Any]]:
    content = {"type": "text", "text": {"body": "Hi"}} if name is None else {
        "type": "template", "template": {"name": name, "language": {"code": "en"}},
    }  # fmt: skip
    body = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": to, **content}
    request = Request("POST", "/messages", HEADERS, json.dumps(body).encode())
    response = emulator.handle(request)
    return response.status, json.loads(response.body)


def message_status(response: tuple[int, dict[str, Any]]) -> str:
    assert response[0] == 200
    return str(response[1]["messages"][0]["message_status"])


def code(response: tuple[int, dict[str, Any]]) -> int:
    assert response[0] >= 400
    return int(response[1]["error"]["code"])


def failed_with(emulator: Emulator, position: int = -1) -> int:
    sent = emulator.sent[position]
    emulator.wait_for_statuses(sent.message_id, "failed")
    [status] = [one for one in events(emulator, "statuses") if one["id"] == sent.message_id]
    return int(status["errors"][0]["code"])


def events(emulator: Emulator, kind: str) -> list[dict[str, Any]]:
    values = [one.body["entry"][0]["changes"][0]["value"] for one in emulator.deliveries]
    return [item for value in values for item in value.get(kind, ())]


def test_the_first_messages_go_out_and_the_rest_is_held(emulator):
    emulator.hold_template("offer", after=1)
    assert [message_status(send(emulator)) for _ in range(3)] == [
        "accepted",
        "held_for_quality_assessment",
        "held_for_quality_assessment",
    ]
    assert message_status(send(emulator, name="parcel")) == "accepted"
    emulator.wait_for_statuses(emulator.sent[0].message_id)
    assert [sent.statuses for sent in emulator.sent[1:3]] == [(), ()]
    assert [sent.held for sent in emulator.sent] == [False, True, True, False]


def test_a_good_verdict_lets_held_messages_out(emulator):
    emulator.hold_template("offer")
    send(emulator)
    emulator.release_held("offer")
    assert emulator.wait_for_statuses(emulator.sent[0].message_id).statuses == ("sent", "delivered", "read")
    assert message_status(send(emulator)) == "accepted"


def test_a_bad_verdict_drops_them_and_pauses_the_template(emulator):
    emulator.hold_template("offer")
    send(emulator)
    emulator.drop_held("offer")
    assert failed_with(emulator) == 132015
    assert code(send(emulator)) == 132015
    assert message_status(send(emulator, name="parcel")) == "accepted"
    fields = [one.body["entry"][0]["changes"][0]["field"] for one in emulator.deliveries]
    assert "message_template_status_update" in fields


def test_the_verdict_on_an_account_stops_all_its_templates(emulator):
    emulator.hold_template("offer")
    send(emulator)
    emulator.drop_held("offer", code=135000)
    assert failed_with(emulator) == 135000
    assert code(send(emulator, name="parcel")) == 132015


def test_a_verdict_has_two_codes_and_a_template_that_is_there(emulator):
    with pytest.raises(ValueError, match="132015 or 135000"):
        emulator.drop_held("offer", code=1)
    with pytest.raises(LookupError):
        emulator.hold_template("nothing")


def test_who_stops_marketing_gets_other_templates_still(emulator):
    emulator.set_preference(f"+{TO}")
    assert message_status(send(emulator)) == "accepted"
    assert failed_with(emulator) == 131050
    for name in ("parcel", None):
        assert send(emulator, name=name)[0] == 200
        emulator.wait_for_statuses(emulator.sent[-1].message_id, "read")
    assert send(emulator, OTHER)[0] == 200
    emulator.wait_for_statuses(emulator.sent[-1].message_id, "read")


def test_a_template_that_is_not_known_counts_as_marketing(emulator):
    emulator.set_preference(TO)
    send(emulator, name="unknown")
    assert failed_with(emulator) == 131050


def test_who_resumes_marketing_gets_it(emulator):
    emulator.set_preference(TO)
    emulator.set_preference(TO, stops=False)
    send(emulator)
    emulator.wait_for_statuses(emulator.sent[-1].message_id, "read")


@pytest.mark.parametrize(("person", "name"), [(TO, "wa_id"), ("DE.1502", "user_id")])
def test_a_preference_is_reported_as_whatsapp_does(emulator, person, name):
    emulator.set_preference(person)
    [preference] = events(emulator, "user_preferences")
    assert preference.pop("timestamp") > 1_700_000_000
    assert preference == {
        name: person,
        "detail": "User requested to stop marketing messages",
        "category": "marketing_messages",
        "value": "stop",
    }
    assert emulator.deliveries[0].body["entry"][0]["changes"][0]["field"] == "user_preferences"


def test_marketing_beyond_a_persons_cap_fails(emulator):
    emulator.cap_marketing(TO)
    send(emulator)
    assert failed_with(emulator) == 131049
    send(emulator, name="parcel")
    emulator.wait_for_statuses(emulator.sent[-1].message_id, "read")


def test_no_marketing_reaches_a_number_of_the_united_states(emulator):
    send(emulator, AMERICAN)
    assert failed_with(emulator) == 131049
    for to, name in ((CANADIAN, "offer"), (AMERICAN, "parcel")):
        send(emulator, to, name)
        emulator.wait_for_statuses(emulator.sent[-1].message_id, "read")


@pytest.mark.parametrize(
    ("script", "priced"),
    [
        (("sent", "delivered", "read"), ["sent", "delivered"]),
        (("sent", "read"), ["sent", "read"]),
        (("failed",), []),
    ],
)
@pytest.mark.parametrize(
    ("name", "category"), [("offer", "marketing"), ("parcel", "utility"), (None, "service")]
)
def test_the_price_comes_with_sent_and_with_the_first_sign_of_arrival(
    emulator, script, priced, name, category
):
    emulator.set_statuses(script)
    send(emulator, name=name)
    emulator.wait_for_statuses(emulator.sent[-1].message_id, script[-1])
    prices = {one["status"]: one["pricing"] for one in events(emulator, "statuses") if "pricing" in one}
    assert list(prices) == priced
    price = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": category}
    assert all(one == price for one in prices.values())


def test_a_number_that_is_too_fast_is_refused(emulator):
    emulator.messages_per_second = 3
    emulator._throughput._clock = iter([0.0, 0.0, 0.3, 0.3, 0.6, 0.6, 0.9, 0.9, 1.0, 1.0, 1.1, 1.1]).__next__
    responses = [send(emulator, str(4915100000000 + i)) for i in range(6)]
    assert [status for status, _ in responses] == [200, 200, 200, 400, 200, 400]
    assert code(responses[3]) == 130429
    assert len(emulator.sent) == 4


def test_incoming_messages_count_too(emulator):
    emulator.messages_per_second = 1
    emulator._throughput._clock = lambda: 0.0
    emulator.receive("Hi")
    assert code(send(emulator)) == 130429


def test_too_many_messages_to_one_person_are_refused():
    now = [0.0]
    limits = Throughput(lambda: now[0])
    for _ in range(45):
        limits.admit("key", TO, 1000)
    with pytest.raises(InvalidError) as error:
        limits.admit("key", TO, 1000)
    assert error.value.problem.cloud == 131056
    limits.admit("key", OTHER, 1000)
    limits.admit("another key", TO, 1000)
    now[0] = 6.0
    limits.admit("key", TO, 1000)
    with pytest.raises(InvalidError):
        limits.admit("key", TO, 1000)


def test_without_a_limit_no_message_is_too_fast(emulator):
    assert {send(emulator, name="parcel")[0] for _ in range(100)} == {200}


def test_a_reset_forgets_all_of_it(emulator):
    emulator.hold_template("offer")
    emulator.set_preference(TO)
    emulator.cap_marketing(OTHER)
    emulator.reset()
    for to in (TO, OTHER):
        assert message_status(send(emulator, to)) == "accepted"
        emulator.wait_for_statuses(emulator.sent[-1].message_id, "read")


def test_the_time_of_each_message_is_known(emulator):
    send(emulator)
    send(emulator)
    first, second = (sent.accepted_at for sent in emulator.sent)
    assert 1_700_000_000 < first <= second

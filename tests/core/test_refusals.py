"""Answers: whatever comes back becomes a value or the right one of six errors, with a remedy and without a leak."""

import json

import pytest

from airflow_provider_d360.api import calls, codes
from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360RecipientError,
    D360RequestError,
    D360UnavailableError,
)
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.refusals import failed_status, read_answer
from airflow_provider_d360.api.results import ContactCheck, Health, Sent, WebhookConfig
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.messages import text

KEY = "key-canary-7f3a"
BODY = "a canary's body\nwith <b>two</b> lines"
SEND = calls.send_message(CLOUD, "4915112345689", text(BODY))
READ = calls.get_webhook(CLOUD)


def answer(status, body=b"", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def meta(code, message="(#{}) Something", details="", **more):
    error = {"message": message.format(code), "type": "OAuthException", "code": code, "fbtrace_id": "AbC1"}
    return {"error": {**error, "error_data": {"messaging_product": "whatsapp", "details": details}, **more}}


def error_of(response, call=SEND) -> D360Error:
    with pytest.raises(D360Error) as caught:
        read_answer(call, response, [KEY])
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_2xx_with_an_id_is_a_message_accepted(status):
    body = {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+49151", "wa_id": "4915112345689", "user_id": "DE.1"}],
        "messages": [{"id": "wamid.1", "message_status": "accepted"}],
    }
    assert read_answer(SEND, answer(status, body), [KEY]) == Sent(
        "wamid.1", "4915112345689", "DE.1", "accepted"
    )


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"id": "gBGG1"}]},
        {"messages": [{"id": "gBGG1"}], "meta": {"api_status": "stable", "version": "2.35.4"}},
        {"messages": [{"id": "gBGG1"}], "errors": [{"code": 1, "title": "a warning beside it"}]},
    ],
)
def test_an_id_is_all_that_an_accepted_message_needs(body):
    assert read_answer(SEND, answer(201, body), [KEY]) == Sent("gBGG1")


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"messages":[]}'])
def test_the_sandbox_may_answer_without_an_id(body):
    call = calls.send_message(SANDBOX, "4915112345689", text("Hi"))
    assert read_answer(call, answer(201, body), [KEY]) == Sent(None)


UNREADABLE = [
    b"",
    b'{"messages":[{"id":"wam',
    b"<html>ok</html>",
    b"[]",
    b"null",
    b'{"messages":[{}]}',
    b"{}",
    b"[" * 9999,
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_2xx_that_cannot_be_read_leaves_a_send_ambiguous(body):
    error = error_of(answer(200, body))
    assert type(error) is D360AmbiguousError
    assert error.refusal.http_status == 200
    assert "before sending it again" in error.refusal.remedy


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]"])
def test_a_2xx_that_cannot_be_read_is_worth_another_try_where_that_is_harmless(body):
    error = error_of(answer(200, body), READ)
    assert type(error) is D360UnavailableError
    assert error.refusal.retry_soon


ENVELOPES = [
    (404, meta(132001, details="template name (x) does not exist in en"), D360RequestError, 132001),
    (400, {"detail": meta(131055)}, D360RequestError, 131055),
    (401, {"meta": {"httpCode": 404, "developerMessage": "Invalid api_key or token expired", "success": False}}, D360AuthError, None),
    (400, {"meta": {"http_code": 400, "developer_message": "Some error", "success": False}}, D360RequestError, None),
    (401, {"error": "Unauthorized - Invalid or missing D360-API-KEY"}, D360AuthError, None),
    (400, {"errors": [{"code": 1013, "title": "User is not valid", "details": "no wa_id"}], "meta": {}}, D360RecipientError, 1013),
    (500, b"Bad gateway", D360AmbiguousError, None),
    (403, b"bad json", D360AuthError, None),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "code"), ENVELOPES)
def test_each_of_the_five_envelopes_and_plain_text_is_understood(status, body, kind, code):
    error = error_of(answer(status, body))
    assert type(error) is kind
    assert error.refusal.code == code
    assert error.refusal.http_status == status
    assert error.refusal.title
    assert error.refusal.remedy


META_KINDS = {
    D360AuthError: [0, 3, 10, 190, 200, 299, 368, 1005, 130497, 131005, 131031, 131037, 131042, 131044, 131045,
                    133000, 133005, 133006, 133008, 133009, 133010, 133015],
    D360RateLimitError: [4, 613, 80007, 130429, 131048, 131056, 131064, 132069, 133016],
    D360AmbiguousError: [1, 2, 131000, 131016, 131057, 133004],
    D360UnavailableError: [134101],
    D360RequestError: [33, 100, 131008, 131009, 131020, 131041, 131051, 131052, 131053, 131055, 131062, 131063, 131201,
                       131215, 132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016, 132018, 132068,
                       134100, 134102, 135000],
    D360RecipientError: [1026, 130403, 130472, 131021, 131026, 131030, 131047, 131049, 131050, 137000],
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "kind"), [(code, kind) for kind, many in META_KINDS.items() for code in many]
)
@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_known_code_decides_whatever_the_status(code, kind, status):
    error = error_of(answer(status, meta(code)))
    assert type(error) is kind
    assert error.refusal.fbtrace_id == "AbC1"
    assert error.refusal.title == "Something"


PROVEN_REJECTED = {4, 80007, 130429, 131056}


@pytest.mark.parametrize("code", sorted({code for many in META_KINDS.values() for code in many}))
def test_only_four_codes_prove_that_a_send_may_go_again_at_once(code):
    assert error_of(answer(400, meta(code))).refusal.retry_soon is (code in PROVEN_REJECTED)


def test_a_429_may_go_again_unless_its_code_says_that_it_will_not_help():
    assert error_of(answer(429)).refusal.retry_soon
    assert error_of(answer(429, meta(613))).refusal.retry_soon
    assert not error_of(answer(429, meta(131048))).refusal.retry_soon


@pytest.mark.parametrize("code", [1, 2, 131000, 131016, 131057, 133004])
def test_what_is_ambiguous_for_a_send_is_an_outage_for_anything_else(code):
    error = error_of(answer(500, meta(code)), READ)
    assert type(error) is D360UnavailableError
    assert error.refusal.retry_soon
    assert error.refusal.remedy == "Try again later."


ON_PREMISE_KINDS = {
    D360RequestError: [400, 501, 1001, 1002, 1004, 1006, 1008, 1009, 1010, 1021, 1022, 1023, 1024, 1025, 2000, 2001,
                       2012, 2015, 2016],
    D360AuthError: [402, 430, 432, 433, 1005, 1031],
    D360RecipientError: [408, 410, 470, 472, 480, 1013, 1026],
    D360RateLimitError: [429, 471, 1015, 1016],
    D360UnavailableError: [1011],
    D360AmbiguousError: [500, 1014],
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "kind"), [(code, kind) for kind, many in ON_PREMISE_KINDS.items() for code in many]
)
def test_on_premise_codes_have_their_own_table(code, kind):
    error = error_of(answer(400, {"errors": [{"code": code, "title": "T", "details": "D"}]}))
    assert type(error) is kind
    assert str(error).startswith(f"{code} T: D (HTTP 400)")


@pytest.mark.parametrize("table", [codes.META, codes.ON_PREMISE])
def test_every_code_has_a_remedy_of_one_sentence(table):
    assert all(meaning.remedy.endswith(".") and "\n" not in meaning.remedy for meaning in table.values())


GATEWAY = [
    (400, "You have exceeded the endpoint rate limit.", D360RateLimitError, None),
    (
        400,
        "You have exceeded the limit of 1 request every 5 seconds. Try again later.",
        D360RateLimitError,
        5.0,
    ),
    (
        400,
        "Could not send message due to lack of payment. Please settle overdue invoices",
        D360AuthError,
        None,
    ),
    (400, "Your WhatsApp for Business API has been disabled.", D360AuthError, None),
    (401, "Invalid API key", D360AuthError, None),
    (403, "The endpoint is blocked", D360RequestError, None),
    (403, "This URL /v1/x is blocked. More info: …", D360RequestError, None),
    (403, "Permission denied for partner x", D360AuthError, None),
    (502, "WhatsApp for Business API not available", D360AmbiguousError, None),
    (500, "Internal server error", D360AmbiguousError, None),
]


@pytest.mark.parametrize(("status", "sentence", "kind", "wait"), GATEWAY)
@pytest.mark.parametrize(
    "wrap", [lambda s: {"error": s}, lambda s: {"meta": {"developerMessage": s, "success": False}}]
)
def test_the_gateways_sentences_are_understood_in_both_generations(status, sentence, kind, wait, wrap):
    error = error_of(answer(status, wrap(sentence)))
    assert type(error) is kind
    assert error.refusal.retry_after_seconds == wait
    assert error.refusal.retry_soon is (kind is D360RateLimitError)


STATUSES = [
    (300, D360RequestError), (302, D360RequestError), (308, D360RequestError), (400, D360RequestError),
    (401, D360AuthError), (402, D360AuthError), (403, D360AuthError), (404, D360RequestError), (405, D360RequestError),
    (408, D360AmbiguousError), (410, D360RequestError), (422, D360RequestError), (429, D360RateLimitError),
    (500, D360AmbiguousError), (502, D360AmbiguousError), (503, D360AmbiguousError), (504, D360AmbiguousError),
    (100, D360AmbiguousError), (600, D360AmbiguousError),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), STATUSES)
@pytest.mark.parametrize("body", [b"", b"<html><h1>Error</h1></html>", b'{"err', b"[]", b'{"unknown": 1}'])
def test_without_a_known_body_the_status_decides(status, kind, body):
    error = error_of(answer(status, body))
    assert type(error) is kind
    assert error.refusal.title == f"HTTP {status}"


@pytest.mark.parametrize(
    "body",
    [
        meta("131047"),
        meta(131047, details=None),
        {"error": {"code": 131047}},
        {"error": {"code": 131047, "error_data": "text", "error_user_msg": "said to the user"}},
    ],
)
def test_a_code_is_found_in_sloppy_envelopes(body):
    error = error_of(answer(400, body))
    assert type(error) is D360RecipientError
    assert error.refusal.code == 131047


@pytest.mark.parametrize("code", [True, None, "x", 1.5, [], 10**12, -1])
def test_a_code_that_is_none_leaves_the_decision_to_the_status(code):
    assert error_of(answer(422, meta(code))).refusal.code is None


@pytest.mark.parametrize(
    "body",
    [
        {"error": {}},
        {"error": ""},
        {"error": 5},
        {"errors": []},
        {"errors": ["x"]},
        {"meta": {}},
        {"meta": 1},
    ],
)
def test_an_envelope_without_content_is_still_an_error(body):
    assert type(error_of(answer(400, body))) is D360RequestError


def test_an_error_inside_a_2xx_is_an_error():
    assert type(error_of(answer(200, meta(131047)))) is D360RecipientError
    assert (
        type(error_of(answer(200, {"meta": {"success": False, "developer_message": "odd"}})))
        is D360AmbiguousError
    )


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("3", "", 3.0),
        ("0.5", "", 0.5),
        ("-7", "", 0.0),
        ("1e300", "", 604_800.0),
        ("Sun, 22 Nov 2026 10:00:30 -9999999999999999", "Sun, 22 Nov 2026 10:00:00 GMT", None),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "Sun, 22 Nov 2026 10:00:00 GMT", 30.0),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "Sun, 22 Nov 2026 10:00:00", None),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "", None),
        ("soon", "Sun, 22 Nov 2026 10:00:00 GMT", None),
        ("inf", "", None),
        ("nan", "", None),
        ("", "", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date_beside_the_answers_own(header, date, seconds):
    headers = {"retry_after": header, **({"date": date} if date else {})}
    assert error_of(answer(429, **headers)).refusal.retry_after_seconds == seconds


@pytest.mark.parametrize("status", [200, 302, 400, 401, 500])
@pytest.mark.parametrize(
    "echo",
    [
        BODY,
        json.dumps({"you said": BODY}),
        BODY.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#x27;"),
        "a%20canary%27s%20body%0Awith%20%3Cb%3Etwo%3C%2Fb%3E%20lines",
        f"key {KEY} for +49 151 123456-89",
        " " * 150 + KEY + " " * 100,
    ],
)
def test_an_answer_that_repeats_key_body_or_number_does_not_get_them_into_the_error(status, echo):
    for body in (echo.encode(), {"error": {"message": echo, "code": 5, "fbtrace_id": KEY}}, {"error": echo}):
        shown = str(error_of(answer(status, body)))
        assert KEY not in shown
        assert "canary" not in shown
        assert "4915112345689" not in shown.replace(" ", "").replace("-", "")


def test_a_long_or_binary_answer_becomes_a_short_printable_detail():
    details = error_of(answer(500, b"\x00\xff\n" + "é".encode() * 5000)).refusal.details
    assert len(details) == 201
    assert details.isprintable()


def test_a_webhook_is_read_with_or_without_headers():
    read = calls.get_waba_webhook(CLOUD)
    body = {"waba_id": "1", "url": "https://a.b", "headers": {"X": "1"}, "phone_numbers": ["49151"]}
    assert read_answer(read, answer(200, body), [KEY]) == WebhookConfig("https://a.b", {"X": "1"}, ("49151",))
    assert read_answer(READ, answer(200, {"url": "", "headers": None}), [KEY]) == WebhookConfig(None)


def test_the_credentials_of_a_webhook_are_not_shown_by_repr():
    assert "secret" not in repr(WebhookConfig("https://a.b", {"Authorization": "Basic secret"}))


def test_contacts_are_read():
    call = calls.check_contacts(ON_PREMISE, ["+4915112345689"])
    body = {"contacts": [{"input": "+49", "status": "valid", "wa_id": "49"}, "odd", {"status": "invalid"}]}
    assert read_answer(call, answer(200, body), [KEY]) == (
        ContactCheck("+49", "valid", "49"),
        ContactCheck("", "invalid"),
    )
    assert read_answer(call, answer(200, {}), [KEY]) == ()


def test_marking_as_read_needs_nothing_but_a_2xx():
    assert read_answer(calls.mark_as_read(CLOUD, "wamid.1"), answer(200, b""), [KEY]) is None


HEALTH = [
    ({"health_status": {"can_send_message": "AVAILABLE", "entities": []}}, Health("AVAILABLE")),
    (
        {"health_status": {"can_send_message": "LIMITED", "entities": [
            {"entity_type": "WABA", "errors": [{"error_code": 141010, "error_description": "Not verified"}]},
            {"entity_type": "PHONE_NUMBER", "additional_info": ["Name pending", 7]}, {"id": "1"}]}},
        Health("LIMITED", ("WABA: 141010 Not verified", "PHONE_NUMBER: Name pending")),
    ),
    ({"health": {"gateway_status": "connected"}}, Health("AVAILABLE")),
    ({"health": {"a:1": {"gateway_status": "connected"}, "b:1": {"gateway_status": "connecting"}}},
     Health("LIMITED", ("gateway connected", "gateway connecting"))),
    ({"health": {"a:1": {}}}, Health("BLOCKED", ("gateway unknown",))),
]  # fmt: skip


@pytest.mark.parametrize(("body", "health"), HEALTH)
def test_health_is_read_from_the_cloud_and_from_a_server(body, health):
    assert read_answer(calls.health(CLOUD), answer(200, body), [KEY]) == health


@pytest.mark.parametrize("body", [{}, {"health_status": {}}, {"health": {}}, {"health": 1}])
def test_health_without_health_is_no_answer(body):
    assert type(error_of(answer(200, body), calls.health(CLOUD))) is D360UnavailableError


@pytest.mark.parametrize(
    ("code", "on_premise", "kind", "remedy"),
    [
        (131026, False, D360RecipientError, "not on WhatsApp"),
        (131047, False, D360RecipientError, "approved template"),
        (470, True, D360RecipientError, "approved template"),
        (131049, False, D360RecipientError, "24 hours"),
        (131000, False, D360UnavailableError, "again later"),
        (None, False, D360RequestError, "Correct the message"),
    ],
)
def test_a_failed_status_is_the_error_that_a_refusal_would_be(code, on_premise, kind, remedy):
    error = failed_status(code, "Failed for 4915112345689", "details", on_premise=on_premise)
    assert type(error) is kind
    assert remedy in error.refusal.remedy
    assert error.refusal.retry_soon is False
    assert "4915112345689" not in str(error)


def test_a_failed_status_without_words_still_says_something():
    assert str(failed_status(131026, "", "")).startswith("131026 The message failed.")

"""Responses: whatever comes back becomes a value or the right one of six errors, with a remedy and without a leak."""

import json

import pytest

from airflow_provider_d360.api import codes
from airflow_provider_d360.api.endpoints import health, messages, webhooks
from airflow_provider_d360.api.endpoints.health import Health
from airflow_provider_d360.api.endpoints.messages import Sent
from airflow_provider_d360.api.endpoints.webhooks import WebhookConfig
from airflow_provider_d360.api.errors import (
    Condition,
    D360AmbiguousError,
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360RecipientError,
    D360RequestError,
    D360UnavailableError,
)
from airflow_provider_d360.api.hosting import CLOUD, SANDBOX
from airflow_provider_d360.api.responses import failed_status, lost_response, never_sent, read_response
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.messages import template, text

KEY = "key-canary-7f3a"
BODY = "a canary's body\nwith <b>two</b> lines"
SEND = messages.send_message(CLOUD, "4915112345689", text(BODY))
READ = webhooks.get_webhook(CLOUD)


def http_response(status, body=b"", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def meta(code, message="(#{}) Something", details="", **more):
    error = {"message": message.format(code), "type": "OAuthException", "code": code, "fbtrace_id": "AbC1"}
    return {"error": {**error, "error_data": {"messaging_product": "whatsapp", "details": details}, **more}}


def error_of(response, call=SEND) -> D360Error:
    with pytest.raises(D360Error) as caught:
        read_response(call, response, [KEY])
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_2xx_with_an_id_is_a_message_accepted(status):
    body = {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+49151", "wa_id": "4915112345689", "user_id": "DE.1"}],
        "messages": [{"id": "wamid.1", "message_status": "accepted"}],
    }
    assert read_response(SEND, http_response(status, body), [KEY]) == Sent(
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
    assert read_response(SEND, http_response(201, body), [KEY]) == Sent("gBGG1")


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b'{"messages":[]}'])
def test_the_sandbox_may_answer_without_an_id(body):
    call = messages.send_message(SANDBOX, "4915112345689", text("Hi"))
    assert read_response(call, http_response(201, body), [KEY]) == Sent(None)


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
    error = error_of(http_response(200, body))
    assert type(error) is D360AmbiguousError
    assert error.detail.http_status == 200
    assert "before sending it again" in error.detail.remedy


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]"])
def test_a_2xx_that_cannot_be_read_is_worth_another_try_where_that_is_harmless(body):
    error = error_of(http_response(200, body), READ)
    assert type(error) is D360UnavailableError
    assert error.detail.retry_soon


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
    error = error_of(http_response(status, body))
    assert type(error) is kind
    assert error.detail.code == code
    assert error.detail.http_status == status
    assert error.detail.title
    assert error.detail.remedy


META_KINDS = {
    D360AuthError: [0, 3, 10, 190, 200, 299, 368, 1005, 130497, 131005, 131031, 131037, 131042, 131044, 131045,
                    133000, 133005, 133006, 133008, 133009, 133010, 133015],
    D360RateLimitError: [4, 613, 80007, 80008, 130429, 131048, 131056, 131057, 131064, 132069, 133016],
    D360AmbiguousError: [1, 2, 131000, 131016, 133004],
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
    error = error_of(http_response(status, meta(code)))
    assert type(error) is kind
    assert error.detail.fbtrace_id == "AbC1"
    assert error.detail.title == "Something"


PROVEN_REJECTED = {4, 80007, 80008, 130429, 131056}


@pytest.mark.parametrize("code", sorted({code for many in META_KINDS.values() for code in many}))
def test_only_five_codes_prove_that_a_send_may_go_again_at_once(code):
    assert error_of(http_response(400, meta(code))).detail.retry_soon is (code in PROVEN_REJECTED)


def test_a_429_may_go_again_unless_its_code_says_that_it_will_not_help():
    assert error_of(http_response(429)).detail.retry_soon
    assert error_of(http_response(429, meta(613))).detail.retry_soon
    assert not error_of(http_response(429, meta(131048))).detail.retry_soon


@pytest.mark.parametrize("code", [1, 2, 131000, 131016, 133004])
def test_what_is_ambiguous_for_a_send_is_an_outage_for_anything_else(code):
    error = error_of(http_response(500, meta(code)), READ)
    assert type(error) is D360UnavailableError
    assert error.detail.retry_soon
    assert error.detail.remedy == "Try again later."


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
    error = error_of(http_response(400, {"errors": [{"code": code, "title": "Title", "details": "Details"}]}))
    assert type(error) is kind
    assert str(error).startswith(f"{code} Title: Details (HTTP 400)")


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
    (500, "Rate limit: too many requests", D360AmbiguousError, None),  # a server that fails proves nothing
]


@pytest.mark.parametrize(("status", "sentence", "kind", "wait"), GATEWAY)
@pytest.mark.parametrize(
    "wrap", [lambda s: {"error": s}, lambda s: {"meta": {"developerMessage": s, "success": False}}]
)
def test_the_gateways_sentences_are_understood_in_both_generations(status, sentence, kind, wait, wrap):
    error = error_of(http_response(status, wrap(sentence)))
    assert type(error) is kind
    assert error.detail.retry_after_seconds == wait
    assert error.detail.retry_soon is (kind is D360RateLimitError)


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
    error = error_of(http_response(status, body))
    assert type(error) is kind
    assert error.detail.title == f"HTTP {status}"


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
    error = error_of(http_response(400, body))
    assert type(error) is D360RecipientError
    assert error.detail.code == 131047


@pytest.mark.parametrize("code", [True, None, "x", 1.5, [], 10**12, -1])
def test_a_code_that_is_none_leaves_the_decision_to_the_status(code):
    assert error_of(http_response(422, meta(code))).detail.code is None


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
    assert type(error_of(http_response(400, body))) is D360RequestError


def test_an_error_inside_a_2xx_is_an_error():
    assert type(error_of(http_response(200, meta(131047)))) is D360RecipientError
    assert (
        type(error_of(http_response(200, {"meta": {"success": False, "developer_message": "odd"}})))
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
        ("Sun, 22 Nov 2026 10:00:30 GMT", "Sun, 22 Nov 2026 10:00:00", 30.0),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "", None),
        ("soon", "Sun, 22 Nov 2026 10:00:00 GMT", None),
        ("inf", "", None),
        ("nan", "", None),
        ("", "", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date_beside_the_answers_own(header, date, seconds):
    headers = {"retry_after": header, **({"date": date} if date else {})}
    assert error_of(http_response(429, **headers)).detail.retry_after_seconds == seconds


DATE = "Sun, 06 Nov 1994 08:49:07 GMT"


@pytest.mark.parametrize(
    "header",
    [
        "30",
        " 30\t",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 10:49:37 +0200",
    ],
)
@pytest.mark.parametrize("date", [DATE, "Sunday, 06-Nov-94 08:49:07 GMT", "Sun Nov  6 08:49:07 1994"])
def test_every_form_of_retry_after_counts_from_the_responses_own_clock(header, date):
    assert (
        error_of(http_response(503, retry_after=header, date=date), READ).detail.retry_after_seconds == 30.0
    )


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("9" * 400, 604_800.0),
        ("99999999999", 604_800.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 604_800.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 +9999", None),
        ("3, 5", None),
        ("nan", None),
        ("infinity", None),
    ],
)
def test_an_absurd_retry_after_is_bounded_or_ignored(header, seconds):
    assert error_of(http_response(429, retry_after=header, date=DATE)).detail.retry_after_seconds == seconds


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_an_error_is_understood_in_every_charset(encoding):
    body = json.dumps(meta(190, "Ungültig: invalid key"), ensure_ascii=False).encode(encoding)
    error = error_of(http_response(400, body, content_type=f"application/json; charset={encoding}"))
    assert type(error) is D360AuthError
    assert error.detail.title == "…: invalid key"


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
        shown = str(error_of(http_response(status, body)))
        assert KEY not in shown
        assert "canary" not in shown
        assert "4915112345689" not in shown.replace(" ", "").replace("-", "")


def test_the_words_of_the_service_stay_in_an_error_and_those_of_the_message_do_not():
    call = messages.send_message(CLOUD, "4915112345689", template("daily_report", "en", body=["canary"]))
    words = "daily_report cannot hold canary"
    detail = error_of(http_response(400, meta(5, words, words)), call).detail
    assert (detail.title, detail.details) == ("daily_report cannot hold …", "daily_report cannot hold …")


def test_a_2xx_that_cannot_be_read_is_quoted_in_the_error():
    detail = error_of(http_response(200, b"not found")).detail
    assert (detail.details, detail.http_status) == ("not found", 200)


def test_a_response_that_may_hold_credentials_is_never_quoted():
    assert error_of(http_response(200, b"not found"), READ).detail.details == ""


@pytest.mark.parametrize("trace_id", ["AbC1", "ABCD", "abcd", "A-b_9"])
def test_the_id_of_a_request_is_kept_for_the_support(trace_id):
    body = meta(5)
    body["error"]["fbtrace_id"] = trace_id
    assert error_of(http_response(400, body)).detail.fbtrace_id == trace_id


def test_a_lost_response_says_whether_the_request_may_be_repeated():
    ambiguous, harmless = lost_response(SEND, "No response"), lost_response(READ, "No response")
    assert type(ambiguous) is D360AmbiguousError
    assert str(ambiguous).startswith("No response. The message may be on its way;")
    assert type(harmless) is D360UnavailableError
    assert (str(harmless), harmless.detail.retry_soon) == ("No response. Try again later.", True)


@pytest.mark.parametrize("retry_soon", [True, False])
def test_a_request_that_never_left_says_so(retry_soon):
    error = never_sent("Cannot connect", "name unknown", "Nothing was sent.", retry_soon=retry_soon)
    assert type(error) is D360UnavailableError
    assert str(error) == "Cannot connect: name unknown. Nothing was sent."
    assert error.detail.retry_soon is retry_soon
    assert never_sent("Cannot connect", "", "").detail.retry_soon is True


def test_a_long_or_binary_answer_becomes_a_short_printable_detail():
    for body in (b"\xff\n" + b"error \x1b" * 5000, b"\x00\xff\n" + b"error \x1b" * 5000):
        details = error_of(http_response(500, body)).detail.details
        assert 0 < len(details) <= 201
        assert details.isprintable()


def test_a_webhook_is_read_with_or_without_headers():
    read = webhooks.get_waba_webhook(CLOUD)
    body = {"waba_id": "1", "url": "https://a.b", "headers": {"X": "1"}, "phone_numbers": ["49151"]}
    assert read_response(read, http_response(200, body), [KEY]) == WebhookConfig(
        "https://a.b", {"X": "1"}, ("49151",)
    )
    assert read_response(READ, http_response(200, {"url": "", "headers": None}), [KEY]) == WebhookConfig(None)


def test_the_credentials_of_a_webhook_are_not_shown_by_repr():
    assert "secret" not in repr(WebhookConfig("https://a.b", {"Authorization": "Basic secret"}))


def test_marking_as_read_needs_nothing_but_a_2xx():
    assert read_response(messages.mark_as_read(CLOUD, "wamid.1"), http_response(200, b""), [KEY]) is None


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


@pytest.mark.parametrize(("body", "expected"), HEALTH)
def test_health_is_read_from_the_cloud_and_from_a_server(body, expected):
    assert read_response(health.health(CLOUD), http_response(200, body), [KEY]) == expected


@pytest.mark.parametrize("body", [{}, {"health_status": {}}, {"health": {}}, {"health": 1}])
def test_health_without_health_is_no_answer(body):
    assert type(error_of(http_response(200, body), health.health(CLOUD))) is D360UnavailableError


@pytest.mark.parametrize(
    ("code", "on_premise", "kind", "remedy"),
    [
        (131026, False, D360RecipientError, "not on WhatsApp"),
        (131047, False, D360RecipientError, "approved template"),
        (470, True, D360RecipientError, "approved template"),
        (131049, False, D360RecipientError, "24 hours"),
        (400, True, D360RequestError, "media's link"),
        (1005, False, D360AuthError, "on-premise API"),
        (1005, True, D360AuthError, "this number's API key"),
        (131000, False, D360UnavailableError, "again later"),
        (None, False, D360RequestError, "Correct the message"),
    ],
)
def test_a_failed_status_is_the_error_that_a_refusal_would_be(code, on_premise, kind, remedy):
    error = failed_status(code, "Failed for 4915112345689", "details", on_premise=on_premise)
    assert type(error) is kind
    assert remedy in error.detail.remedy
    assert error.detail.retry_soon is False
    assert "4915112345689" not in str(error)


def test_a_failed_status_without_words_still_says_something():
    assert str(failed_status(131026, "", "")).startswith("131026 The message failed.")


def test_a_failed_status_is_one_of_the_cloud_unless_it_came_from_on_premise():
    assert "on-premise API" in failed_status(1005, "", "").detail.remedy


def test_a_failed_status_knows_how_long_to_wait():
    assert failed_status(131049, "Not delivered", "").detail.retry_after_seconds == 86_400


def test_the_error_of_a_failed_status_has_the_services_details_and_the_condition():
    error = failed_status(131056, "Pair rate limit hit", "Too many messages")
    assert (error.detail.title, error.detail.details) == ("Pair rate limit hit", "Too many messages")
    assert error.detail.condition is Condition.PAIR_LIMIT

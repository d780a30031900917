"""Envelopes: the error is found wherever the gateway wraps it, and never in what the request itself says."""

import json

import pytest

from airflow_provider_d360.api.endpoints import media, messages, templates
from airflow_provider_d360.api.envelopes import find_error
from airflow_provider_d360.api.errors import (
    Condition,
    D360AmbiguousError,
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360RecipientError,
    D360RequestError,
)
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE
from airflow_provider_d360.api.responses import failed_status, read_response
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.messages import text

SEND = messages.send_message(CLOUD, "4915112345689", text("Hi"))
REASON = (
    "The account is locked because " + "a reason of many words follows here, " * 8 + "and this is its end."
)


def meta(code, message="(#{}) Something", details="", **more):
    error = {
        "message": message.format(code),
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": "AbC1",
        **more,
    }
    return {"error": {**error, "error_data": {"messaging_product": "whatsapp", "details": details}}}


def error_of(status, body, call=SEND) -> D360Error:
    raw = (
        body
        if isinstance(body, bytes)
        else body.encode()
        if isinstance(body, str)
        else json.dumps(body).encode()
    )
    with pytest.raises(D360Error) as caught:
        read_response(call, Response(status, {}, raw), [])
    return caught.value


def sentence(inner):
    return f"Error from upstream, status 400: {json.dumps(inner)} (request 7)"


WRAPPINGS = {
    "gateway": lambda inner: {"meta": {"success": False, "http_code": 400, "developer_message": sentence(inner)}},
    "old gateway": lambda inner: {"meta": {"success": False, "httpCode": 400, "developerMessage": json.dumps(inner)}},
    "new gateway": lambda inner: {"error": sentence(inner)},
    "a Meta error": lambda inner: {"error": {"message": sentence(inner), "code": 400}},
    "a Meta error's details": lambda inner: {"error": {"message": "Failed", "error_data": {"details": sentence(inner)}}},
    "the marketing API": lambda inner: {"detail": {"error": {"message": sentence(inner)}}},
    "on-premise": lambda inner: {"errors": [{"code": 1014, "title": "Internal error", "details": sentence(inner)}]},
    "plain text": sentence,
    "a JSON string": lambda inner: json.dumps(sentence(inner)),
    "escaped quotes": lambda inner: {"error": json.dumps(sentence(inner))},
    "the gateway twice": lambda inner: {
        "meta": {"success": False, "developer_message": sentence({"meta": {"success": False, "developer_message": sentence(inner)}})}
    },
}  # fmt: skip


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=list(WRAPPINGS))
@pytest.mark.parametrize(
    ("code", "kind", "soon"),
    [(190, D360AuthError, False), (131031, D360AuthError, False), (4, D360RateLimitError, True),
     (80008, D360RateLimitError, True), (131047, D360RecipientError, False), (132001, D360RequestError, False)],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 403, 500])
def test_an_error_wrapped_in_a_text_has_the_class_of_its_code(wrap, code, kind, soon, status):
    error = error_of(status, wrap(meta(code, details=REASON, error_subcode=2494055)))
    assert type(error) is kind
    assert error.detail.code == code
    assert error.detail.title == "Something"
    assert error.detail.retry_soon is soon
    assert "and this is its end." in str(error)
    assert "subcode 2494055" in str(error)


def test_an_on_premise_error_is_found_in_a_text_as_well():
    error = error_of(500, {"error": f"upstream: {json.dumps({'errors': [{'code': 470, 'title': 'Late'}]})}"})
    assert type(error) is D360RecipientError
    assert error.detail.code == 470


def test_an_error_behind_other_objects_and_broken_ones_is_found():
    error = error_of(500, f'request {{"id": 1}} failed {{"a": [ {json.dumps(meta(190))}')
    assert type(error) is D360AuthError


def test_a_wrapped_error_that_nobody_knows_leaves_the_decision_to_the_outer_one():
    error = error_of(400, meta(190, details=sentence({"error": {"code": 99, "message": "Odd"}})))
    assert type(error) is D360AuthError
    assert error.detail.code == 190


@pytest.mark.parametrize(
    "body",
    [
        {"error": "Failed: (#131047) Something"},
        {"meta": {"success": False, "developer_message": "(#131047) Something"}},
    ],
)
def test_a_code_that_stands_only_in_the_text_counts(body):
    error = error_of(400, body)
    assert type(error) is D360RecipientError
    assert error.detail.code == 131047


@pytest.mark.parametrize(
    "message", [json.dumps(meta(4)), 'look: {"error": {"code": 4, "message": "so"}}', "ticket (#4)"]
)
@pytest.mark.parametrize(
    "quote", [lambda quoted: {"error": f"Cannot process {quoted}"}, lambda quoted: f"Cannot process {quoted}"]
)
def test_a_message_that_reads_like_an_error_proves_nothing_when_a_response_quotes_it(message, quote):
    call = messages.send_message(CLOUD, "4915112345689", text(message))
    error = error_of(500, quote(message), call)
    assert type(error) is D360AmbiguousError
    assert error.detail.code is None


KEY_CODE = {"message": "x", "code": 190}
WRITTEN = {
    "a string": {"error": {**KEY_CODE, "code": "190"}},
    "a float": {"error": {**KEY_CODE, "code": 190.0}},
    "a float as string": {"error": {**KEY_CODE, "code": "190.0"}},
    "a number sign": {"error": {**KEY_CODE, "code": "#190"}},
    "a list of errors": {"error": [KEY_CODE]},
    "errors as an object": {"errors": {"title": "x", "code": 190}},
    "the second of the errors": {"errors": [{"title": "x"}, KEY_CODE]},
    "a body that is a list": [{"error": KEY_CODE}],
    "an error in an error": {"error": {"error": KEY_CODE}},
    "a detail that is text": {"detail": json.dumps({"error": KEY_CODE})},
    "a list of details": {"detail": [{"error": KEY_CODE}]},
    "details in details": {"detail": {"detail": {"error": KEY_CODE}}},
    "an object as the gateway's message": {
        "meta": {"success": False, "developer_message": {"error": KEY_CODE}}
    },
    "a gateway that says no success": {
        "meta": {"developer_message": f"Bad: {json.dumps({'error': KEY_CODE})}"}
    },
    "a success in words": {"meta": {"success": "false", "developerMessage": json.dumps({"error": KEY_CODE})}},
    "a message that is JSON": {"message": json.dumps({"error": KEY_CODE})},
    "a response in a response": {"response": {"error": KEY_CODE}},
    "no envelope": KEY_CODE,
    "HTML": "<p>{&quot;error&quot;: {&quot;message&quot;: &quot;x&quot;, &quot;code&quot;: 190}}</p>",
    "words with a code": {"error": "Error 190: x"},
    "words with a code after a colon": {"error": "x (code: 190)"},
}


@pytest.mark.parametrize("body", WRITTEN.values(), ids=WRITTEN)
def test_a_code_has_its_meaning_however_it_is_written_and_wrapped(body):
    error = error_of(400, body)
    assert (type(error), error.detail.code, error.detail.condition) == (
        D360AuthError,
        190,
        Condition.KEY_REJECTED,
    )


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ("Error 190: x", {"error": "Error 190: x"}),
        ("Dear Ann, error 190 again", {"error": "Invalid: Dear Ann, error 190"}),
        ("x (code: 190)", {"error": "x (code: 190)"}),
        (json.dumps({"error": KEY_CODE}), {"message": json.dumps({"error": KEY_CODE})}),
        ("Hi", {"error": "x", "data": {"error": KEY_CODE}}),
        ("Hi", {"error": "x", "text": {"error": KEY_CODE}}),
    ],
)
def test_a_code_that_may_be_quoted_from_the_message_means_nothing(said, body):
    call = messages.send_message(CLOUD, "4915112345689", text(said))
    assert type(error_of(400, body, call)) is D360RequestError


@pytest.mark.parametrize("code", [True, -1, "", "x", 1e30, 190.5, {"value": 190}, None, "190 or 4"])
def test_what_is_no_code_is_none(code):
    assert error_of(400, {"error": {"message": "x", "code": code}}).detail.code is None


def test_a_success_is_not_searched_for_errors():
    assert find_error(json.dumps({"detail": [{"error": KEY_CODE}]})) is None
    assert find_error(json.dumps({"code": 190, "message": "x"})) is None


def test_texts_without_end_are_given_up():
    body: object = meta(190, "Something")
    for _ in range(30):
        body = {"error": sentence(body)}
        if len(json.dumps(body)) > 10_000:
            break
    assert type(error_of(500, body)) is D360AmbiguousError
    assert find_error('{"a": 1} ' * 100) is None
    assert find_error("{" * 30_000) is None
    assert find_error('{"a":' * 30_000) is None


WINDOW_CLOSED = [
    meta(131047),
    {"errors": [{"code": 470, "title": "Too late"}]},
    {"errors": [{"code": 131047, "title": "Too late"}]},
    meta(470),
    {"error": sentence(meta(131047))},
    {"error": "Message failed to send because more than 24 hours have passed since the customer last replied to this number."},
    {"error": "Re-engagement message"},
    meta(100, "Invalid parameter", "Re-engagement message") | {"error": {"message": "Re-engagement message"}},
    {"meta": {"success": False, "developer_message": "The message was sent outside the allowed 24-hour window"}},
    {"meta": {"success": False, "developerMessage": "Customer service window is closed"}},
    "The 24 hour window has expired",
]  # fmt: skip


@pytest.mark.parametrize("body", WINDOW_CLOSED)
def test_a_closed_window_is_one_condition_however_it_is_stated(body):
    error = error_of(400, body)
    assert type(error) is D360RecipientError
    assert error.detail.condition is Condition.WINDOW_CLOSED
    assert "approved template" in error.detail.remedy


@pytest.mark.parametrize(
    ("code", "title", "on_premise"),
    [(131047, "", False), (470, "", True), (470, "", False), (None, "Re-engagement message", False)],
)
def test_a_closed_window_is_the_same_condition_in_a_status(code, title, on_premise):
    error = failed_status(code, title, "", on_premise=on_premise)
    assert error.detail.condition is Condition.WINDOW_CLOSED


@pytest.mark.parametrize("code", [400, 401, 402, 404, 408, 410, 429, 430, 500, 501])
def test_a_code_that_looks_like_an_http_status_is_no_on_premise_code(code):
    error = error_of(422, meta(code))
    assert type(error) is D360RequestError
    assert "details name the parameter" in error.detail.remedy


@pytest.mark.parametrize(
    "body",
    [
        meta(190),
        {"error": "Invalid API key"},
        {"meta": {"success": False, "developer_message": "token expired"}},
    ],
)
def test_a_rejected_key_is_known_from_the_account_whatever_the_status(body):
    assert error_of(400, body).detail.condition is Condition.KEY_REJECTED
    assert error_of(403, meta(131031)).detail.condition is None


TEMPLATES = [
    (404, {"meta": {"success": False, "http_code": 404, "developer_message": "Template not found"}}),
    (404, {"error": "Template not found"}),
    (400, {"error": "The template alert does not exist in en"}),
    (404, meta(132001)),
    (404, meta(100, "Invalid parameter", "Message template does not exist")),
    (404, {"errors": [{"code": 2001, "title": "Template does not exist"}]}),
]
MEDIA = [
    (404, {"meta": {"success": False, "http_code": 404, "developer_message": "Media not found"}}),
    (400, meta(100, "Unsupported get request. Object with ID '12' does not exist", error_subcode=33)),
    (400, meta(131009, "Parameter value is not valid", "Media id 12 doesn't exist")),
    (404, {"errors": [{"code": 1006, "title": "Resource not found", "details": "Unknown media id"}]}),
    (400, {"error": "Invalid media ID"}),
]


@pytest.mark.parametrize(("status", "body"), TEMPLATES)
def test_an_unknown_template_is_no_wrong_host(status, body):
    error = error_of(status, body, templates.delete_template(CLOUD, "alert"))
    assert type(error) is D360RequestError
    assert "template's name and language" in error.detail.remedy


@pytest.mark.parametrize(("status", "body"), MEDIA)
@pytest.mark.parametrize("hosting", [CLOUD, ON_PREMISE])
def test_an_unknown_media_id_is_no_wrong_host(status, body, hosting):
    error = error_of(status, body, media.delete_media(hosting, "12"))
    assert type(error) is D360RequestError
    assert "30 days" in error.detail.remedy


def test_a_404_of_the_api_names_the_id_first_and_one_of_another_server_the_host():
    assert "the id or the name" in error_of(404, {"error": "Not Found"}).detail.remedy
    assert "host and hosting" in error_of(404, b"<html>nginx</html>").detail.remedy
    assert "the id or the name" not in error_of(404, b"<html>nginx</html>").detail.remedy


def test_a_sentence_beside_a_generic_code_names_the_fault_but_never_permits_a_retry():
    error = error_of(400, meta(100, "Invalid parameter", "the name rate limit is not allowed"))
    assert type(error) is D360RequestError
    assert error.detail.retry_soon is False


def test_135000_is_a_wrong_parameter_at_sending_and_a_dropped_message_in_a_status():
    assert type(error_of(400, meta(135000))) is D360RequestError
    error = failed_status(135000, "Generic user error", "")
    assert type(error) is D360AuthError
    assert "stop sending templates" in error.detail.remedy


@pytest.mark.parametrize(
    ("code", "wait"),
    [(131057, 60.0), (132069, 3600.0), (134101, 600.0), (131049, 86_400.0), (133016, 259_200.0)],
)
def test_a_code_with_a_documented_wait_says_how_long(code, wait):
    detail = error_of(500, meta(code)).detail
    assert detail.retry_after_seconds == wait
    assert detail.retry_soon is False

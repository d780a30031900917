"""Calls: the brief's bodies byte for byte, each hosting's dialect, and clear refusals of the impossible."""

import datetime
import json

import pytest

from airflow_provider_d360.api import calls
from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.hosting import CLOUD, HOSTINGS, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.wire import Call, Request
from airflow_provider_d360.messages import text

NUMBER = "4915112345689"


def sent(call):
    return call.request.method, call.request.path, call.request.body.decode()


def test_the_cloud_text_of_the_brief_is_reproduced_byte_for_byte():
    call = calls.send_message(CLOUD, NUMBER, text("Hello, dear customer!"))
    brief = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": NUMBER,
        "type": "text",
        "text": {"body": "Hello, dear customer!"},
    }
    assert sent(call) == ("POST", "/messages", json.dumps(brief, separators=(",", ":")))
    assert call.request.headers == {"Accept": "application/json", "Content-Type": "application/json"}


def test_the_on_premise_text_of_the_brief_is_reproduced_byte_for_byte():
    call = calls.send_message(ON_PREMISE, NUMBER, text("your-message-content"))
    brief = {
        "recipient_type": "individual",
        "to": NUMBER,
        "type": "text",
        "text": {"body": "your-message-content"},
    }
    assert sent(call) == ("POST", "/v1/messages", json.dumps(brief, separators=(",", ":")))


def test_the_webhook_bodies_of_the_brief_are_reproduced_byte_for_byte():
    url, token = "https://yourwebhook.example.com", "dGVzdHVzZXI6dGVzdHBhc3M="
    plain, login = (
        calls.set_webhook(CLOUD, url),
        calls.set_webhook(CLOUD, url, {"Authorization": f"Basic {token}"}),
    )
    assert sent(plain) == ("POST", "/v1/configs/webhook", f'{{"url":"{url}"}}')
    assert sent(login)[2] == f'{{"url":"{url}","headers":{{"Authorization":"Basic {token}"}}}}'


@pytest.mark.parametrize("hosting", HOSTINGS.values(), ids=HOSTINGS)
@pytest.mark.parametrize(
    "url",
    ["https://yourwebhook.example.com", "https://subdomain.yourwebhook.example.com", "https://a.b/d_360?x=1"],
)
def test_the_valid_webhook_urls_of_the_brief_are_taken_everywhere(hosting, url):
    calls.check_webhook_url(hosting, url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://your_webhook.example.com", "underscore"),
        ("https://subdomain.your_webhook.example.com:3000", "port"),
        ("https://yourwebhook.example.com:443", "port"),
    ],
)
def test_the_invalid_webhook_urls_of_the_brief_are_refused_on_cloud_only(url, said):
    with pytest.raises(D360RequestError, match=said):
        calls.check_webhook_url(CLOUD, url)
    calls.check_webhook_url(ON_PREMISE, url)


@pytest.mark.parametrize("hosting", HOSTINGS.values(), ids=HOSTINGS)
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com", "whole https URL"),
        ("example.com/hook", "whole https URL"),
        ("https://", "whole https URL"),
        ("https://exa mple.com", "whole https URL"),
        ("https://user:secret@example.com", "login"),
        ("https://[::1", "cannot be read"),
        ("https://example.com:x", "cannot be read"),
    ],
)
def test_what_is_no_public_https_url_is_refused_everywhere(hosting, url, said):
    with pytest.raises(D360RequestError, match=said) as caught:
        calls.check_webhook_url(hosting, url)
    assert "secret" not in str(caught.value)


def test_a_send_is_not_repeatable_and_everything_else_is():
    others: list[Call] = [
        calls.mark_as_read(CLOUD, "wamid.1"),
        calls.check_contacts(ON_PREMISE, ["+4915112345689"]),
        calls.get_webhook(CLOUD),
        calls.set_webhook(CLOUD, "https://a.b"),
        calls.get_waba_webhook(CLOUD),
        calls.set_waba_webhook(CLOUD, "https://a.b"),
        calls.health(CLOUD),
    ]
    assert calls.send_message(CLOUD, NUMBER, text("Hi")).repeatable is False
    assert {call.repeatable for call in others} == {True}


def test_reply_and_callback_data_stand_beside_the_content():
    call = calls.send_message(
        CLOUD, "BR.1502", text("Hi"), reply_to="wamid.1", biz_opaque_callback_data="intent-1"
    )
    assert json.loads(call.request.body) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "recipient": "BR.1502",
        "type": "text",
        "text": {"body": "Hi"},
        "context": {"message_id": "wamid.1"},
        "biz_opaque_callback_data": "intent-1",
    }


def test_on_premise_gets_neither_product_nor_callback_data():
    message = {"messaging_product": "whatsapp", **text("Hi")}
    call = calls.send_message(ON_PREMISE, NUMBER, message, biz_opaque_callback_data="intent-1")
    assert sorted(json.loads(call.request.body)) == ["recipient_type", "text", "to", "type"]


def test_the_sandbox_takes_the_clouds_body_on_the_old_path():
    method, path, body = sent(calls.send_message(SANDBOX, NUMBER, text("Hi")))
    assert (method, path) == ("POST", "/v1/messages")
    assert '"messaging_product":"whatsapp"' in body


@pytest.mark.parametrize("field", ["to", "recipient", "recipient_type"])
def test_a_recipient_inside_the_message_is_refused(field):
    with pytest.raises(D360RequestError, match=f"message holds '{field}'"):
        calls.send_message(CLOUD, NUMBER, {field: "x", **text("Hi")})


def test_two_quoted_messages_are_refused():
    with pytest.raises(D360RequestError, match="Give one of the two"):
        calls.send_message(CLOUD, NUMBER, {"context": {"message_id": "a"}, **text("Hi")}, reply_to="b")


def loop():
    endless: dict = {}
    endless["again"] = endless
    return endless


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ({"text": {"body": datetime.date(2026, 1, 1)}}, "type date at text.body"),
        ({"list": [1, ("fine", float("nan"))]}, "type float at list[1][1]"),
        ({"text": "\ud800"}, "type str at text"),
        ({"deep": loop()}, "type dict at deep.again"),
    ],
)
def test_what_json_cannot_say_is_named_with_its_place(content, where):
    with pytest.raises(D360RequestError) as caught:
        calls.send_message(CLOUD, NUMBER, content)
    assert where in str(caught.value)


def test_marking_as_read_is_a_post_on_cloud_and_a_put_on_premise():
    assert sent(calls.mark_as_read(CLOUD, "wamid.1")) == (
        "POST",
        "/messages",
        '{"messaging_product":"whatsapp","status":"read","message_id":"wamid.1"}',
    )
    assert sent(calls.mark_as_read(ON_PREMISE, "gB/1=")) == (
        "PUT",
        "/v1/messages/gB%2F1%3D",
        '{"status":"read"}',
    )


def test_typing_is_shown_on_cloud_and_refused_on_premise():
    assert json.loads(calls.mark_as_read(CLOUD, "wamid.1", typing=True).request.body)["typing_indicator"] == {
        "type": "text"
    }
    with pytest.raises(D360RequestError, match="on_premise hosting has no typing indicator"):
        calls.mark_as_read(ON_PREMISE, "gB1", typing=True)


def test_contacts_are_checked_on_premise_only():
    assert sent(
        calls.check_contacts(ON_PREMISE, ["+4915112345689"], blocking="no_wait", force_check=True)
    ) == (
        "POST",
        "/v1/contacts",
        '{"blocking":"no_wait","contacts":["+4915112345689"],"force_check":true}',
    )
    with pytest.raises(D360RequestError, match="cloud hosting has no contact check"):
        calls.check_contacts(CLOUD, ["+4915112345689"])


def test_the_account_webhook_exists_on_cloud_only():
    call = calls.set_waba_webhook(CLOUD, "https://a.b", {"X-Token": "t"}, override_all=True)
    assert sent(call) == (
        "POST",
        "/waba_webhook",
        '{"url":"https://a.b","headers":{"X-Token":"t"},"override_all":true}',
    )
    for refused in (calls.get_waba_webhook, lambda hosting: calls.set_waba_webhook(hosting, "https://a.b")):
        with pytest.raises(D360RequestError, match="on_premise hosting has no WABA-level webhook"):
            refused(ON_PREMISE)


def test_health_has_its_own_path_on_each_hosting_and_none_on_the_sandbox():
    assert calls.health(CLOUD).request == Request("GET", "/health_status", {"Accept": "application/json"})
    assert calls.health(ON_PREMISE).request.path == "/v1/health"
    with pytest.raises(D360RequestError, match="sandbox hosting has no health endpoint"):
        calls.health(SANDBOX)


def test_no_body_and_no_private_string_is_shown_by_repr():
    shown = repr(calls.send_message(CLOUD, NUMBER, text("a private text")))
    assert "private text" not in shown
    assert NUMBER not in shown

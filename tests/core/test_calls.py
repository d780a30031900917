"""Calls: the brief's bodies byte for byte, each hosting's dialect, and clear refusals of the impossible."""

import datetime
import json

import pytest

from airflow_provider_d360.api.endpoints import health, messages, webhooks
from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.hosting import CLOUD, HOSTINGS, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.wire import Call, Request
from airflow_provider_d360.messages import location_request, reaction, text

NUMBER = "4915112345689"


def sent(call):
    return call.request.method, call.request.path, call.request.body.decode()


def test_the_cloud_text_of_the_brief_is_reproduced_byte_for_byte():
    call = messages.send_message(CLOUD, NUMBER, text("Hello, dear customer!"))
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
    call = messages.send_message(ON_PREMISE, NUMBER, text("your-message-content"))
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
        webhooks.set_webhook(CLOUD, url),
        webhooks.set_webhook(CLOUD, url, {"Authorization": f"Basic {token}"}),
    )
    assert sent(plain) == ("POST", "/v1/configs/webhook", f'{{"url":"{url}"}}')
    assert sent(login)[2] == f'{{"url":"{url}","headers":{{"Authorization":"Basic {token}"}}}}'


@pytest.mark.parametrize("hosting", HOSTINGS.values(), ids=HOSTINGS)
@pytest.mark.parametrize(
    "url",
    ["https://yourwebhook.example.com", "https://subdomain.yourwebhook.example.com", "https://a.b/d_360?x=1"],
)
def test_the_valid_webhook_urls_of_the_brief_are_taken_everywhere(hosting, url):
    webhooks.check_webhook_url(hosting, url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://your_webhook.example.com", "underscore"),
        ("https://subdomain.your_webhook.example.com:3000", "port"),
        ("https://yourwebhook.example.com:443", "port"),
    ],
)
def test_the_invalid_webhook_urls_of_the_brief_are_refused_on_cloud_only(url, reason):
    with pytest.raises(D360RequestError, match=reason):
        webhooks.check_webhook_url(CLOUD, url)
    webhooks.check_webhook_url(ON_PREMISE, url)


@pytest.mark.parametrize("hosting", HOSTINGS.values(), ids=HOSTINGS)
@pytest.mark.parametrize(
    ("url", "reason"),
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
def test_what_is_no_public_https_url_is_refused_everywhere(hosting, url, reason):
    with pytest.raises(D360RequestError, match=reason) as caught:
        webhooks.check_webhook_url(hosting, url)
    assert "secret" not in str(caught.value)


def test_a_send_is_not_repeatable_and_everything_else_is():
    others: list[Call] = [
        messages.mark_as_read(CLOUD, "wamid.1"),
        webhooks.get_webhook(CLOUD),
        webhooks.set_webhook(CLOUD, "https://a.b"),
        webhooks.get_waba_webhook(CLOUD),
        webhooks.set_waba_webhook(CLOUD, "https://a.b"),
        health.health(CLOUD),
    ]
    assert messages.send_message(CLOUD, NUMBER, text("Hi")).repeatable is False
    assert {call.repeatable for call in others} == {True}


def test_reply_and_callback_data_stand_beside_the_content():
    call = messages.send_message(
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
    call = messages.send_message(ON_PREMISE, NUMBER, message, biz_opaque_callback_data="intent-1")
    assert sorted(json.loads(call.request.body)) == ["recipient_type", "text", "to", "type"]


def test_the_sandbox_takes_the_clouds_body_on_the_old_path():
    method, path, body = sent(messages.send_message(SANDBOX, NUMBER, text("Hi")))
    assert (method, path) == ("POST", "/v1/messages")
    assert '"messaging_product":"whatsapp"' in body


@pytest.mark.parametrize("field", ["to", "recipient", "recipient_type"])
def test_a_recipient_inside_the_message_is_refused(field):
    with pytest.raises(D360RequestError, match=f"message holds '{field}'"):
        messages.send_message(CLOUD, NUMBER, {field: "x", **text("Hi")})


def test_two_quoted_messages_are_refused():
    with pytest.raises(D360RequestError, match="Give one of the two"):
        messages.send_message(CLOUD, NUMBER, {"context": {"message_id": "a"}, **text("Hi")}, reply_to="b")


def test_callback_data_inside_the_message_is_sent_unchanged():
    message = {**text("Hi"), "biz_opaque_callback_data": "order-42"}
    call = messages.send_message(CLOUD, NUMBER, message, biz_opaque_callback_data="intent-1")
    assert json.loads(call.request.body)["biz_opaque_callback_data"] == "order-42"
    none = {**text("Hi"), "biz_opaque_callback_data": None}
    call = messages.send_message(CLOUD, NUMBER, none, biz_opaque_callback_data="intent-1")
    assert json.loads(call.request.body)["biz_opaque_callback_data"] == "intent-1"


def test_another_product_in_the_message_changes_nothing():
    call = messages.send_message(CLOUD, NUMBER, {"messaging_product": "telegram", **text("Hi")})
    assert json.loads(call.request.body)["messaging_product"] == "whatsapp"


def odd(value):
    """A value that no type checker lets through."""
    return value


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"biz_opaque_callback_data": ""}, "biz_opaque_callback_data is empty"),
        ({"biz_opaque_callback_data": " "}, "biz_opaque_callback_data is empty"),
        ({"biz_opaque_callback_data": "x" * 513}, "biz_opaque_callback_data has 513 characters, at most 512"),
        ({"biz_opaque_callback_data": 42}, "biz_opaque_callback_data must be a string, not int"),
        ({"biz_opaque_callback_data": ["a"]}, "biz_opaque_callback_data must be a string, not list"),
        ({"reply_to": ""}, "reply_to is missing: the value is empty"),
        ({"reply_to": "None"}, "reply_to is missing: the value is None"),
        ({"reply_to": 42}, "reply_to must be a string, not int"),
        ({"reply_to": ["wamid.1"]}, "reply_to must be a string, not list"),
        ({"recipient_type": "Individual"}, "recipient_type"),
    ],
)
@pytest.mark.parametrize("hosting", [CLOUD, ON_PREMISE], ids=["cloud", "on_premise"])
def test_an_argument_of_a_wrong_type_or_length_is_refused_by_name(hosting, arguments, problem):
    with pytest.raises(D360RequestError, match=problem):
        messages.send_message(hosting, NUMBER, text("Hi"), **odd(arguments))


def test_the_longest_callback_data_passes():
    messages.send_message(CLOUD, NUMBER, text("Hi"), biz_opaque_callback_data="x" * 512)


def test_a_reaction_quotes_nothing():
    with pytest.raises(D360RequestError, match="reply_to is given for a reaction"):
        messages.send_message(CLOUD, NUMBER, reaction("wamid.1", "👍"), reply_to="wamid.2")


def test_a_group_takes_no_interactive_message():
    with pytest.raises(D360RequestError, match="groups do not take"):
        messages.send_message(CLOUD, "g1", location_request("Where?"), recipient_type="group")


@pytest.mark.parametrize("message_id", ["", None, "None", 7])
@pytest.mark.parametrize("hosting", [CLOUD, ON_PREMISE], ids=["cloud", "on_premise"])
def test_nothing_is_marked_as_read_without_an_id(hosting, message_id):
    with pytest.raises(D360RequestError, match=r"message_id (is missing|must be a string)"):
        messages.mark_as_read(hosting, message_id)


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
        ({"deep": loop()}, "type dict at ….again"),
    ],
)
def test_what_json_cannot_say_is_named_with_its_place(content, where):
    with pytest.raises(D360RequestError) as caught:
        messages.send_message(CLOUD, NUMBER, content)
    assert where in str(caught.value)


def test_marking_as_read_is_a_post_on_cloud_and_a_put_on_premise():
    assert sent(messages.mark_as_read(CLOUD, "wamid.1")) == (
        "POST",
        "/messages",
        '{"messaging_product":"whatsapp","status":"read","message_id":"wamid.1"}',
    )
    assert sent(messages.mark_as_read(ON_PREMISE, "gB/1=")) == (
        "PUT",
        "/v1/messages/gB%2F1%3D",
        '{"status":"read"}',
    )


def test_typing_is_shown_on_cloud_and_refused_on_premise():
    assert json.loads(messages.mark_as_read(CLOUD, "wamid.1", typing=True).request.body)[
        "typing_indicator"
    ] == {"type": "text"}
    with pytest.raises(D360RequestError, match="on_premise hosting has no typing indicator"):
        messages.mark_as_read(ON_PREMISE, "gB1", typing=True)


@pytest.mark.parametrize("flag", ["false", "true", 0, 1, None, "", [], "maybe"])
def test_what_is_no_boolean_is_not_read_as_one(flag):
    with pytest.raises(D360RequestError, match="typing must be True or False"):
        messages.mark_as_read(CLOUD, "wamid.1", typing=flag)
    with pytest.raises(D360RequestError, match="override_all must be True or False"):
        webhooks.set_waba_webhook(CLOUD, "https://a.b", override_all=flag)


def test_the_account_webhook_exists_on_cloud_only():
    call = webhooks.set_waba_webhook(CLOUD, "https://a.b", {"X-Token": "t"}, override_all=True)
    assert sent(call) == (
        "POST",
        "/waba_webhook",
        '{"url":"https://a.b","headers":{"X-Token":"t"},"override_all":true}',
    )
    for refused in (
        webhooks.get_waba_webhook,
        lambda hosting: webhooks.set_waba_webhook(hosting, "https://a.b"),
    ):
        with pytest.raises(D360RequestError, match="on_premise hosting has no WABA-level webhook"):
            refused(ON_PREMISE)


def test_health_has_its_own_path_on_each_hosting_and_none_on_the_sandbox():
    assert health.health(CLOUD).request == Request("GET", "/health_status", {"Accept": "application/json"})
    assert health.health(ON_PREMISE).request.path == "/v1/health"
    with pytest.raises(D360RequestError, match="sandbox hosting has no health endpoint"):
        health.health(SANDBOX)


def test_no_body_and_no_private_string_is_shown_by_repr():
    shown = repr(messages.send_message(CLOUD, NUMBER, text("a private text")))
    assert "private text" not in shown
    assert NUMBER not in shown


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.1.2.3", "192.168.1.1", "[::1]"])
def test_a_webhook_on_a_private_network_is_refused_with_what_to_do_instead(host):
    with pytest.raises(D360RequestError, match=r"(?s)cannot reach.*use the emulator"):
        webhooks.check_webhook_url(CLOUD, f"https://{host}/d360")

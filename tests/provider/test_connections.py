"""Every way of writing a connection works, and a wrong one is an error that names the field."""

import json

import pytest
from airflow.sdk import BaseHook, Connection

from airflow_provider_d360.api.errors import D360AuthError, D360Error, D360RequestError
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.hooks.connections import read_settings, webhook_headers, webhook_login
from airflow_provider_d360.transport.settings import ConnectionSettings

KEY = "key-canary-7f3a"


def connection(**fields):
    extra = fields.pop("extra", None)
    text = json.dumps(extra) if isinstance(extra, dict) else extra
    return Connection(conn_id="d360_default", conn_type="d360", **{"password": KEY, "extra": text, **fields})


EXTRAS = {"hosting": "sandbox", "timeout_seconds": 5, "max_attempts": 2}
NESTED = "%7B%22hosting%22%3A%22sandbox%22%2C%22timeout_seconds%22%3A5%2C%22max_attempts%22%3A2%7D"
SPELLINGS = {
    "JSON with an extra object": json.dumps({"conn_type": "d360", "password": KEY, "extra": EXTRAS}),
    "JSON with an extra string": json.dumps(
        {"conn_type": "d360", "password": KEY, "extra": json.dumps(EXTRAS)}
    ),
    "URI with extras as strings": f"d360://:{KEY}@/?hosting=sandbox&timeout_seconds=5&max_attempts=2",
    "URI with a nested extra": f"d360://:{KEY}@/?__extra__={NESTED}",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_in_the_environment_gives_the_same_account(monkeypatch, spelling):
    monkeypatch.setenv("AIRFLOW_CONN_SPELT", spelling)
    assert read_settings(BaseHook.get_connection("spelt")) == ConnectionSettings(
        SANDBOX, KEY, SANDBOX.base_url, 5.0, 2
    )


def test_the_form_sends_empty_strings_for_what_was_left_alone():
    extra = {**EXTRAS, "webhook_username": "", "webhook_password": None}
    typed = connection(host="", login="", schema="", port=None, extra=extra)
    assert read_settings(typed) == ConnectionSettings(SANDBOX, KEY, SANDBOX.base_url, 5.0, 2)


def test_a_key_is_all_that_a_connection_needs():
    assert read_settings(connection()) == ConnectionSettings(
        CLOUD, KEY, "https://waba-v2.360dialog.io", 30.0, 3
    )


@pytest.mark.parametrize("written", ["on_premise", "On-Premise", " ON_PREMISE "])
def test_the_hosting_may_be_written_with_a_dash_and_in_any_case(written):
    assert read_settings(connection(extra={"hosting": written})).hosting is ON_PREMISE


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "https://gate.example/d360/"}, "https://gate.example/d360"),
        ({"host": "gate.example"}, "https://gate.example"),
        ({"host": "http://127.0.0.1", "port": 8360}, "http://127.0.0.1:8360"),
        ({"host": " http://127.0.0.1:8360 "}, "http://127.0.0.1:8360"),
    ],
)
def test_a_host_overrides_the_base_url(fields, url):
    assert read_settings(connection(**fields)).base_url == url


def test_a_key_copied_with_a_line_break_still_works():
    assert read_settings(connection(password=f" {KEY}\n")).api_key == KEY


WRONG = {
    "no password": ({"password": ""}, "the password is empty"),
    "password None": ({"password": None}, "the password is empty"),
    "password with a line break inside": ({"password": f"{KEY}\nX: y"}, "the password holds characters"),
    "password with an umlaut": ({"password": f"{KEY}ü"}, "the password holds characters"),
    "unknown hosting": (
        {"extra": {"hosting": "clod"}},
        "extra 'hosting' must be one of cloud, on_premise, sandbox",
    ),
    "misspelt extra": ({"extra": {"hostng": "cloud"}}, "extra 'hostng' is unknown"),
    "extra no JSON": ({"extra": f"{{{KEY}"}, "extra is not JSON"),
    "extra a list": ({"extra": "[1]"}, "extra is not a JSON object"),
    "timeout a word": ({"extra": {"timeout_seconds": "long"}}, "extra 'timeout_seconds' must be a number"),
    "timeout zero": (
        {"extra": {"timeout_seconds": 0}},
        "extra 'timeout_seconds' must be a number from 0.1 to 600",
    ),
    "timeout true": ({"extra": {"timeout_seconds": True}}, "extra 'timeout_seconds'"),
    "timeout nan": ({"extra": {"timeout_seconds": "nan"}}, "extra 'timeout_seconds'"),
    "attempts none": (
        {"extra": {"max_attempts": "0"}},
        "extra 'max_attempts' must be a whole number from 1 to 10",
    ),
    **{
        f"attempts {value!r}": ({"extra": {"max_attempts": value}}, "extra 'max_attempts' must be a whole")
        for value in (2.7, "2.7", "1_0", "٣", "3e0", True, [3], {"a": 1}, "0x3", -1, "-1")
    },
    **{
        f"share {value!r}": ({"extra": {"incoming_share": value}}, "extra 'incoming_share' must be")
        for value in ("x", -0.1, 0.91, True, "nan")
    },
    **{
        f"rate {value!r}": ({"extra": {"messages_per_second": value}}, "extra 'messages_per_second' must be")
        for value in ("1_0", "٣", "inf", "nan", True, [3], -1, "1,5", "80/s", 0)
    },
    "plain http": ({"host": "http://waba-v2.360dialog.io"}, "host is not usable"),
    "broken host": ({"host": "http://[::1"}, "host"),
}


@pytest.mark.parametrize(("fields", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_connection_names_its_field_and_never_the_key(fields, said):
    with pytest.raises(D360Error) as caught:
        read_settings(connection(**fields))
    assert type(caught.value) is (D360AuthError if "password" in said else D360RequestError)
    assert said in str(caught.value)
    assert caught.value.detail.remedy
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("value", [None, "None", "nan", "", " ", float("nan"), True, ["secret"], 1.5])
def test_a_header_without_a_value_is_refused_and_not_sent_as_a_word(value):
    with pytest.raises(D360RequestError, match=r"headers\['X-Token'\] is missing") as caught:
        webhook_headers(connection(), {"X-Token": value})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("headers", ["X-Token: secret", ["secret"], 7])
def test_headers_that_are_no_mapping_are_refused(headers):
    with pytest.raises(D360RequestError, match="headers is no mapping") as caught:
        webhook_headers(connection(), headers)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [7, "7"])
def test_a_number_may_be_the_value_of_a_header(value):
    assert webhook_headers(connection(), {"X-Tenant": value}) == {"X-Tenant": "7"}


def test_a_webhook_login_becomes_the_basic_header_of_the_brief():
    login = {"webhook_username": "testuser", "webhook_password": "testpass"}
    assert webhook_login(connection(extra=login)) == {"Authorization": "Basic dGVzdHVzZXI6dGVzdHBhc3M="}
    assert webhook_login(connection()) == {}


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ({"webhook_username": "u"}, "webhook_password is empty"),
        ({"webhook_password": "secret"}, "webhook_username is empty"),
        ({"webhook_username": ["secret"], "webhook_password": "secret"}, "must be a text, not list"),
        ({"webhook_username": True, "webhook_password": "secret"}, "must be a text, not bool"),
        ({"webhook_username": "u", "webhook_password": {"a": "secret"}}, "must be a text, not dict"),
        ({"webhook_username": "a:b", "webhook_password": "secret"}, "webhook_username holds a colon"),
    ],
)
def test_half_a_webhook_login_is_refused(login, said):
    with pytest.raises(D360RequestError, match=said) as caught:
        webhook_login(connection(extra=login))
    assert "secret" not in str(caught.value)

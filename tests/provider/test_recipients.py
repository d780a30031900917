"""A recipient that cannot be one costs no request; a national number is read as the connection says."""

import asyncio
import json
import logging

import pytest

from airflow_provider_d360 import cli
from airflow_provider_d360.api.errors import D360Error, D360RecipientError, D360RequestError
from airflow_provider_d360.compat import AirflowFailException
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.messages import image
from airflow_provider_d360.notifications.d360 import D360Notifier
from airflow_provider_d360.operators.messages import D360SendMessageOperator

WRONG = [
    "4915123456789.0",
    "0151 23456789",
    "110",
    "+49 151 23456789 ext 5",
    "None",
    "",
    4915123456789.0,
    None,
    True,
]


@pytest.fixture(params=["send", "asend"])
def send(request):
    """Send with the hook, blocking or not."""

    def run(*arguments, **options):
        hook = D360Hook()
        if request.param == "send":
            return hook.send(*arguments, **options)

        async def work():
            try:
                return await hook.asend(*arguments, **options)
            finally:
                await hook.aclose()

        return asyncio.run(work())

    return run


@pytest.fixture
def german(d360_emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(default_region="de"))
    return d360_emulator


@pytest.mark.parametrize("to", WRONG)
def test_the_hook_refuses_it_before_a_file_is_uploaded(d360_emulator, send, tmp_path, to):
    picture = tmp_path / "plot.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(D360RequestError, match=r"^to "):
        send(to, image(path=str(picture)))
    assert d360_emulator.requests == []


@pytest.mark.parametrize("to", WRONG)
def test_the_operator_fails_at_once_without_a_request(d360_emulator, to):
    with pytest.raises(AirflowFailException, match="to "):
        D360SendMessageOperator(task_id="send", to=to, message="Hi").execute({})
    assert d360_emulator.requests == []


def test_a_national_number_is_read_in_the_connections_region(german, send):
    send("0151 23456789", "Hi")
    send("15123456789", "Hi")
    D360SendMessageOperator(task_id="send", to="(0151) 23456788", message="Hi").execute({})
    D360Notifier(to="0151 23456787", message="Hi")({})
    assert [sent.to for sent in german.sent] == [
        "4915123456789",
        "15123456789",
        "4915123456788",
        "4915123456787",
    ]


@pytest.mark.parametrize("region", ["Germany", "ZZ", "49", 7])
def test_a_region_that_is_none_is_named_as_the_field_that_it_is(d360_emulator, monkeypatch, region):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(default_region=region))
    with pytest.raises(D360RequestError, match="extra 'default_region' must be the two letters"):
        D360Hook().get_conn()


@pytest.mark.parametrize("wrong", ["4915123456789.0", "nan", None, 4915123456789.0, True])
def test_the_notifier_alerts_the_others_and_names_what_is_wrong(d360_emulator, caplog, wrong):
    with pytest.raises(D360Error, match="to "):
        D360Notifier(to=[wrong, "+49 151 23456788"], message="Hi")({})
    assert [sent.to for sent in d360_emulator.sent] == ["4915123456788"]
    assert "default one goes out" not in caplog.text


def test_two_writings_of_one_number_get_one_alert(d360_emulator):
    D360Notifier(to=["+49 151 23456789", "0049 (0)151/23456789, 4915123456789", 4915123456789], message="Hi")(
        {}
    )
    assert [sent.to for sent in d360_emulator.sent] == ["4915123456789"]


@pytest.mark.parametrize("to", ["4915123456789.0", "0151 23456789", "+49 151 23456789 ext 5"])
def test_the_check_refuses_it_before_anything_is_requested(d360_emulator, capsys, monkeypatch, to):
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    assert cli.main(["check", "--to", to]) == 3
    out = capsys.readouterr().out
    assert "✗ recipient   to " in out
    assert "health" not in out
    assert d360_emulator.requests == []


WINDOW_CLOSED = [
    {"errors": [{"code": 470, "title": "Too late"}]},
    {"error": {"code": 470, "message": "Too late"}},
    {
        "error": "Message failed to send because more than 24 hours have passed since the customer last replied"
    },
    {"meta": {"success": False, "developer_message": f"upstream: {json.dumps({'error': {'code': 131047}})}"}},
    "The 24-hour window has closed",
]


@pytest.mark.parametrize("body", WINDOW_CLOSED)
def test_the_fallback_template_goes_out_however_the_closed_window_is_stated(d360_emulator, body):
    d360_emulator.fail_next(faults.any_response(400, body))
    D360Notifier(to="+49 151 23456789", message="Hi", fallback_template="airflow_alert")({})
    assert [sent.body["type"] for sent in d360_emulator.sent] == ["template"]


def test_another_recipient_error_in_the_same_envelopes_is_no_closed_window(d360_emulator):
    d360_emulator.fail_next(
        faults.any_response(400, {"errors": [{"code": 1013, "title": "User is not valid"}]})
    )
    with pytest.raises(D360RecipientError):
        D360Notifier(to="+49 151 23456789", fallback_template="airflow_alert")({})
    assert d360_emulator.sent == []


def test_a_wrapped_rejection_of_the_key_is_told_apart_from_the_account_by_the_connection_test(d360_emulator):
    wrapped = {
        "meta": {"success": False, "developer_message": f"upstream: {json.dumps({'error': {'code': 190}})}"}
    }
    d360_emulator.fail_next(faults.any_response(400, wrapped))
    assert D360Hook().test_connection() == (False, "The API key is wrong or expired. See the 360dialog Hub.")


def test_a_wrapped_rate_limit_is_retried(d360_emulator, send, caplog):
    caplog.set_level(logging.INFO)
    wrapped = {
        "meta": {"success": False, "developer_message": f"upstream: {json.dumps({'error': {'code': 80008}})}"}
    }
    d360_emulator.fail_next(faults.any_response(400, wrapped))
    send("+49 151 23456789", "Hi")
    assert len(d360_emulator.sent) == 1

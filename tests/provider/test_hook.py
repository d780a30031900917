"""The hook, against the emulator over a socket."""

import asyncio
import json
import logging
import time
from itertools import islice
from types import SimpleNamespace

import pytest

from airflow_provider_d360.api.endpoints import health
from airflow_provider_d360.api.errors import (
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360RecipientError,
    D360RequestError,
)
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.compat import get_connection_async
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.hooks import connections
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.messages import carousel, document, image, link_card, template, text
from airflow_provider_d360.sending import rates
from airflow_provider_d360.transport import client, sockets

TO = "+49 151 123456-89"


def use(monkeypatch, connection):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", connection)


def test_nothing_is_looked_up_before_the_first_call(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_D360_DEFAULT", raising=False)
    assert D360Hook().d360_conn_id == "d360_default"


@pytest.mark.parametrize("hosting", ["cloud", "on_premise", "sandbox"])
def test_a_string_is_sent_as_a_text_on_every_hosting(d360_emulator, monkeypatch, hosting):
    use(monkeypatch, d360_emulator.connection(hosting))
    sent = D360Hook().send(TO, "Hello")
    assert [(message.to, message.body["text"]) for message in d360_emulator.sent] == [
        ("4915112345689", {"body": "Hello"})
    ]
    assert sent.message_id == (None if hosting == "sandbox" else d360_emulator.sent[0].message_id)


def test_async_sending_is_the_same_sending(d360_emulator):
    async def both():
        hook = D360Hook()
        sent = await hook.asend(TO, text("Hello"), reply_to="wamid.1", biz_opaque_callback_data="intent")
        await hook.aclose()
        return sent

    sent = asyncio.run(both())
    body = d360_emulator.sent[0].body
    assert sent.message_id == d360_emulator.sent[0].message_id
    assert body["context"] == {"message_id": "wamid.1"}
    assert body["biz_opaque_callback_data"] == "intent"


def test_any_hand_written_message_passes_through(d360_emulator):
    message = {"type": "hologram", "hologram": {"shape": "cube"}}
    d360_emulator.fail_next(faults.any_response(200, {"messages": [{"id": "wamid.1"}]}))
    assert D360Hook().send(TO, message).message_id == "wamid.1"
    assert json.loads(d360_emulator.requests[0].body)["hologram"] == {"shape": "cube"}


def test_a_message_that_breaks_limits_costs_no_request_and_names_all_of_them(d360_emulator):
    with pytest.raises(D360RequestError) as caught:
        D360Hook().send(TO, {"type": "image", "image": {"caption": "x" * 1025}})
    assert "2 documented rules" in str(caught.value)
    assert "image.caption" in str(caught.value)
    assert d360_emulator.requests == []


@pytest.mark.parametrize("message", [None, 5, ["Hello"]])
def test_what_is_no_message_is_refused(d360_emulator, message):
    with pytest.raises(D360RequestError, match=type(message).__name__):
        D360Hook().send(TO, message)
    assert d360_emulator.requests == []


def test_media_by_link_goes_as_documented(d360_emulator):
    D360Hook().send(TO, image(link="https://example.com/a.png", caption="A chart"))
    assert d360_emulator.sent[0].body["image"] == {"link": "https://example.com/a.png", "caption": "A chart"}


def test_a_refusal_is_one_of_six_errors_with_a_remedy(d360_emulator):
    d360_emulator.reject(131047)
    with pytest.raises(D360RecipientError, match="Send an approved template instead"):
        D360Hook().send(TO, "Hello")


@pytest.mark.parametrize("hosting", ["cloud", "on_premise"])
def test_a_message_is_marked_as_read(d360_emulator, monkeypatch, hosting):
    use(monkeypatch, d360_emulator.connection(hosting))
    hook = D360Hook()
    hook.configure_webhook("https://a.example")
    d360_emulator.deliver_to = "http://127.0.0.1:9"
    key = hook.get_conn().settings.api_key
    hook.mark_as_read(d360_emulator.receive("Hi", key=key))
    assert d360_emulator.requests[-1].method == ("POST" if hosting == "cloud" else "PUT")


@pytest.mark.parametrize("hosting", ["cloud", "on_premise", "sandbox"])
def test_a_webhook_is_configured_with_the_connections_login_and_more_headers(
    d360_emulator, monkeypatch, hosting
):
    login = {"webhook_username": "testuser", "webhook_password": "testpass"}
    use(monkeypatch, d360_emulator.connection(hosting, **login))
    D360Hook().configure_webhook("https://yourwebhook.example.com", {"X-Token": "t"})
    assert json.loads(d360_emulator.requests[-1].body) == {
        "url": "https://yourwebhook.example.com",
        "headers": {"X-Token": "t", "Authorization": "Basic dGVzdHVzZXI6dGVzdHBhc3M="},
    }
    assert D360Hook().get_webhook().url == "https://yourwebhook.example.com"


def test_the_account_webhook_is_configured_on_cloud(d360_emulator):
    hook = D360Hook()
    hook.configure_webhook("https://a.example", level="waba", override_all=True)
    assert d360_emulator.requests[-1].path == "/waba_webhook"
    assert json.loads(d360_emulator.requests[-1].body)["override_all"] is True
    assert "https://a.example" in [hook.get_webhook("waba").url for _ in range(2)]


def test_a_level_that_does_not_exist_is_refused(d360_emulator):
    with pytest.raises(D360RequestError, match="'number' or 'waba'"):
        D360Hook().get_webhook("partner")


@pytest.mark.parametrize(
    ("headers", "login"),
    [
        ({"authorization": "Basic dTpw"}, {}),
        ({"Authorization": "Bearer t"}, {"webhook_username": "u", "webhook_password": "p"}),
    ],
)
def test_basic_authorization_comes_from_the_connection_only(d360_emulator, monkeypatch, headers, login):
    use(monkeypatch, d360_emulator.connection(**login))
    with pytest.raises(D360RequestError, match="webhook_username and webhook_password"):
        D360Hook().configure_webhook("https://a.example", headers)
    assert d360_emulator.requests == []


def test_a_bearer_token_may_be_given_as_a_header(d360_emulator):
    D360Hook().configure_webhook("https://a.example", {"Authorization": "Bearer t"})
    assert D360Hook().get_webhook().headers == {"Authorization": "Bearer t"}


def test_any_call_can_be_performed(d360_emulator):
    assert D360Hook().call(health.health(CLOUD)).can_send_message == "AVAILABLE"
    assert D360Hook().health().can_send_message == "AVAILABLE"


def test_on_premise_warns_once(d360_emulator, monkeypatch, caplog):
    use(monkeypatch, d360_emulator.connection("on_premise"))
    connections._warn_of_on_premise.cache_clear()
    with caplog.at_level(logging.WARNING):
        D360Hook().get_conn()
        D360Hook().get_conn()
    assert caplog.text.count("October 2025") == 1


SERVICE = {
    "a number that can send": ({}, None, "cloud", True, "able to send"),
    "a limited number": ({"can_send_message": "LIMITED"}, None, "cloud", True, "LIMITED"),
    "a blocked number": ({"can_send_message": "BLOCKED"}, None, "cloud", False, "BLOCKED"),
    "the sandbox": ({}, None, "sandbox", True, "No webhook is set yet"),
    "on-premise": ({}, None, "on_premise", True, "No webhook is set yet"),
    "a wrong host": ({}, faults.any_response(404, "nothing here"), "cloud", False, "does not know this request (HTTP 404)"),
    "a website": ({}, faults.any_response(200, "<html>"), "cloud", False, "does not respond as 360dialog does (HTTP 200)"),
    "an outage": ({}, faults.html_page(502), "cloud", False, "(HTTP 502)"),
    "a throttled account": ({}, faults.too_many_requests(retry_after=999), "cloud", False, "too many requests"),
    "an unpaid account": ({}, faults.any_response(400, {"error": "lack of payment"}), "cloud", False, "account may not"),
}  # fmt: skip


@pytest.mark.parametrize(("state", "fault", "hosting", "works", "said"), SERVICE.values(), ids=SERVICE)
def test_the_connection_test_says_what_is_wrong(
    d360_emulator, monkeypatch, state, fault, hosting, works, said
):
    use(monkeypatch, d360_emulator.connection(hosting, max_attempts=1))
    for name, value in state.items():
        setattr(d360_emulator, name, value)
    if fault:
        d360_emulator.fail_next(fault)
    result, message = D360Hook().test_connection()
    assert (result, said in message) == (works, True), message
    assert {request.method for request in d360_emulator.requests} == {"GET"}


def test_the_connection_test_tells_a_wrong_key_a_dead_network_and_a_wrong_field_apart(
    d360_emulator, monkeypatch
):
    def said(**fields):
        whole = {**json.loads(d360_emulator.connection(max_attempts=1)), **fields}
        use(monkeypatch, json.dumps(whole))
        works, message = D360Hook().test_connection()
        assert works is False
        assert str(fields.get("password", "canary")) not in message
        return message

    assert "key is wrong" in said(password="wrong-key-canary")
    assert "cannot be reached" in said(host="http://127.0.0.1:9")
    assert "extra 'hosting'" in said(extra={"hosting": "canary"})
    monkeypatch.delenv("AIRFLOW_CONN_D360_DEFAULT")
    assert "is not defined" in D360Hook("nowhere").test_connection()[1]


def test_a_webhook_that_is_set_is_told_by_the_connection_test(d360_emulator, monkeypatch):
    use(monkeypatch, d360_emulator.connection("sandbox"))
    D360Hook().configure_webhook("https://a.example")
    assert D360Hook().test_connection() == (True, "The API key works (sandbox). A webhook is set.")


def test_an_unexpected_failure_of_the_connection_test_shows_its_type_only(d360_emulator, monkeypatch):
    def fail(hosting):
        raise RuntimeError("cloud-key in here")

    monkeypatch.setattr("airflow_provider_d360.hooks.probe._probe", fail)
    assert D360Hook().test_connection() == (False, "The test failed unexpectedly: RuntimeError.")


def test_a_wrong_key_is_an_auth_error(d360_emulator, monkeypatch):
    use(monkeypatch, d360_emulator.connection().replace("cloud-key", "wrong-key"))
    with pytest.raises(D360AuthError) as caught:
        D360Hook().send(TO, "Hello")
    assert isinstance(caught.value, D360Error)
    assert "wrong-key" not in str(caught.value)


def test_a_path_that_a_message_names_twice_is_uploaded_once(d360_emulator, tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    cards = [link_card(image(path=str(picture)), "Open", f"https://a.example/{each}") for each in (1, 2)]
    message = carousel("Two offers", cards)
    D360Hook().send(TO, message)
    assert [request.path for request in d360_emulator.requests] == ["/media", "/messages"]


class Pauses:
    """
    The pauses of this many sends. Those of more than half a second end with ``second_half``.

    None of them takes time, so what they show is the same on a busy machine.
    """

    def __init__(self, sends):
        self.seconds, self._sends = [], sends
        self.complete, self.second_half = asyncio.Event(), asyncio.Event()

    async def pause(self, seconds):
        self.seconds.append(seconds)
        if len(self.seconds) == self._sends:
            self.complete.set()
        if seconds > 0.505:
            await self.second_half.wait()


def test_a_hundred_first_asends_look_up_once_open_one_transport_and_keep_the_rate_limit(
    d360_emulator, monkeypatch
):
    monkeypatch.setattr(rates, "_limiters", {})
    opened, look_ups, reads = [], [], []
    init, look_up, read = client.Transport.__init__, get_connection_async, sockets.tls_context
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: 0.0))
    pauses = Pauses(100)

    def counted_init(transport, settings, **options):
        opened.append(transport)
        init(transport, settings, **options)

    async def counted_look_up(conn_id):
        look_ups.append(conn_id)
        await asyncio.sleep(0.05)
        return await look_up(conn_id)

    def slow_read():
        reads.append(1)
        time.sleep(0.3)
        return read()

    monkeypatch.setattr(client.Transport, "__init__", counted_init)
    monkeypatch.setattr(connections, "get_connection_async", counted_look_up)
    monkeypatch.setattr(client, "tls_context", slow_read)
    monkeypatch.setitem(init.__kwdefaults__, "asleep", pauses.pause)

    async def all_at_once():
        hook = D360Hook()
        try:
            sends = [asyncio.create_task(hook.asend(f"49151{n:08}", "Hello")) for n in range(100)]
            await asyncio.wait_for(pauses.complete.wait(), 60)
            for send in islice(asyncio.as_completed(sends), 41):
                await send
            sent_in_the_first_half_second = len(d360_emulator.sent)
            pauses.second_half.set()
            await asyncio.gather(*sends)
        finally:
            await hook.aclose()
        return sent_in_the_first_half_second

    assert asyncio.run(all_at_once()) == 41
    assert (len(opened), len(look_ups), len(reads)) == (1, 1, 1)
    assert len(d360_emulator.sent) == 100
    assert pauses.seconds == pytest.approx([n / 80 for n in range(100)])


def test_a_failed_look_up_fails_only_the_call_that_made_it(d360_emulator, monkeypatch):
    look_up, look_ups = get_connection_async, []

    async def failing_once(conn_id):
        look_ups.append(conn_id)
        await asyncio.sleep(0)
        if len(look_ups) == 1:
            raise OSError("no supervisor")
        return await look_up(conn_id)

    monkeypatch.setattr(connections, "get_connection_async", failing_once)

    async def three_at_once():
        hook = D360Hook()
        try:
            return await asyncio.gather(*(hook.asend(TO, "Hello") for _ in range(3)), return_exceptions=True)
        finally:
            await hook.aclose()

    outcomes = asyncio.run(three_at_once())
    assert [isinstance(outcome, OSError) for outcome in outcomes] == [True, False, False]
    assert len(look_ups) == 2


def test_a_getter_does_not_change_the_transports_settings(d360_emulator):
    hook = D360Hook(budget_seconds=5)
    settings = hook.get_conn().settings
    assert hook.get_conn().settings is settings
    assert settings.budget_seconds == 90.0


def test_the_hooks_budget_limits_waits_between_attempts_and_for_the_rate_limit(d360_emulator, monkeypatch):
    monkeypatch.setattr(rates, "_limiters", {})
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(messages_per_second=0.1))
    hook = D360Hook(budget_seconds=5)
    d360_emulator.fail_next(faults.too_many_requests(retry_after=7))
    with pytest.raises(D360RateLimitError):
        hook.send(TO, "Hello")
    with pytest.raises(D360RateLimitError, match="This process"):  # its turn comes in 10 seconds
        hook.send("4930000000001", "Hello")
    assert len(d360_emulator.requests) == 1


def odd(value):
    """A value that no type checker lets through."""
    return value


def test_numbers_arrive_as_text_and_absent_values_not_at_all(d360_emulator):
    hook = D360Hook()
    hook.send(TO, template("order", "en", body=["Ann", 42], header=document(link="https://a.example/i.pdf")))
    header, body = d360_emulator.sent[0].body["template"]["components"]
    assert header["parameters"][0]["document"]["filename"] == "i.pdf"
    assert body["parameters"][1] == {"type": "text", "text": "42"}
    for value in odd((None, float("nan"), "None", "")):
        with pytest.raises(D360RequestError, match=r"body\[1\]: (missing|empty)"):
            hook.send(TO, template("order", "en", body=["Ann", value]))
        with pytest.raises(D360RequestError):
            hook.send(TO, value)
    for on_newline in odd(("flat", "", None)):
        with pytest.raises(D360RequestError, match="Use 'error' or 'flatten'"):
            hook.send(TO, "Hi", on_newline=on_newline)
    assert len(d360_emulator.requests) == 1


def test_callback_data_written_by_hand_arrives_unchanged(d360_emulator):
    message = {**text("Hi"), "biz_opaque_callback_data": "order-42"}
    D360Hook().send(TO, message, biz_opaque_callback_data="intent")
    assert d360_emulator.sent[0].body["biz_opaque_callback_data"] == "order-42"


def test_the_profile_is_changed_and_people_are_blocked(d360_emulator):
    hook = D360Hook()
    hook.set_business_profile(about="Open", email="a@b.example")
    assert (hook.get_business_profile().about, hook.get_business_profile().email) == ("Open", "a@b.example")
    assert hook.block_users([TO]).done == hook.unblock_users([TO]).done == ("4915112345689",)


def test_people_are_blocked_by_national_numbers_in_the_region_of_the_connection(d360_emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(default_region="DE"))
    hook = D360Hook()
    assert hook.block_users(["0151 12345689"]).done == hook.unblock_users(["0151 12345689"]).done
    assert hook.block_users(["0151 12345689"]).done == ("4915112345689",)

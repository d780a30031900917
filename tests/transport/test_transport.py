"""The two loops over a real socket: the same answers, errors, retries and limits in sync and in async."""

import asyncio
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airflow_provider_d360 import __version__
from airflow_provider_d360.api.endpoints import health, messages, webhooks
from airflow_provider_d360.api.endpoints.health import Health
from airflow_provider_d360.api.endpoints.webhooks import WebhookConfig
from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360AuthError,
    D360RateLimitError,
    D360RecipientError,
    D360RequestError,
    D360UnavailableError,
)
from airflow_provider_d360.api.hosting import CLOUD, HOSTINGS, ON_PREMISE
from airflow_provider_d360.api.wire import Call, Request
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.emulator.app import CLOUD_KEY, KEYS, Emulator
from airflow_provider_d360.emulator.server import EmulatorServer
from airflow_provider_d360.emulator.testing import ServedEmulator
from airflow_provider_d360.messages import text
from airflow_provider_d360.transport.client import Transport
from airflow_provider_d360.transport.settings import ConnectionSettings
from airflow_provider_d360.transport.sockets import ca_bundle
from tests.web_servers import serving, untrusted_tls

TO = "4915112345689"


@pytest.fixture
def emulator():
    emulator = ServedEmulator()
    with EmulatorServer(emulator) as server:
        emulator.url = server.url
        yield emulator


@pytest.fixture(params=["sync", "async"])
def perform(request, emulator):
    """Perform a call in both colours. Waits between attempts are noted in ``waits``, not slept."""

    waits: list[float] = []

    def run(call, *, hosting=CLOUD, key=None, base_url=None, **limits):
        key = key or next(key for key, place in KEYS.items() if place is hosting)
        account = ConnectionSettings(hosting, key, base_url or emulator.url, **limits)

        async def asleep(seconds):
            waits.append(seconds)

        transport = Transport(account, sleep=waits.append, asleep=asleep, jitter=lambda: 1.0)
        if request.param == "sync":
            try:
                return transport.perform(call)
            finally:
                transport.close()

        async def both():
            try:
                return await transport.aperform(call)
            finally:
                await transport.aclose()

        return asyncio.run(both())

    run.waits = waits  # type: ignore[attr-defined]
    return run


def send(hosting=CLOUD, to=TO):
    return messages.send_message(hosting, to, text("Hello"))


@pytest.mark.parametrize("hosting", HOSTINGS.values(), ids=HOSTINGS)
def test_a_message_is_sent_once_on_every_hosting(perform, emulator, hosting):
    sent = perform(send(hosting), hosting=hosting)
    assert [(message.to, message.hosting) for message in emulator.sent] == [(TO, hosting.name)]
    assert sent.message_id in (emulator.sent[0].message_id, None)
    assert (sent.message_id is None) == (hosting.name == "sandbox")


@pytest.mark.parametrize("hosting", HOSTINGS.values(), ids=HOSTINGS)
def test_a_webhook_is_set_and_read_on_every_hosting(perform, hosting):
    perform(webhooks.set_webhook(hosting, "https://a.example", {"X-Token": "t"}), hosting=hosting)
    assert perform(webhooks.get_webhook(hosting), hosting=hosting) == WebhookConfig(
        "https://a.example", {"X-Token": "t"}
    )


def test_the_account_webhook_is_set_and_read_back_later(perform):
    perform(webhooks.set_waba_webhook(CLOUD, "https://a.example"))
    assert "https://a.example" in [perform(webhooks.get_waba_webhook(CLOUD)).url for _ in range(2)]


@pytest.mark.parametrize("hosting", [CLOUD, ON_PREMISE], ids=["cloud", "on_premise"])
def test_reading_receipts_and_health_work_on_both_hostings(perform, emulator, hosting):
    perform(webhooks.set_webhook(hosting, "https://a.example"), hosting=hosting)
    emulator.deliver_to = "http://127.0.0.1:9"
    key = next(key for key, place in KEYS.items() if place is hosting)
    received = emulator.receive("Hi", key=key)
    assert perform(messages.mark_as_read(hosting, received), hosting=hosting) is None
    assert perform(health.health(hosting), hosting=hosting) == Health("AVAILABLE")


def test_the_key_the_version_and_nothing_of_netrc_travel_in_the_headers(
    perform, emulator, tmp_path, monkeypatch
):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    perform(send())
    headers = {name.lower(): value for name, value in emulator.requests[0].headers.items()}
    assert headers["d360-api-key"] == CLOUD_KEY
    assert headers["user-agent"] == f"airflow-provider-d360/{__version__}"
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers


def test_a_wrong_key_is_an_auth_error_that_is_not_tried_again(perform, emulator):
    with pytest.raises(D360AuthError):
        perform(send(), key="wrong")
    assert len(emulator.requests) == 1


def test_a_refused_recipient_is_a_recipient_error(perform, emulator):
    emulator.reject(131047, to=TO)
    with pytest.raises(D360RecipientError, match="131047"):
        perform(send())


@pytest.mark.parametrize(
    "fault",
    [faults.too_many_requests(), faults.rate_limit_400(), faults.rate_limit_400(old_wording=True)],
    ids=["429", "400", "old 400"],
)
def test_a_rate_limit_is_waited_out_and_the_message_sent_once(perform, emulator, fault):
    emulator.fail_next(fault, times=2)
    perform(send())
    assert len(perform.waits) == 2
    assert len(emulator.requests) == 3
    assert len(emulator.sent) == 1


def test_the_wait_that_the_service_asks_for_is_kept(perform, emulator):
    emulator.fail_next(faults.too_many_requests(retry_after=7))
    perform(send())
    assert perform.waits == [pytest.approx(7.7)]


def test_a_wait_beyond_the_budget_is_left_to_the_scheduler(perform, emulator):
    emulator.fail_next(faults.too_many_requests(retry_after=3600))
    with pytest.raises(D360RateLimitError) as caught:
        perform(send())
    assert caught.value.detail.retry_after_seconds == 3600
    assert perform.waits == []


def test_attempts_end_at_max_attempts(perform, emulator):
    emulator.fail_next(faults.too_many_requests(), times=9)
    with pytest.raises(D360RateLimitError):
        perform(send(), max_attempts=2)
    assert len(emulator.requests) == 2


AMBIGUOUS = {
    "accepted and cut off": faults.accepted_and_cut_off(),
    "cut midway": faults.cut_midway(),
    "reset": faults.reset(),
    "truncated JSON": faults.truncated_json(),
    "500": faults.server_error(500),
    "502 but accepted": faults.server_error(502, accepts=True),
    "HTML error page": faults.html_page(),
    "empty": faults.empty_body(),
}


@pytest.mark.parametrize("fault", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_lost_answer_is_never_resent(perform, emulator, fault):
    emulator.fail_next(fault)
    with pytest.raises(D360AmbiguousError):
        perform(send())
    assert len(emulator.requests) == 1
    assert len(emulator.sent) <= 1


@pytest.mark.parametrize("fault", [faults.slow(20), faults.slow_drip(20)], ids=["slow", "drip"])
def test_no_request_outlives_its_time_and_the_message_counts_as_maybe_sent(perform, emulator, fault):
    emulator.fail_next(fault)
    with pytest.raises(D360AmbiguousError):
        perform(send(), timeout_seconds=0.4)


@pytest.mark.parametrize("fault", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_may_be_repeated_is_tried_again_after_the_same_faults(perform, emulator, fault):
    emulator.fail_next(fault)
    assert perform(webhooks.get_webhook(CLOUD)).url is None
    assert len(emulator.requests) == 2


def test_a_redirect_is_not_followed(perform, emulator):
    other = Emulator()
    with EmulatorServer(other) as elsewhere:
        emulator.fail_next(faults.redirect(f"{elsewhere.url}/messages"))
        with pytest.raises(D360RequestError, match="HTTP 307"):
            perform(send())
    assert other.requests == []


@pytest.mark.parametrize("location", ["http://[broken", "\xff\xfe", "https://host:port/", "//"])
def test_a_redirect_to_what_is_no_address_is_refused_like_any_other(perform, emulator, location):
    emulator.fail_next(faults.redirect(location))
    with pytest.raises(D360RequestError, match="HTTP 307"):
        perform(send())


@pytest.fixture
def closed_port():
    """Return a port that is bound by us and listened on by nobody."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_connection_that_was_never_made_is_tried_again_and_named_as_harmless(perform, closed_port):
    with pytest.raises(D360UnavailableError, match=r"(?i)cannot connect to 127\.0\.0\.1.*nothing was sent"):
        perform(send(), base_url=f"http://127.0.0.1:{closed_port}")
    assert len(perform.waits) == 2


def test_an_unknown_host_is_a_connection_that_was_never_made(perform):
    with pytest.raises(D360UnavailableError, match=r"Cannot connect to nowhere\.invalid"):
        perform(send(), base_url="https://nowhere.invalid", max_attempts=1)


@pytest.fixture
def secure_url(emulator, tmp_path):
    """Serve the emulator over TLS, with a certificate that nobody trusts."""
    context, certificate = untrusted_tls(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            response = emulator.handle(Request("POST", self.path, dict(self.headers), body))
            self.send_response(response.status)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield f"https://127.0.0.1:{server.server_port}", certificate


def test_an_untrusted_certificate_is_an_error_that_is_not_tried_again(
    perform, emulator, secure_url, monkeypatch
):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(D360UnavailableError, match="REQUESTS_CA_BUNDLE"):
        perform(send(), base_url=secure_url[0])
    assert perform.waits == []
    assert emulator.requests == []


def test_the_ca_bundle_of_requests_users_is_honoured(perform, emulator, secure_url, monkeypatch):
    url, certificate = secure_url
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    perform(send(), base_url=url.replace("127.0.0.1", "localhost"))
    assert len(emulator.sent) == 1


def test_a_ca_bundle_that_has_changed_is_read_again(perform, emulator, secure_url, tmp_path, monkeypatch):
    url, certificate = secure_url
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(Path(ca_bundle()).read_text())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(D360UnavailableError, match="REQUESTS_CA_BUNDLE"):
        perform(send(), base_url=url.replace("127.0.0.1", "localhost"))
    with bundle.open("a") as file:
        file.write(Path(certificate).read_text())
    perform(send(), base_url=url.replace("127.0.0.1", "localhost"))
    assert len(emulator.sent) == 1


def test_a_proxy_is_used_for_the_world_and_never_for_loopback(perform, emulator, monkeypatch):
    request_lines = []
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            request_lines.append(client.recv(4096).split(b"\r\n")[0])
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            client.close()

    threading.Thread(target=refuse, daemon=True).start()
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.getsockname()[1]}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    perform(send())
    assert request_lines == []
    with pytest.raises(D360UnavailableError):
        perform(send(), base_url="https://nowhere.invalid", max_attempts=1)
    listener.close()
    assert [line.rsplit(b" ", 1)[0] for line in request_lines] == [b"CONNECT nowhere.invalid:443"]
    assert len(emulator.sent) == 1


def test_connections_are_kept_open_between_calls(emulator):
    transport = Transport(ConnectionSettings(CLOUD, CLOUD_KEY, emulator.url))
    transport.perform(send())
    first = transport._session
    transport.perform(send())
    assert transport._session is first
    transport.close()

    async def twice():
        await transport.aperform(send())
        session = transport._async_session
        await transport.aperform(send())
        assert transport._async_session is session
        await transport.aclose()
        assert transport._async_session is None

    asyncio.run(twice())
    assert len(emulator.sent) == 4


def test_a_transport_moves_on_to_another_event_loop(emulator):
    transport = Transport(ConnectionSettings(CLOUD, CLOUD_KEY, emulator.url))

    async def once():
        await transport.aperform(send())
        assert transport._async_session
        await transport._async_session.close()

    asyncio.run(once())
    asyncio.run(once())
    assert len(emulator.sent) == 2


def test_an_endless_answer_is_cut_off_and_counts_as_unreadable(perform, emulator, monkeypatch):
    monkeypatch.setattr("airflow_provider_d360.transport.client._LARGEST_RESPONSE", 1000)
    emulator.fail_next(faults.any_response(200, '{"messages": [' + " " * 200_000, accepts=True))
    with pytest.raises(D360AmbiguousError):
        perform(send())


@pytest.mark.parametrize("path", ["@evil.example/messages", "messages", ".evil.example/x"])
def test_a_path_cannot_change_the_host(perform, path):
    with pytest.raises(D360RequestError, match="path must start with /"):
        perform(Call(Request("POST", path, {}, b"{}"), lambda response: response, repeatable=True))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://waba-v2.360dialog.io", "clear text"),
        ("http://10.0.0.1", "clear text"),
        ("ftp://127.0.0.1", "must look like"),
        ("https://", "must look like"),
        ("https://host:port", "cannot be one"),
        ("https://[broken", "cannot be one"),
        ("https://.example", "cannot be one"),
        ("https://" + 64 * "a" + ".example", "cannot be one"),
        ("waba-v2.360dialog.io", "must look like"),
        ("https://user:pass@waba-v2.360dialog.io", "no user"),
        ("https://waba-v2.360dialog.io?x=1", "no user"),
    ],
)
def test_a_base_url_that_would_betray_the_key_is_refused(url, problem):
    with pytest.raises(D360RequestError, match=problem):
        ConnectionSettings(CLOUD, "key", url)


@pytest.mark.parametrize(
    "url", ["http://localhost:8360", "http://127.0.0.2", "http://[::1]:8360", "https://gate.example/d360"]
)
def test_loopback_may_be_plain_and_a_gateway_may_have_a_path(url):
    assert ConnectionSettings(CLOUD, "key", url).base_url == url


def test_neither_errors_nor_logs_of_a_retried_send_hold_key_body_or_number(perform, emulator, caplog):
    caplog.set_level(logging.DEBUG)
    emulator.fail_next(faults.too_many_requests())
    emulator.fail_next(faults.any_response(500, f"{CLOUD_KEY} canary text {TO}"))
    with pytest.raises(D360AmbiguousError) as caught:
        perform(messages.send_message(CLOUD, TO, text("canary text")))
    for shown in (caplog.text, str(caught.value), repr(caught.value), repr(caught.value.__dict__)):
        assert CLOUD_KEY not in shown
        assert "canary text" not in shown
        assert TO not in shown


def test_a_request_given_up_while_connecting_never_leaves_later(emulator, monkeypatch):
    """The name is found only after the time is over; the thread that waited for it must not send any more."""
    looked_up, real, stuck = threading.Event(), socket.getaddrinfo, []

    def slow(host, *arguments, **more):
        stuck.append(threading.current_thread())
        looked_up.wait(5)
        return real("127.0.0.1", *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    url = emulator.url.replace("127.0.0.1", "localhost")
    transport = Transport(ConnectionSettings(CLOUD, CLOUD_KEY, url, timeout_seconds=0.2, max_attempts=1))
    with pytest.raises(D360UnavailableError, match="it took too long"):
        transport.perform(send())
    looked_up.set()
    for thread in stuck:
        thread.join(5)
    assert stuck
    assert emulator.sent == []

"""Servers that speak HTTP in unusual or broken ways, over raw sockets."""

import contextlib
import logging
import socket
import threading
import types

import pytest

from airflow_provider_d360.api.endpoints import health, messages
from airflow_provider_d360.api.errors import D360AmbiguousError, D360Error, D360UnavailableError
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.api.wire import Call, json_request
from airflow_provider_d360.emulator.app import CLOUD_KEY
from airflow_provider_d360.messages import text
from airflow_provider_d360.transport import sockets

TO = "4915112345689"
WORDS = "canary text"
SENT = b'HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{"messages":[{"id":"wamid.X"}]}'
SEND = messages.send_message(CLOUD, TO, text(WORDS))


@pytest.fixture
def raw(carrier, monkeypatch):
    """Serve raw bytes, and let the carrier send there. ``raw.requests`` holds what arrived."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    server = types.SimpleNamespace(response=SENT, requests=[])

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(5)
                request = b""
                while not complete(request):
                    chunk = client.recv(65536)
                    if not chunk:
                        break
                    request += chunk
                server.requests.append(request)
                response = server.response
                client.sendall(response(request) if callable(response) else response)
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    monkeypatch.setattr(carrier.emulator, "url", f"http://127.0.0.1:{listener.getsockname()[1]}")
    yield server
    listener.close()


def complete(request):
    head, end, body = request.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if b"content-length" in line]
    return bool(end) and len(body) >= (int(lengths[0]) if lengths else 0)


INFORMATIONAL = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\nX-Progress: 1\r\n\r\n",
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
    "several": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + b"HTTP/1.1 100 Continue\r\n\r\n",
    "unknown": b"HTTP/1.1 199 Something\r\n\r\n",
}


@pytest.mark.parametrize("before", INFORMATIONAL.values(), ids=INFORMATIONAL)
def test_informational_responses_before_the_real_one_are_skipped(carrier, raw, before):
    raw.response = before + SENT
    assert carrier.call(SEND).message_id == "wamid.X"
    assert len(raw.requests) == 1


def test_informational_responses_without_end_are_a_lost_response(carrier, raw):
    raw.response = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000
    with pytest.raises(D360AmbiguousError):
        carrier.call(SEND, timeout_seconds=5)
    assert len(raw.requests) == 1


def test_a_switch_of_protocols_is_a_lost_response(carrier, raw):
    raw.response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    with pytest.raises(D360AmbiguousError):
        carrier.call(SEND, timeout_seconds=2)
    assert len(raw.requests) == 1


def quoted(request):
    """Flatten a request, so that it fits into one line of a response."""
    return request.replace(b"\r\n", b" ")


BROKEN = {
    "status line": lambda request: quoted(request) + b"\r\n\r\n",
    "HTTP version": lambda request: b"HTTP/9.9 " + quoted(request) + b"\r\n\r\n",
    "header line": lambda request: b"HTTP/1.1 200 OK\r\n" + quoted(request) + b"\r\n\r\n",
    "header name": lambda request: b"HTTP/1.1 200 OK\r\n\x00" + quoted(request) + b": x\r\n\r\n",
    "header value": lambda request: b"HTTP/1.1 200 OK\r\nA: \x00" + quoted(request) + b"\r\n\r\n",
    "content length": lambda request: b"HTTP/1.1 200 OK\r\nContent-Length: " + quoted(request) + b"\r\n\r\n",
    "chunk": lambda request: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + quoted(request) + b"\r\n",
    "encoding": lambda request: b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + request,
    "redirect": lambda request: b"HTTP/1.1 307 X\r\nLocation: http://" + quoted(request) + b"\r\n\r\n",
    "cookie": lambda request: b"HTTP/1.1 500 X\r\nSet-Cookie: " + quoted(request) + b"\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("response", BROKEN.values(), ids=BROKEN)
def test_a_broken_response_that_quotes_the_request_puts_nothing_of_it_into_errors_or_logs(
    carrier, raw, response, caplog, capsys, recwarn
):
    caplog.set_level(logging.DEBUG)
    raw.response = response
    with pytest.raises(D360Error) as caught:
        carrier.call(SEND, timeout_seconds=3, max_attempts=1)
    error = caught.value
    shown = [str(error), repr(error), repr(vars(error)), caplog.text, *capsys.readouterr()]
    shown += [str(warning.message) for warning in recwarn]
    assert error.__cause__ is None
    for private in (CLOUD_KEY, TO, WORDS, WORDS[:6]):
        assert private not in "\n".join(shown)
    assert len(raw.requests) == 1


def test_neither_sync_nor_async_requests_carry_a_login_from_netrc(carrier, emulator, tmp_path, monkeypatch):
    """The host counts as remote here: for loopback, requests reads no .netrc in the first place."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setattr(sockets, "is_loopback", lambda host: False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    carrier.call(health.health(CLOUD))
    headers = {name.lower() for name in emulator.requests[0].headers}
    assert "d360-api-key" in headers
    assert "authorization" not in headers


def test_a_server_without_tls_is_named_as_such(carrier, raw, monkeypatch):
    monkeypatch.setattr(carrier.emulator, "url", carrier.emulator.url.replace("http:", "https:"))
    raw.response = b"HTTP/1.1 400 " + WORDS.encode() + b"\r\n\r\n"
    with pytest.raises(D360UnavailableError, match="Nothing was sent") as caught:
        carrier.call(SEND, timeout_seconds=3, max_attempts=1)
    assert WORDS not in str(caught.value)


def test_no_log_holds_the_path_of_a_request(carrier, raw, caplog):
    caplog.set_level(logging.DEBUG)
    call = Call(json_request("GET", f"/v1/contacts/{TO}?signature=canary"), lambda _: None, repeatable=True)
    carrier.call(call)
    assert raw.requests[0].startswith(f"GET /v1/contacts/{TO}?signature=canary HTTP/1.1".encode())
    assert TO not in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("bundle", ["missing", "empty"])
def test_a_ca_bundle_that_cannot_be_read_is_named_and_nothing_is_sent(
    carrier, raw, tmp_path, monkeypatch, bundle
):
    (tmp_path / "empty").write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / bundle))
    monkeypatch.setattr(carrier.emulator, "url", carrier.emulator.url.replace("http:", "https:"))
    with pytest.raises(D360UnavailableError, match="REQUESTS_CA_BUNDLE") as caught:
        carrier.call(SEND)
    assert (carrier.waits, b"".join(raw.requests)) == ([], b"")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "proxy",
    ["http://ann:canary@[broken", "http://ann:canary@127.0.0.1:port", "canary://127.0.0.1:9", "http://"],
)
def test_a_broken_proxy_is_an_error_that_does_not_quote_its_login(carrier, monkeypatch, caplog, proxy):
    caplog.set_level(logging.DEBUG)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(carrier.emulator, "url", "https://nowhere.invalid")
    with pytest.raises(D360UnavailableError, match="Nothing was sent") as caught:
        carrier.call(SEND, max_attempts=1)
    assert "canary" not in str(caught.value)
    assert "canary" not in caplog.text
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None

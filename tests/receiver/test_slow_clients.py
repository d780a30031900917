"""Attacks on the standalone server over real sockets: slow, endless and many connections."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from airflow_provider_d360.receiver import slow_clients
from airflow_provider_d360.receiver.app import create_app
from airflow_provider_d360.receiver.slow_clients import guarded_protocol, server_options
from airflow_provider_d360.store import Store
from tests.receiver.doors import LOGIN, post, statuses

HEAD = f"POST /webhook HTTP/1.1\r\nHost: x\r\nAuthorization: {LOGIN['Authorization']}\r\n"
STRANGER = "POST /webhook HTTP/1.1\r\nHost: x\r\n"
MOST_IDLE = 20


@pytest.fixture
def port(tmp_path, monkeypatch) -> Iterator[int]:
    """Serve as the command does, with limits that a test can wait for."""
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(slow_clients, "BODY_SECONDS", 1.5)
    monkeypatch.setattr(slow_clients, "_CHECK_SECONDS", 0.1)
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    options = {**server_options(10_000), "http": guarded_protocol(10_000, MOST_IDLE)}
    with guarded(create_app(store, [LOGIN], max_body_bytes=10_000), options) as port:
        yield port
    store.close()


@contextmanager
def guarded(app: object, options: dict[str, object]) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, **options))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()
    listener.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def is_closed(raw: socket.socket, drip: bytes = b"", every_seconds: float = 0.05) -> bool:
    """Send something again and again, for a minute; return whether the server closed the connection."""
    begin = time.monotonic()
    raw.settimeout(every_seconds)
    while time.monotonic() - begin < 60:
        try:
            if drip:
                raw.sendall(drip)
            if raw.recv(4096) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def delivers(port: int) -> bool:
    return post(port, statuses(("a", "sent"))) == 200


@pytest.mark.parametrize(
    ("start", "drip"),
    [
        ("", b""),
        ("", b"\r\n"),
        ("POST /web", b""),
        ("POST /web", b"x"),
        (STRANGER, b"X-More: 1\r\n"),
        (STRANGER + "X-Endless: ", b"x"),
        (STRANGER + "Content-Length: 9000\r\n\r\n", b"x"),
        (STRANGER + "Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (STRANGER + "Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: 1\r\n"),
        (STRANGER + "Content-Length: 0\r\n\r\n", b""),
        (STRANGER + "Content-Length: 0\r\n\r\nPOST", b"x"),
        (HEAD + "Content-Length: 9000\r\n\r\n", b""),
        (HEAD + "Content-Length: 9000\r\n\r\n", b"x"),
        (HEAD + "Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: 1\r\n"),
        (HEAD + "Expect: 100-continue\r\nContent-Length: 9000\r\n\r\n", b""),
    ],
)
def test_a_slow_client_is_disconnected_however_steadily_it_sends(port, start, drip):
    with connect(port) as raw:
        raw.sendall(start.encode())
        assert is_closed(raw, drip)
    assert delivers(port)


@pytest.mark.parametrize(
    ("start", "flood"),
    [
        ("POST /" + "x", b"x" * 10_000),
        (STRANGER + "X-Endless: ", b"x" * 10_000),
        (STRANGER, b"X-More: 1\r\n" * 1000),
        (STRANGER + "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Endless: ", b"x" * 10_000),
        (HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Endless: ", b"x" * 10_000),
        (HEAD + "Transfer-Encoding: chunked\r\n\r\n1;x=", b"x" * 10_000),
    ],
)
def test_an_endless_head_or_trailer_is_cut_off_by_its_size(port, monkeypatch, start, flood):
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 600.0)
    monkeypatch.setattr(slow_clients, "BODY_SECONDS", 600.0)
    with connect(port) as raw:
        raw.sendall(start.encode())
        assert is_closed(raw, flood, 0.005)
    assert delivers(port)


def test_half_open_connections_keep_nobody_out(port, monkeypatch):
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 600.0)
    held = [connect(port) for _ in range(150)]
    try:
        for raw in held[::2]:
            raw.sendall(b"POST /webhook HTTP/1.1\r\n")
        assert all(delivers(port) for _ in range(5))
        still_open = 0
        for raw in held:
            raw.settimeout(0.001)
            try:
                still_open += raw.recv(1) != b""
            except TimeoutError:
                still_open += 1
            except OSError:
                pass
        assert still_open <= MOST_IDLE
    finally:
        for raw in held:
            raw.close()


def test_a_delivery_in_pieces_and_in_time_is_accepted(port, monkeypatch):
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 60.0)
    monkeypatch.setattr(slow_clients, "BODY_SECONDS", 60.0)
    body = json.dumps(statuses(("a", "sent"))).encode().ljust(9000)
    with connect(port) as raw:
        for text in (HEAD[:30], HEAD[30:], f"Content-Length: {len(body)}\r\n\r\n"):
            raw.sendall(text.encode())
            time.sleep(0.1)
        for start in range(0, len(body), 3000):
            raw.sendall(body[start : start + 3000])
            time.sleep(0.1)
        assert raw.recv(100).startswith(b"HTTP/1.1 200")


def test_a_kept_connection_serves_one_delivery_after_the_other(port, monkeypatch):
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 3.0)
    body = json.dumps(statuses(("a", "sent"))).encode()
    request = f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with connect(port) as raw:
        for _ in range(9):  # longer than the head of one request may take
            raw.sendall(request)
            assert raw.recv(200).startswith(b"HTTP/1.1 200")
            time.sleep(0.4)
        raw.sendall(request * 3)  # pipelined
        received = b""
        while received.count(b"HTTP/1.1 200") < 3:
            received += raw.recv(1000)


def test_a_delivery_that_expects_100_continue_is_accepted(port):
    body = json.dumps(statuses(("a", "sent"))).encode()
    with connect(port) as raw:
        raw.sendall(f"{HEAD}Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 100")
        raw.sendall(body)
        assert raw.recv(100).startswith(b"HTTP/1.1 200")

"""The server: what only a socket can show."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import socket
import threading
import time
from typing import Any

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, ON_PREMISE_KEY, Emulator, EmulatorServer, faults
from airflow_provider_d360.emulator.server import LARGEST_BODY, connection_json
from tests.emulator.services import TEXT, Receiver

HEAD = (
    f"POST /messages HTTP/1.1\r\nHost: x\r\nD360-API-KEY: {CLOUD_KEY}\r\nContent-Type: application/json\r\n"
)


def raw(server: EmulatorServer, data: bytes) -> bytes:
    """Send bytes, say that this is all, and read until the other side has nothing to say either."""
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def control(server: EmulatorServer, method: str, name: str, body: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    try:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        connection.request(method, f"/_emulator/{name}", data)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def send(connection: http.client.HTTPConnection) -> int:
    headers = {"D360-API-KEY": CLOUD_KEY, "Content-Type": "application/json"}
    connection.request("POST", "/messages", json.dumps(TEXT), headers)
    response = connection.getresponse()
    response.read()
    return response.status


def test_it_listens_on_this_machine_only(server: EmulatorServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert server._server.server_address[0] == "127.0.0.1"


def test_a_connection_serves_many_requests_without_delay(server: EmulatorServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    connection.connect()
    socket_at_first = connection.sock
    assert [send(connection) for _ in range(20)] == [200] * 20
    assert connection.sock is socket_at_first
    (accepted,) = server._server._connections
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)  # else, each would take 40 ms more
    connection.close()


def test_many_clients_at_once_lose_nothing(server: EmulatorServer) -> None:
    def client(_: int) -> list[int]:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
        try:
            return [send(connection) for _ in range(10)]
        finally:
            connection.close()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(client, range(16)))
    assert results == [[200] * 10] * 16
    assert len({sent.message_id for sent in server.emulator.sent}) == 160


def test_stopping_leaves_no_thread_even_with_idle_and_slow_connections() -> None:
    before = set(threading.enumerate())
    emulator = Emulator()
    with EmulatorServer(emulator) as server:
        idle = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
        assert send(idle) == 200
        emulator.fail_next(faults.slow(60))
        slow = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
        slow.request("POST", "/messages", json.dumps(TEXT))
        while len(emulator.requests) < 2:
            time.sleep(0.005)
        started = time.monotonic()
    assert time.monotonic() - started < 30
    assert set(threading.enumerate()) <= before
    idle.close()
    slow.close()


def test_an_emulator_may_be_served_again_and_remembers() -> None:
    emulator = Emulator()
    for _ in range(2):
        with EmulatorServer(emulator) as server:
            connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
            assert send(connection) == 200
            connection.close()
    assert len(emulator.sent) == 2


def test_a_body_in_chunks_is_read(server: EmulatorServer) -> None:
    data = json.dumps(TEXT).encode()
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in (data[:10], data[10:]))
    head = f"{HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
    assert raw(server, head + chunks + b"0\r\nX-Trailer: 1\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert len(server.emulator.sent) == 1


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("Content-Length: -1\r\n\r\n", 400),
        ("Content-Length: ten\r\n\r\n", 400),
        ("Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400),
        ("Content-Length: 99\r\n\r\n{}", 400),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
        ("Transfer-Encoding: gzip\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx", 400),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\n{}", 400),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n" + "X: 1\r\n" * 101, 400),
        (f"Transfer-Encoding: chunked\r\n\r\n{LARGEST_BODY + 1:x}\r\n", 413),
        (f"Content-Length: {LARGEST_BODY + 1}\r\n\r\n", 413),
        (f"Content-Length: {LARGEST_BODY + 1}\r\n\r\n" + "x" * 500_000, 413),
        (f"Content-Length: {'9' * 5000}\r\n\r\n", 400),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_the_connection_closed(
    server: EmulatorServer, rest: str, status: int
) -> None:
    received = raw(server, (HEAD + rest).encode())
    assert received.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"connection: close" in received
    assert received.count(b"HTTP/1.1") == 1
    assert server.emulator.sent == []


@pytest.mark.parametrize("noise", [b"\x00\xff" * 50, b"GET\r\n\r\n", b"POST /messages HTTP/9.9\r\n\r\n", b""])
def test_noise_harms_nobody(server: EmulatorServer, noise: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    raw(server, noise)
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    assert send(connection) == 200
    connection.close()
    assert capfd.readouterr().err == ""


def test_a_client_that_goes_away_is_not_worth_a_traceback(
    server: EmulatorServer, capfd: pytest.CaptureFixture[str]
) -> None:
    server.emulator.fail_next("slow_drip")
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    connection.request("GET", "/health_status", headers={"D360-API-KEY": CLOUD_KEY})
    connection.getresponse().read(1)
    connection.close()
    server.__exit__()
    assert capfd.readouterr().err == ""
    server.__enter__()


def test_another_process_reads_what_happened(server: EmulatorServer, receiver: Receiver) -> None:
    server.emulator.deliver_to = receiver.url
    server.emulator.numbers[CLOUD_KEY].webhook = server.emulator.numbers[ON_PREMISE_KEY].webhook = None
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    send(connection)
    connection.close()
    (sent,) = control(server, "GET", "sent")[1]
    assert (sent["to"], sent["hosting"], sent["body"]) == ("4915112345678", "cloud", TEXT)
    (request,) = control(server, "GET", "requests")[1]
    assert (request["method"], request["path"]) == ("POST", "/messages")
    assert json.loads(request["body"]) == TEXT
    assert control(server, "GET", "deliveries") == (200, [])


def test_another_process_orders_faults_rejections_and_statuses(server: EmulatorServer) -> None:
    assert control(server, "POST", "faults", {"fault": "server_error", "status": 503, "times": 1}) == (
        200,
        {},
    )
    assert control(server, "POST", "rejections", {"code": 131047, "times": 1}) == (200, {})
    assert control(server, "POST", "statuses", {"statuses": ["failed:131026"]}) == (200, {})
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    assert [send(connection) for _ in range(3)] == [503, 400, 200]
    connection.close()
    server.emulator.wait_for_statuses(server.emulator.sent[0].message_id, "failed")
    assert control(server, "POST", "reset") == (200, {})
    assert control(server, "GET", "sent") == (200, [])


def test_another_process_speaks_as_a_person(server: EmulatorServer, receiver: Receiver) -> None:
    from airflow_provider_d360.emulator.records import Webhook

    server.emulator.numbers[CLOUD_KEY].webhook = Webhook(receiver.url)
    status, body = control(server, "POST", "inbound", {"message": "Hello", "name": "Ben"})
    server.emulator.wait_for_deliveries()
    (delivery,) = control(server, "GET", "deliveries")[1]
    assert (status, delivery["message_id"], delivery["state"]) == (200, body["message_id"], "delivered")


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("GET", "faults", None, 404),
        ("POST", "sent", None, 404),
        ("GET", "../messages", None, 404),
        ("POST", "faults", {"fault": "bad_hair_day"}, 400),
        ("POST", "faults", {"fault": "slow", "hours": 1}, 400),
        ("POST", "faults", {}, 400),
        ("POST", "faults", [], 400),
        ("POST", "faults", b"{", 400),
        ("POST", "rejections", {"to": "1"}, 400),
        ("POST", "statuses", {"statuses": ["failed:x"]}, 400),
        ("POST", "inbound", {"message": "Hello"}, 400),
    ],
)
def test_a_wrong_order_is_an_error_that_says_why(
    server: EmulatorServer, method: str, name: str, body: object, status: int
) -> None:
    code, response = control(server, method, name, body)
    assert code == status
    assert response["error"]


def test_a_connection_is_written_as_airflow_reads_it() -> None:
    written = json.loads(connection_json("http://127.0.0.1:1", "k", "sandbox", webhook_username="u"))
    assert written == {
        "conn_type": "d360",
        "password": "k",
        "host": "http://127.0.0.1:1",
        "extra": {"hosting": "sandbox", "webhook_username": "u"},
    }

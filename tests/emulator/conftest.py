"""Two doors to one emulator, and a receiver for its deliveries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_d360.emulator import Emulator, EmulatorServer
from tests.emulator.services import Receiver, Service, over_http
from tests.web_servers import serving


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator(retry_delays_seconds=(0.01, 0.02, 0.04))
    yield emulator
    emulator.close()


@pytest.fixture
def server(emulator: Emulator) -> Iterator[EmulatorServer]:
    with EmulatorServer(emulator) as server:
        yield server


@pytest.fixture(params=["in process", "over a socket"])
def service(request: pytest.FixtureRequest, emulator: Emulator) -> Service:
    if request.param == "in process":
        return Service(emulator, emulator.handle)
    port = int(request.getfixturevalue("server").url.rpartition(":")[2])
    return Service(emulator, lambda http_request: over_http(port, http_request))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.received.append((self.path, dict(self.headers.items()), body))
            self.send_response(receiver.responses.pop(0) if receiver.responses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{listener.server_port}"
    with serving(listener):
        yield receiver

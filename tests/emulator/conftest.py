"""Two doors to one emulator, and a receiver for its deliveries."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_d360.emulator import Emulator, EmulatorServer
from tests.emulator.doors import Receiver, Service, over_http


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
    return Service(emulator, lambda asked: over_http(port, asked))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.received.append((self.path, dict(self.headers.items()), body))
            self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        receiver.url = f"http://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield receiver
        listener.shutdown()
        thread.join()

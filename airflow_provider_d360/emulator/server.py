"""The emulator behind a socket of this machine."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airflow_provider_d360.api.wire import Request, Response
from airflow_provider_d360.emulator.answers import gateway_error
from airflow_provider_d360.emulator.app import Emulator
from airflow_provider_d360.emulator.bytestream import UnreadableError, read_body
from airflow_provider_d360.emulator.control import PREFIX, control
from airflow_provider_d360.emulator.faults import NO_FAULT, AnswerLostError, Fault

HOST = "127.0.0.1"
LARGEST_BODY = 105_000_000  # a little more than the largest document that WhatsApp takes


class EmulatorServer:
    """
    Serve an emulator on 127.0.0.1 while a ``with`` block lasts; afterwards no thread of it is left.

    :param emulator: What answers. Its deliveries end with the block too.
    :param port: The port; 0 finds a free one.
    """

    def __init__(self, emulator: Emulator, port: int = 0) -> None:
        self.emulator = emulator
        self._port = port

    def __enter__(self) -> EmulatorServer:
        self._server = _Server(self.emulator, self._port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="d360-emulator", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.wake()
        self._server.shutdown()
        self._thread.join()
        self._server.stop()
        self.emulator.close()

    @property
    def url(self) -> str:
        """The base URL, for the ``host`` of a connection."""
        return f"http://{HOST}:{self._server.server_port}"


def connection_json(url: str, key: str, hosting: str, **extra: object) -> str:
    """Write an Airflow connection to an emulator, for an ``AIRFLOW_CONN_…`` variable."""
    extra = {"hosting": hosting, **extra}
    return json.dumps({"conn_type": "d360", "password": key, "host": url, "extra": extra})


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # else the end would not wait for them
    request_queue_size = 128

    def __init__(self, emulator: Emulator, port: int) -> None:
        self.emulator = emulator
        self.stopping = threading.Event()
        self.resetting: set[socket.socket] = set()
        self._connections: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    def wake(self) -> None:
        """Let the loop that accepts connections look up, so that it need not be polled for its end."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """End all connections, even those in the middle of a slow answer, and wait for their threads."""
        self.stopping.set()
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        if request in self.resetting:
            # Without the orderly goodbye that the inherited method says first, and with nothing to linger
            # for, closing the socket resets the connection.
            self.resetting.discard(request)
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients that go away are the daily bread of a server, and clients are what is tested here.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every second answer on a connection waits 40 ms
    timeout = 30.0

    def _exchange(self) -> None:
        try:
            body = read_body(self.headers, self.rfile, LARGEST_BODY)
        except UnreadableError as error:
            self.close_connection = True
            self._send(gateway_error(error.status, "The body cannot be read"), NO_FAULT)
            self._hear_out()
            return
        try:
            self._send(*self._answer(Request(self.command, self.path, dict(self.headers.items()), body)))
        except AnswerLostError:
            self.close_connection = True
        except ConnectionResetError:
            self.close_connection = True
            self.server.resetting.add(self.connection)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _exchange  # noqa: N815 (the library's names)

    def _answer(self, request: Request) -> tuple[Response, Fault]:
        if request.path.startswith(PREFIX):
            return control(self.server.emulator, request), NO_FAULT
        return self.server.emulator.serve(request, self.server.stopping.wait)

    def _send(self, response: Response, fault: Fault) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(response.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if fault.ending == "cut_midway":
            self.wfile.write(response.body[: len(response.body) // 2])
            raise AnswerLostError("The emulator cut the answer off in the middle")
        if fault.drip_seconds:
            self._drip(response.body, fault.drip_seconds)
        else:
            self.wfile.write(response.body)

    def _drip(self, body: bytes, seconds: float) -> None:
        for position in range(len(body)):
            self.wfile.write(body[position : position + 1])
            self.server.stopping.wait(seconds / len(body))

    def _hear_out(self) -> None:
        """Take what a client still sends, for a second: closing on unread bytes would destroy the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(0.2)
        until = time.monotonic() + 1.0
        with suppress(OSError):
            while time.monotonic() < until and self.rfile.read1(65536):
                pass

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: tests read the records."""

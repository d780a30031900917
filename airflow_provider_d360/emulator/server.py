"""The emulator on a socket of this machine."""

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
from airflow_provider_d360.emulator import page
from airflow_provider_d360.emulator.app import Emulator
from airflow_provider_d360.emulator.bytestream import UnreadableError, read_body
from airflow_provider_d360.emulator.control import PREFIX, control
from airflow_provider_d360.emulator.faults import NO_FAULT, Fault, ResponseLostError
from airflow_provider_d360.emulator.responses import gateway_error

HOST = "127.0.0.1"
LARGEST_BODY = 105_000_000  # bytes; a document of 100 MB and its form fit


class EmulatorServer:
    """
    Serve an emulator on 127.0.0.1 during a ``with`` block; at its end, all threads of the server end.

    :param emulator: The emulator; its pending deliveries are dropped at the end of the block.
    :param port: The port; 0 for any free port.
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
        return self._server.url


def connection_json(url: str, key: str, hosting: str, **extra: object) -> str:
    """
    Write an Airflow connection to an emulator as JSON, for an ``AIRFLOW_CONN_…`` variable.

    :param url: The base URL of the emulator.
    :param key: The API key of a number.
    :param hosting: ``cloud``, ``on_premise`` or ``sandbox``.
    :param extra: More extras of the connection.
    """
    extra = {"hosting": hosting, **extra}
    return json.dumps({"conn_type": "d360", "password": key, "host": url, "extra": extra})


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() joins the threads only then
    request_queue_size = 128

    def __init__(self, emulator: Emulator, port: int) -> None:
        self.emulator = emulator
        self.stopping = threading.Event()
        self.resetting: set[socket.socket] = set()
        self._connections: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{HOST}:{self.server_port}"

    def wake(self) -> None:
        """Wake the loop that accepts connections, so that it ends at once."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """End all connections, even during a slow response, and wait for their threads."""
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
            # Closing a socket with a linger time of 0 resets the connection, unless it was shut down before,
            # as the inherited method does.
            self.resetting.discard(request)
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that closes its connection is no error of the server.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every second response on a connection waits 40 ms
    timeout = 30.0
    wbufsize = -1  # headers and body in one packet

    def _exchange(self) -> None:
        try:
            body = read_body(self.headers, self.rfile, LARGEST_BODY)
        except UnreadableError as error:
            self.close_connection = True
            self._send(gateway_error(error.status, "The body cannot be read"), NO_FAULT)
            self._drain()
            return
        try:
            self._send(*self._respond(Request(self.command, self.path, dict(self.headers.items()), body)))
        except ResponseLostError:
            self.close_connection = True
        except ConnectionResetError:
            self.close_connection = True
            self.server.resetting.add(self.connection)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _exchange  # noqa: N815 (the library's names)

    def _respond(self, request: Request) -> tuple[Response, Fault]:
        if request.path.startswith(PREFIX):
            return control(self.server.emulator, request), NO_FAULT
        if page.is_for_people(request):
            return page.respond(self.server.emulator, request, self.server.url), NO_FAULT
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
            self.wfile.flush()
            raise ResponseLostError("The emulator closed the connection in the middle of the response")
        if fault.drip_seconds:
            self._drip(response.body, fault.drip_seconds)
        else:
            self.wfile.write(response.body)
        self.wfile.flush()

    def _drip(self, body: bytes, seconds: float) -> None:
        for position in range(len(body)):
            self.wfile.write(body[position : position + 1])
            self.wfile.flush()
            self.server.stopping.wait(seconds / len(body))

    def _drain(self) -> None:
        """Read on for up to a second: closing with unread bytes would discard the response."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(0.2)
        until = time.monotonic() + 1.0
        with suppress(OSError):
            while time.monotonic() < until and self.rfile.read1(65536):
                pass

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: tests read the records."""

"""The receiver behind real sockets: on a thread of this process, or in a process to be killed."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn

from scripts.ports import free_port
from tests.programs import Program

LOGIN = {"Authorization": "Basic ZDM2MDpzZWNyZXQ="}  # d360:secret
_START_SECONDS = 180.0


class _Server(uvicorn.Server):
    """One that ends at once when it is told to: uvicorn's own looks every 0.1 s."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not await self.on_tick(0):  # what it does once in a second
            await self._told.wait()

    def end(self) -> None:
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)


@contextmanager
def served(app: Any, lifespan: Any = "off", **options: Any) -> Iterator[int]:
    """Serve an application on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan=lifespan, **options)
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.end()
    thread.join()
    listener.close()


class Process:
    """
    A receiver in a process of its own.

    :param arguments: A module and its arguments; the port is added to them.
    """

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self._arguments = ["-m", *arguments, "--port", str(self.port)]
        self._environment = environment
        self.start()

    def start(self) -> None:
        self._program = Program(*self._arguments, environment=self._environment)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                if time.monotonic() > deadline or self._program.returncode is not None:
                    self.kill()
                    raise
            time.sleep(0.02)

    def kill(self) -> None:
        self._program.kill()
        self._program.end()

    def stop(self) -> int:
        code = self._program.stop()
        self._program.end()
        return code


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition, and fail if it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def standalone(url: str) -> Process:
    """Start a receiver that knows no Airflow, and so starts at once."""
    return Process("tests.receiver.serving", "--store", url)


def post(
    port: int, body: object, headers: Mapping[str, str] = LOGIN, path: str = "/webhook", method: str = "POST"
) -> int:
    """Deliver once, and return the status of the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, data, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def statuses(*pairs: tuple[str, str]) -> dict[str, object]:
    """Make the body of a delivery."""
    told = [
        {"id": message_id, "status": status, "timestamp": "1700000001", "recipient_id": "4915112345678"}
        for message_id, status in pairs
    ]
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1065"}, "statuses": told}
    return delivery(value)


def delivery(value: object) -> dict[str, object]:
    """Put messages or statuses into the body of a delivery."""
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change(value)]}]}


def change(value: object) -> dict[str, object]:
    return {"field": "messages", "value": value}

"""A service with a door, and somebody's webhook: what the emulator's tests have in common."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_d360.api.wire import Request, Response
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator

TEXT = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "4915112345678",
    "type": "text",
    "text": {"body": "Hi"},
}
ON_PREMISE_TEXT = {name: value for name, value in TEXT.items() if name != "messaging_product"}


@dataclass
class Service:
    """An emulator with a door."""

    emulator: Emulator
    door: Callable[[Request], Response]

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = CLOUD_KEY,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        sent = {"D360-API-KEY": key} if key is not None else {}
        data = b""
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.door(Request(method, path, {**sent, **(headers or {})}, data))

    def json(self, *arguments: Any, **options: Any) -> tuple[int, Any]:
        response = self.ask(*arguments, **options)
        assert response.headers["content-type"] == "application/json"
        return response.status, json.loads(response.body)

    def send(self, body: object = TEXT, **options: Any) -> tuple[int, Any]:
        return self.json("POST", "/messages", body, **options)


def over_http(port: int, request: Request) -> Response:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(request.method, request.path, request.body or None, dict(request.headers))
        received = connection.getresponse()
        headers = {name.lower(): value for name, value in received.getheaders()}
        return Response(received.status, headers, received.read())
    finally:
        connection.close()


@dataclass
class Receiver:
    """Somebody's webhook."""

    url: str = ""
    responses: list[int] = field(default_factory=list)
    received: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    @property
    def bodies(self) -> list[Any]:
        return [body for _, _, body in self.received]


def eventually(condition: Callable[[], object], timeout_seconds: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)

"""Airflow's REST API, as far as answers need it: small, over a socket, and no laxer than the real one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = re.compile(
    r"/api/v2/dags/dag/dagRuns/run/taskInstances/approve(?:/-?\d+)?(?P<hitl>/hitlDetails)?(?:\?.*)?"
)
USER, PASSWORD = "bot", "a-password-of-a-bot"


class AirflowService:
    """One task that asks, and what was answered."""

    def __init__(self) -> None:
        self.url = ""
        self.token = "token-0"
        self.logins = 0
        self.redirects = 0  # the status, while the address is another one
        self.down = 0  # how many more requests are answered with 503
        self.loses = 0  # of how many more answers the response is lost
        self.forbidden = False
        self.detail: dict[str, Any] | None = None
        self.notes: list[str] = []
        self.patches = 0

    def ask(self, options: list[str], at: float | None = None) -> None:
        """Let the task ask."""
        now = datetime.now(timezone.utc) if at is None else datetime.fromtimestamp(at, timezone.utc)
        created_at = now.isoformat().replace("+00:00", "Z")
        self.detail = {
            "options": options,
            "created_at": created_at,
            "response_received": False,
            "chosen_options": None,
        }

    def respond(self, option: str) -> int:
        """Answer as a person in the user interface or an API client would; return the status."""
        if self.detail is None:
            return 404
        if self.detail["response_received"]:
            return 409
        self.detail |= {"response_received": True, "chosen_options": [option]}
        return 200

    def handle(self, method: str, path: str, token: str | None, body: Any) -> tuple[int, Any]:
        """Respond to a request; status 0 stands for a response that is lost."""
        if self.down:
            self.down -= 1
            return 503, {}
        if self.redirects:
            return self.redirects, {}
        if path == "/auth/token":
            return self._log_in(body)
        found = PATH.fullmatch(path)
        if token != f"Bearer {self.token}" or found is None:
            return (404 if found is None else 401), {}
        if not found["hitl"]:
            self.notes.append(body["note"])
            return 200, {}
        if method == "GET":
            return (404, {}) if self.detail is None else (200, self.detail)
        return self._answer(body)

    def _log_in(self, body: Any) -> tuple[int, Any]:
        if (body["username"], body["password"]) != (USER, PASSWORD):
            return 401, {}
        self.logins += 1
        return 201, {"access_token": self.token}

    def _answer(self, body: Any) -> tuple[int, Any]:
        if self.forbidden:
            return 403, {}
        self.patches += 1
        status = self.respond(body["chosen_options"][0])
        if self.loses:
            self.loses -= 1
            status = 0
        return status, {}


@contextmanager
def serve_airflow() -> Iterator[AirflowService]:
    """Serve one on a free port."""
    service = AirflowService()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, data = service.handle(self.command, self.path, self.headers.get("Authorization"), body)
            if status == 0:
                self.close_connection = True
                return
            content = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the names that http.server looks for

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""The ASGI receiver: check who calls, store what came, answer 200, and nothing else in the request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from airflow_provider_d360.store import Store, StoreUnavailableError
from airflow_provider_d360.webhook.admission import Admission
from airflow_provider_d360.webhook.bodies import (
    DisconnectedError,
    TooLargeError,
    UnreadableError,
    read_body,
    read_delivery,
    unpacked,
)
from airflow_provider_d360.webhook.commits import GroupCommit

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 3_000_000

_COMPLAIN_EVERY_SECONDS = 60.0


def create_app(
    store: Store,
    credentials: Sequence[Mapping[str, str]],
    *,
    platform_secret: str | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Starlette:
    """
    Make the receiver, for any ASGI server. It takes deliveries at ``/``, ``/webhook`` and ``/webhook/``.

    :param store: Where events go.
    :param credentials: Which headers a delivery must carry: any one of these sets, whole.
    :param platform_secret: With it, deliveries must also be signed (``x-360dialog-signature``).
    :param max_body_bytes: Longer deliveries are refused before they are read.
    :raises NoCredentialsError: when anybody could deliver.
    """
    return Starlette(routes=routes(store, Admission(credentials, platform_secret), max_body_bytes))


def routes(store: Store, admission: Admission, max_body_bytes: int = MAX_BODY_BYTES) -> list[BaseRoute]:
    """Make the receiver's routes, for an application of somebody else's."""
    receiver = Receiver(store, admission, max_body_bytes)

    async def health(request: Request) -> JSONResponse:
        try:
            await asyncio.to_thread(store.ping)
        except StoreUnavailableError:
            return JSONResponse({"status": "store unavailable"}, 503)
        return JSONResponse({"status": "ok"})

    return [
        Route("/webhook", receiver, methods=["POST"]),
        Route("/webhook/", receiver, methods=["POST"]),  # a redirection would be a failed delivery
        Route("/health", health),
        Route("/", receiver, methods=["POST"]),
    ]


class Receiver:
    """
    Takes deliveries: an ASGI application for one path.

    It answers 200 once everything in a delivery that can be stored is committed, 401 without valid
    credentials, 413 over the limit, and 503, upon which 360dialog delivers again, while the store is away.
    """

    def __init__(self, store: Store, admission: Admission, max_body_bytes: int) -> None:
        self._admission = admission
        self._max_body_bytes = max_body_bytes
        self._commits = GroupCommit(store)
        self._refused = _Complaint("Refused without valid credentials or signature: %d deliveries")
        self._unreadable = _Complaint("Took what is no JSON, and stored nothing of it: %d deliveries")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            # Of two headers of one name the caller's own comes first: Airflow's development mode appends one.
            status = await self._take(dict(reversed(list(scope["headers"]))), receive)
        except DisconnectedError:
            return
        except TooLargeError:
            status = 413
        except StoreUnavailableError:
            status = 503
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _take(self, headers: Mapping[bytes, bytes], receive: Receive) -> int:
        if not self._admission.admits(headers):
            return self._refuse()
        body = await read_body(headers, receive, self._max_body_bytes)
        if not self._admission.trusts(headers, body):
            return self._refuse()
        body = unpacked(headers, body, self._max_body_bytes)
        try:
            events = read_delivery(body)
        except UnreadableError:  # the same would come again, for days
            self._unreadable.count()
            return 200
        if events:
            await self._commits.add(events, len(body))
        return 200

    def _refuse(self) -> int:
        self._refused.count()
        return 401


class _Complaint:
    """
    Says once a minute how often something happened: somebody who guesses must not fill the disk.

    :param text: What is said, with a place for the number.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._times = 0
        self._next = 0.0

    def count(self) -> None:
        self._times += 1
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _COMPLAIN_EVERY_SECONDS
            log.warning(self._text, self._times)
            self._times = 0

"""Clients that hold connections open: time, size and number are bounded in the standalone server."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
MOST_HEAD_BYTES = 65_536

_MOST_BODY_OVERHEAD = 8  # chunks of one byte take six, and a few more for what uvicorn discards
_CHECK_SECONDS = 1.0


def most_idle_connections() -> int:
    """Return how many connections may be without a request: half of the files that this process may open."""
    return max(16, min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


def guarded_protocol(max_body_bytes: int, most_idle: int | None = None) -> type[HttpToolsProtocol]:
    """
    Make a protocol for ``uvicorn.run(http=…)`` that closes connections of slow clients.

    A connection is closed if the head of a request is not complete 10 seconds after the connection was opened
    or the response before it was sent, or is longer than 64 kB; if the body is not complete 30 seconds after
    the head, or takes eight times the bytes of the longest body. If more connections than allowed have no
    request in progress, the oldest of them is closed: new connections are always accepted.

    :param max_body_bytes: The longest body of a request.
    :param most_idle: How many connections may have no request in progress. Default: half of the files that
        this process may open, at most 1,000.
    """
    limits = _Limits(max_body_bytes * _MOST_BODY_OVERHEAD, most_idle or most_idle_connections())
    return type("GuardedProtocol", (_GuardedProtocol,), {"limits": limits})


class _Limits:
    """
    The limits of a server, and its connections that have no request in progress, oldest first.

    :param most_body_bytes: How many bytes the body of a request may take on the wire.
    :param most_idle: How many connections may have no request in progress.
    """

    def __init__(self, most_body_bytes: int, most_idle: int) -> None:
        self.most_body_bytes = most_body_bytes
        self.most_idle = most_idle
        self.idle: dict[_GuardedProtocol, None] = {}


class _GuardedProtocol(HttpToolsProtocol):
    limits: _Limits
    _closes_at: float | None = None
    _in_head = True
    _bytes_left = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()
        self._check()

    def connection_lost(self, exc: Exception | None) -> None:
        self.limits.idle.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._closes_at is not None:  # something is incomplete: a head, a body
            self._bytes_left -= len(data)
            if self._bytes_left < 0:
                self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._bytes_left = MOST_HEAD_BYTES

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._bytes_left = self.limits.most_body_bytes
        self._closes_at = self.loop.time() + BODY_SECONDS
        self.limits.idle.pop(self, None)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if not self.cycle.response_complete:
            self._closes_at = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # no other request waits behind it
            self._expect_head()

    def _expect_head(self) -> None:
        self._closes_at = self.loop.time() + HEAD_SECONDS
        self._bytes_left = MOST_HEAD_BYTES if self._in_head else self.limits.most_body_bytes
        idle = self.limits.idle
        idle[self] = None
        if len(idle) > self.limits.most_idle:
            oldest = next(iter(idle))
            del idle[oldest]
            oldest.transport.abort()

    def _check(self) -> None:
        now = self.loop.time()
        if self._closes_at is not None and now >= self._closes_at:
            self.transport.abort()
            return
        self._timer = self.loop.call_later(_CHECK_SECONDS, self._check)


def server_options(max_body_bytes: int) -> dict[str, Any]:
    """
    Return the options of ``uvicorn.run`` for a server that is reachable from outside.

    :param max_body_bytes: The longest body of a request.
    """
    return {
        "http": guarded_protocol(max_body_bytes),
        "ws": "none",
        "proxy_headers": False,  # the address of a caller comes from the configured header only
        "access_log": False,  # one line per delivery holds nothing that the store does not hold
        "lifespan": "off",
    }

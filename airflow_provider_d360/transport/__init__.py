"""
The only file that opens a socket: over requests and over aiohttp, the same few lines twice.

Both libraries are imported on first use, because DAG files are parsed far more often than messages are sent.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from airflow_provider_d360 import __version__
from airflow_provider_d360.api.errors import D360Error, D360RequestError, Refusal
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.patience import wait_seconds
from airflow_provider_d360.api.privacy import scrub
from airflow_provider_d360.api.refusals import lost_answer, never_sent, read_answer
from airflow_provider_d360.api.wire import Call, Request, Response
from airflow_provider_d360.transport.cargo import CHUNK, Cargo
from airflow_provider_d360.transport.sockets import (
    exact_url,
    is_loopback,
    keep_target,
    new_session,
    proxy_for,
    tls_context,
)

if TYPE_CHECKING:
    import aiohttp
    import requests

T = TypeVar("T")
log = logging.getLogger(__name__)

_CONNECT_SECONDS = 10.0
_NO_CONNECTION = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
_TIMEOUTS = (FutureTimeoutError, asyncio.TimeoutError)
_LONGEST_ANSWER = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Account:
    """
    One number at 360dialog, and how to reach it.

    :param hosting: Where the number lives.
    :param api_key: Its key. Sent to ``base_url`` and nowhere else.
    :param base_url: ``https://…``; ``http://`` is taken for loopback addresses only.
    :param timeout_seconds: The longest one request may take from its first byte to its last; connecting may
        take at most 10 of them.
    :param max_attempts: How often a request may be tried that is known not to have been accepted.
    :param messages_per_second: How fast the number may send.
    :param budget_seconds: The longest that all attempts and the waits between them may take together.
    :param webhook_secrets: What 360dialog sends to the webhook, which no error text may repeat.
    """

    hosting: Hosting
    api_key: str = field(repr=False)
    base_url: str
    timeout_seconds: float = 30.0
    max_attempts: int = 3
    messages_per_second: float = 80.0
    budget_seconds: float = 90.0
    webhook_secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def secrets(self) -> frozenset[str]:
        """All that no error text may repeat."""
        return self.webhook_secrets | {self.api_key}

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            _ = parts.port, (parts.hostname or "").encode("idna")
        except ValueError:
            raise _wrong("its name or its port cannot be one") from None
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise _wrong("http:// would send the key in clear text; use https://")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _wrong("it must look like https://waba-v2.360dialog.io")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise _wrong("it may hold a path, but no user, query or fragment")


class Transport:
    """
    Performs calls for one account, over connections that are kept open between them.

    :param account: Whose key to use, and where.
    :param sleep: Waits between attempts; tests give their own.
    :param asleep: The same for :meth:`aperform`.
    :param jitter: Gives random numbers from 0 to 1.
    """

    def __init__(
        self,
        account: Account,
        *,
        sleep: Callable[[float], None] = time.sleep,
        asleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.account = account
        self.ends: float | None = None  # on the monotonic clock: the end of all calls together
        self.sleep, self._asleep, self._jitter = sleep, asleep, jitter
        self._session: requests.Session | None = None
        self._async_session: aiohttp.ClientSession | None = None

    def perform(self, call: Call[T]) -> T:
        """
        Send the request, read the answer, and try again where that is known to be harmless.

        :raises D360Error: the one of the six that fits.
        """
        deadline, attempt = self._deadline(call), 0
        while True:
            attempt += 1
            try:
                answer = self._exchange(call, self._attempt_seconds(call, deadline))
                return read_answer(call, answer, self.account.secrets)
            except D360Error as error:
                wait = self._wait(call, error, attempt, deadline)
                if wait is None:
                    raise
            self.sleep(wait)

    async def aperform(self, call: Call[T]) -> T:
        """
        Do the same as :meth:`perform` without blocking the event loop.

        :raises D360Error: the one of the six that fits.
        """
        deadline, attempt = self._deadline(call), 0
        while True:
            attempt += 1
            try:
                answer = await self._aexchange(call, self._attempt_seconds(call, deadline))
                return read_answer(call, answer, self.account.secrets)
            except D360Error as error:
                wait = self._wait(call, error, attempt, deadline)
                if wait is None:
                    raise
            await self._asleep(wait)

    def close(self) -> None:
        """Close the connections of :meth:`perform`. The next call opens new ones."""
        if self._session:
            self._session.close()
            self._session = None

    async def aclose(self) -> None:
        """Close the connections of :meth:`aperform`. The next call opens new ones."""
        if self._async_session:
            await self._async_session.close()
            self._async_session = None

    def _wait(self, call: Call[Any], error: D360Error, attempt: int, deadline: float) -> float | None:
        max_attempts = 1 if call.single or call.sink else self.account.max_attempts
        wait = wait_seconds(
            error,
            attempt=attempt,
            max_attempts=max_attempts,
            remaining_seconds=deadline - time.monotonic(),
            jitter=self._jitter(),
        )
        if wait is not None:
            log.info("Attempt %s of %s: %s Waiting %.1f s.", attempt, max_attempts, error, wait)
        return wait

    def _deadline(self, call: Call[Any]) -> float:
        usual = time.monotonic() + self.account.budget_seconds + call.extra_seconds
        return usual if self.ends is None else min(usual, self.ends)

    def _attempt_seconds(self, call: Call[Any], deadline: float) -> float:
        return max(0.1, min(self.account.timeout_seconds + call.extra_seconds, deadline - time.monotonic()))

    def _idle_seconds(self, call: Call[Any], seconds: float) -> float:
        return min(seconds, self.account.timeout_seconds) if call.sink else seconds

    def _url(self, request: Request) -> str:
        if not request.path.startswith("/"):  # "@elsewhere" would make another host of the base URL
            raise D360RequestError(Refusal("The path must start with /", "Correct the call's path."))
        return self.account.base_url.rstrip("/") + request.path

    def _headers(self, request: Request) -> dict[str, str]:
        agent = f"airflow-provider-d360/{__version__}"
        return {**request.headers, "User-Agent": agent, "D360-API-KEY": self.account.api_key}

    def _failed(self, call: Call[Any], cargo: Cargo, problem: BaseException) -> BaseException:
        """
        Build the error for an exchange that came to no answer.

        It does not stand in a chain with the library's own error: that one holds the request, key and all.
        """
        began = cargo.abandon()
        if cargo.problem is not None:
            return cargo.problem
        root = _root(problem)
        details = scrub(_reason(root), self.account.secrets)
        host = urlsplit(self.account.base_url).hostname
        if began or not (cargo or isinstance(root, _NO_CONNECTION)):
            return lost_answer(call, f"No answer from {host} ({details})")
        certificate = isinstance(root, ssl.SSLCertVerificationError)
        remedy = (
            "Check the CA bundle (REQUESTS_CA_BUNDLE) and the connection's host."
            if certificate
            else "Check the network, the proxy and the connection's host. Nothing was sent."
        )
        title = f"Cannot connect to {host}"
        return never_sent(title, details, remedy, retry_soon=not certificate)

    def _exchange(self, call: Call[Any], seconds: float) -> Response:
        import requests
        import urllib3

        session = self._session = self._session or new_session(self.account.base_url)
        cargo = Cargo(call, _LONGEST_ANSWER)
        try:
            return _within(seconds, lambda: self._send(session, call, cargo, seconds))
        except FutureTimeoutError as problem:
            self._session = None  # the stuck request still holds it
            failure = self._failed(call, cargo, problem)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
            failure = self._failed(call, cargo, problem)
        finally:
            cargo.close()
        raise failure

    def _send(self, session: requests.Session, call: Call[Any], cargo: Cargo, seconds: float) -> Response:
        url = self._url(call.request)
        keep_target(url)
        with session.request(
            call.request.method,
            url,
            headers=self._headers(call.request),
            data=cargo or None,
            timeout=(min(_CONNECT_SECONDS, seconds), self._idle_seconds(call, seconds)),
            allow_redirects=False,
            stream=True,
        ) as answer:
            for chunk in answer.iter_content(CHUNK):
                if not cargo.take(answer.status_code, chunk):
                    break
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status_code, headers, bytes(cargo.content))

    async def _aexchange(self, call: Call[Any], seconds: float) -> Response:
        import aiohttp

        session = await self._running_session()
        request, url = call.request, self._url(call.request)
        limits = aiohttp.ClientTimeout(
            total=seconds,
            connect=min(_CONNECT_SECONDS, seconds),
            sock_read=self._idle_seconds(call, seconds),
        )
        cargo = await asyncio.to_thread(Cargo, call, _LONGEST_ANSWER) if request.source else None
        cargo = cargo or Cargo(call, _LONGEST_ANSWER)
        length = {"Content-Length": str(len(cargo))} if cargo else {}
        try:
            async with session.request(
                request.method,
                exact_url(url),
                headers={**self._headers(request), **length},
                data=cargo or None,
                timeout=limits,
                allow_redirects=False,
                proxy=proxy_for(url),
            ) as answer:
                async for chunk in answer.content.iter_chunked(CHUNK):
                    if not await cargo.atake(answer.status, chunk):
                        break
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status, headers, bytes(cargo.content))
        except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError) as problem:
            failure = self._failed(call, cargo, problem)
        finally:
            cargo.close()
        raise failure

    async def _running_session(self) -> aiohttp.ClientSession:
        """Give the session of the running loop; a session cannot move from one loop to another."""
        import aiohttp

        def running() -> aiohttp.ClientSession | None:
            session, loop = self._async_session, asyncio.get_running_loop()
            return session if session and not session.closed and session._loop is loop else None

        context = None if running() else await asyncio.to_thread(tls_context)
        session = running()  # another call may have opened it in the meantime
        if session is None:
            connector = aiohttp.TCPConnector(ssl=context or True)
            self._async_session = session = aiohttp.ClientSession(connector=connector)
            # From 3.10 on, aiohttp repeats some requests by itself.  When to repeat is decided here alone.
            session._retry_connection = False
        return session


def _root(problem: BaseException) -> BaseException:
    """Find the innermost of the errors that HTTP libraries wrap; a timeout has nothing of interest inside."""
    while not isinstance(problem, _TIMEOUTS) and (problem.__cause__ or problem.__context__):
        problem = problem.__cause__ or problem.__context__ or problem
    return problem


def _reason(root: BaseException) -> str:
    return "it took too long" if isinstance(root, _TIMEOUTS) else str(root) or type(root).__name__


def _within(seconds: float, work: Callable[[], Response]) -> Response:
    """Do blocking work for at most that long: requests bounds each read of a socket, not their sum."""
    outcome: Future[Response] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as problem:  # noqa: BLE001 - handed over, and raised by result() below
            outcome.set_exception(problem)

    threading.Thread(target=run, name="d360-request", daemon=True).start()
    return outcome.result(timeout=seconds)


def _wrong(problem: str) -> D360RequestError:
    return D360RequestError(
        Refusal(title=f"host is not usable: {problem}", remedy="Correct the connection's host.")
    )

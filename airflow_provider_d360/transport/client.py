"""
The only file that opens a socket: over requests for blocking callers, over aiohttp for async ones.

Both libraries are imported on first use, because DAG files are parsed far more often than messages are sent.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_d360 import __version__
from airflow_provider_d360.api.wire import Call, Request, Response
from airflow_provider_d360.transport.bodies import CHUNK, BodyStream, payload_of
from airflow_provider_d360.transport.failures import failure_of
from airflow_provider_d360.transport.flows import (
    Attempts,
    Exchange,
    Flow,
    Pause,
    Recorded,
    Step,
    Together,
    Work,
    retry,
    run_async,
    run_blocking,
)
from airflow_provider_d360.transport.settings import ConnectionSettings
from airflow_provider_d360.transport.sockets import (
    exact_url,
    keep_target,
    new_session,
    proxy_for,
    tls_context,
)
from airflow_provider_d360.transport.threads import within

if TYPE_CHECKING:
    import ssl

    import aiohttp
    import requests

T = TypeVar("T")

_AGENT = f"airflow-provider-d360/{__version__}"
_CONNECT_SECONDS = 10.0
_LARGEST_RESPONSE = 16 * 1024 * 1024
_AT_ONCE = 8
_MOST_CONNECTIONS = 700  # a campaign has so many requests under way


class Transport:
    """
    Performs calls and runs flows for one number, over connections that are kept open between them.

    :param settings: The number's key, base URL and limits.
    :param sleep: Sleeps in blocking flows; tests pass their own.
    :param asleep: Sleeps in async flows.
    :param jitter: Returns random numbers from 0 to 1.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        asleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self._sleep, self._asleep, self._jitter = sleep, asleep, jitter
        self._session: requests.Session | None = None
        self._async_session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        self._proxy: str | None = None
        self._reading_tls = threading.Lock()

    def perform(self, call: Call[T], *, ends: float | None = None) -> T:
        """
        Perform a call, and try again where nothing was accepted.

        :param call: The call.
        :param ends: The end of the time for it, on the monotonic clock; the call's own budget by default.
        :raises D360Error: the one of the six that fits.
        """
        return self.run(self._retry(call, ends))

    async def aperform(self, call: Call[T], *, ends: float | None = None) -> T:
        """
        Do the same as :meth:`perform` without blocking the event loop.

        :param call: The call.
        :param ends: As in :meth:`perform`.
        """
        return await self.arun(self._retry(call, ends))

    def run(self, flow: Flow[T], *, ends: float | None = None) -> T:
        """
        Run a flow, blocking, and return its result.

        :param flow: The flow.
        :param ends: The end of the time for all its calls, on the monotonic clock; by default, each call has
            its own budget.
        :raises D360Error: from its calls; and what else the flow raises.
        """
        self._session = self._session or new_session(self.settings.host)
        return run_blocking(flow, partial(self._take, ends))

    async def arun(self, flow: Flow[T], *, ends: float | None = None) -> T:
        """
        Do the same as :meth:`run` without blocking the event loop.

        :param flow: The flow.
        :param ends: As in :meth:`run`.
        """
        self._session_of_loop() or await self._open_session()
        return await run_async(flow, partial(self._atake, ends))

    async def aopen(self) -> None:
        """Prepare :meth:`arun`: its first calls would wait for that, and then all begin at the same time."""
        await self._open_session()

    def close(self) -> None:
        """Close the connections of :meth:`run`. The next call opens new ones."""
        if self._session:
            self._session.close()
            self._session = None

    async def aclose(self) -> None:
        """Close the connections of :meth:`arun`. The next call opens new ones."""
        if self._async_session:
            await self._async_session.close()
            self._async_session = None

    def _retry(self, call: Call[T], ends: float | None, attempts: Attempts | None = None) -> Flow[T]:
        return retry(call, self.settings, jitter=self._jitter, ends=ends, attempts=attempts)

    def _take(self, ends: float | None, step: Step) -> object:
        match step:
            case Call():
                return self.run(self._retry(step, ends), ends=ends)
            case Recorded():
                return self.run(self._retry(step.call, ends, step.attempts), ends=ends)
            case Exchange():
                return self._exchange(step)
            case Pause():
                self._sleep(step.seconds)
                return None
            case Work():
                return step.run()
            case Together():
                with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
                    return list(pool.map(partial(self.run, ends=ends), step.flows))

    async def _atake(self, ends: float | None, step: Step) -> object:
        match step:
            case Call():
                return await self.arun(self._retry(step, ends), ends=ends)
            case Recorded():
                return await self.arun(self._retry(step.call, ends, step.attempts), ends=ends)
            case Exchange():
                return await self._aexchange(step)
            case Pause():
                await self._asleep(step.seconds)
                return None
            case Work():
                return await step.arun()
            case Together():
                gate = asyncio.Semaphore(_AT_ONCE)
                return await _gather([self._arun_in_turn(gate, flow, ends) for flow in step.flows])

    async def _arun_in_turn(self, gate: asyncio.Semaphore, flow: Flow[T], ends: float | None) -> T:
        async with gate:
            return await self.arun(flow, ends=ends)

    def _idle_seconds(self, call: Call[Any], seconds: float) -> float:
        return min(seconds, self.settings.timeout_seconds) if call.sink else seconds

    def _headers(self, request: Request) -> dict[str, str]:
        return {**request.headers, "User-Agent": _AGENT, "D360-API-KEY": self.settings.api_key}

    def _exchange(self, exchange: Exchange[Any]) -> Response:
        import requests
        import urllib3

        call, seconds = exchange.call, exchange.seconds
        session = self._session = self._session or new_session(self.settings.host)
        body = BodyStream(call, _LARGEST_RESPONSE, exchange.begin)
        try:
            return within(seconds, lambda: self._send(session, call, body, seconds))
        except TimeoutError as error:
            self._session = None  # the thread that is stuck still uses it
            failure = failure_of(call, self.settings, body, error)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failure = failure_of(call, self.settings, body, error)
        finally:
            body.close()
        raise failure

    def _send(self, session: requests.Session, call: Call[Any], body: BodyStream, seconds: float) -> Response:
        url = self.settings.url(call.request.path)
        keep_target(url)
        with session.request(
            call.request.method,
            url,
            headers=self._headers(call.request),
            data=body or None,
            timeout=(min(_CONNECT_SECONDS, seconds), self._idle_seconds(call, seconds)),
            allow_redirects=False,
            stream=True,
        ) as response:
            for chunk in response.iter_content(CHUNK):
                if not body.take(response.status_code, chunk):
                    break
            headers = _lower_case(response.headers)
            return Response(response.status_code, headers, bytes(body.content))

    async def _aexchange(self, exchange: Exchange[Any]) -> Response:
        import aiohttp

        call, seconds = exchange.call, exchange.seconds
        session = self._session_of_loop() or await self._open_session()
        request, url = call.request, self.settings.url(call.request.path)
        limits = aiohttp.ClientTimeout(
            total=seconds,
            connect=min(_CONNECT_SECONDS, seconds),
            sock_read=self._idle_seconds(call, seconds) if call.sink else None,  # otherwise, it is the total
        )
        new_body = partial(BodyStream, call, _LARGEST_RESPONSE, exchange.begin)
        body = await asyncio.to_thread(new_body) if request.source else new_body()
        length = {"Content-Length": str(len(body))} if body else {}
        try:
            async with session.request(
                request.method,
                exact_url(url),
                headers={**self._headers(request), **length},
                data=payload_of(body, request) if body else None,
                timeout=limits,
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                while chunk := await response.content.read(CHUNK):
                    if not await body.atake(response.status, chunk):
                        break
                headers = _lower_case(response.headers)
                return Response(response.status, headers, bytes(body.content))
        except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError) as error:
            failure = failure_of(call, self.settings, body, error)
        finally:
            body.close()
        raise failure

    async def _open_session(self) -> aiohttp.ClientSession:
        """Return the session of the running loop; a session cannot move from one loop to another."""
        session = self._session_of_loop()
        if session is None:
            context = await asyncio.to_thread(self._tls_context)
            session = self._session_of_loop() or self._new_async_session(context)
        return session

    def _session_of_loop(self) -> aiohttp.ClientSession | None:
        session = self._async_session
        usable = session and not session.closed and session._loop is asyncio.get_running_loop()
        return session if usable else None

    def _new_async_session(self, context: ssl.SSLContext) -> aiohttp.ClientSession:
        import aiohttp

        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=_MOST_CONNECTIONS))
        # From 3.10 on, aiohttp repeats some requests by itself.  When to repeat is decided in retry() alone.
        session._retry_connection = False
        self._async_session = session
        return session

    def _tls_context(self) -> ssl.SSLContext:
        """Read certificates and proxy once, however many first calls there are at a time."""
        with self._reading_tls:
            if self._tls is None:
                self._proxy = proxy_for(self.settings.base_url)
                self._tls = tls_context()
            return self._tls


async def _gather(work: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Wait for all; then return the results, or raise the first error. A cancellation cancels all."""
    tasks = [asyncio.ensure_future(one) for one in work]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]


def _lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by lower-case names; where the server gives no ``Date``, it is the time of arrival."""
    lower = {name.lower(): value for name, value in headers.items()}
    if "date" not in lower:
        lower["date"] = formatdate(usegmt=True)
    return lower

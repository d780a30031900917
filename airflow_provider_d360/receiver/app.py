"""The ASGI receiver: check the credentials, store what was delivered, respond 200, and nothing else."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from airflow_provider_d360 import metrics
from airflow_provider_d360.api.events import Event, MessageEvent, OmittedEvent, UnknownEvent
from airflow_provider_d360.api.inbound import TAPS
from airflow_provider_d360.api.notices import NoticeEvent
from airflow_provider_d360.api.opt_outs import DEFAULT_KEYWORDS, Keywords
from airflow_provider_d360.receiver.admission import Admission
from airflow_provider_d360.receiver.announcements import background_announcer
from airflow_provider_d360.receiver.background import Background
from airflow_provider_d360.receiver.bodies import (
    DisconnectedError,
    TooLargeError,
    UnknownEncodingError,
    decompress,
    read_body,
    read_delivery,
    read_encodings,
)
from airflow_provider_d360.receiver.commits import GroupCommit, describe
from airflow_provider_d360.receiver.credentials import Credentials
from airflow_provider_d360.receiver.logins import FailedLogins, caller_address
from airflow_provider_d360.receiver.measurements import measure_delivery
from airflow_provider_d360.receiver.throttled_log import ThrottledLog
from airflow_provider_d360.store import Store, StoreUnavailableError

MAX_BODY_BYTES = 3_000_000

_LONGEST_INLINE_BYTES = 32_000  # read in less than a millisecond; longer bodies are read on a thread

_STATUS_OF: Mapping[type[Exception], int] = {
    TooLargeError: 413,
    UnknownEncodingError: 415,
    StoreUnavailableError: 503,
}


def create_app(
    store: Store,
    credentials: Sequence[Mapping[str, str]],
    *,
    platform_secret: str | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    address_header: str | None = None,
    notify: Callable[[str], object] | None = None,
    measures: bool = False,
    words: Keywords = DEFAULT_KEYWORDS,
    desk: Background | None = None,
) -> Starlette:
    """
    Make the receiver, for any ASGI server. It accepts deliveries at ``/``, ``/webhook`` and ``/webhook/``.

    :param store: Where events are stored.
    :param credentials: Sets of headers with their values. A delivery must carry all headers of one set.
    :param platform_secret: With it, deliveries must also be signed (``x-360dialog-signature``).
    :param max_body_bytes: Longer deliveries are rejected before they are read.
    :param address_header: The header in which the proxy passes on the caller's address. Default: none, so
        that the address of the peer counts.
    :param notify: Sends a text to people when WhatsApp reports that something is wrong. Default: nobody is
        told.
    :param measures: Whether to record metrics. Default: no.
    :param words: The words by which people opt out and in.
    :param desk: Serves answers that no task waits for. Default: nobody does.
    :raises NoCredentialsError: if anybody could deliver.
    """
    admission = Admission(credentials, platform_secret)
    return Starlette(
        routes=routes(
            store,
            Credentials(lambda: admission),
            max_body_bytes=max_body_bytes,
            address_header=address_header,
            notify=notify,
            measures=measures,
            words=words,
            desk=desk,
        )
    )


def routes(
    store: Store,
    credentials: Credentials,
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
    address_header: str | None = None,
    notify: Callable[[str], object] | None = None,
    measures: bool = False,
    words: Keywords = DEFAULT_KEYWORDS,
    desk: Background | None = None,
) -> list[BaseRoute]:
    """
    Make the receiver's routes, for an application of another package.

    :param store: Where events are stored.
    :param credentials: Who may deliver.
    :param max_body_bytes: Longer deliveries are rejected before they are read.
    :param address_header: The header in which the proxy passes on the caller's address, if any.
    :param notify: Sends a text to people when WhatsApp reports that something is wrong, if anything does.
    :param measures: Whether to record metrics.
    :param words: The words by which people opt out and in.
    :param desk: Serves answers that no task waits for, if anything does.
    """
    announcer = background_announcer(store, notify) if notify else None
    receiver = Receiver(
        store,
        credentials,
        max_body_bytes=max_body_bytes,
        address_header=address_header,
        announcer=announcer,
        measures=measures,
        words=words,
        desk=desk,
    )
    if announcer:
        announcer.wake()  # for what another process stored and could not announce
    if desk:
        desk.wake()  # likewise
    unhealthy = ThrottledLog("Answered 503 to %(count)d health checks: %(last)s")

    async def respond_health(request: Request) -> JSONResponse:
        try:
            await store.acheck_writable()
        except Exception as error:  # noqa: BLE001 - whatever it is, no delivery could be stored
            unhealthy.count(describe(error))
            return JSONResponse({"status": "store unavailable"}, 503)
        return JSONResponse({"status": "ok"})

    return [
        Route("/webhook", receiver, methods=["POST"]),
        Route("/webhook/", receiver, methods=["POST"]),  # a redirect would be a failed delivery
        Route("/health", respond_health),
        Route("/", receiver, methods=["POST"]),
    ]


class Receiver:
    """
    Accepts deliveries: an ASGI application for one path.

    It responds 200 once everything in a delivery is committed, 401 without valid credentials, 413 over the
    limit, 415 to an unknown ``Content-Encoding``, 429 while too many failed logins wait for their response,
    and 503, upon which 360dialog delivers again, while the store is unavailable.

    :param store: Where events are stored.
    :param credentials: Who may deliver.
    :param max_body_bytes: Longer deliveries are rejected.
    :param address_header: The header in which the proxy passes on the caller's address, if any.
    :param announcer: Tells people what WhatsApp reports as wrong, if anything does.
    :param measures: Whether to record metrics.
    :param words: The words by which people opt out and in.
    :param desk: Serves answers that no task waits for, if anything does.
    """

    def __init__(
        self,
        store: Store,
        credentials: Credentials,
        *,
        max_body_bytes: int,
        address_header: str | None,
        announcer: Background | None,
        measures: bool,
        words: Keywords,
        desk: Background | None,
    ) -> None:
        self._announcer, self._desk = announcer, desk
        self._measures = measures
        self._credentials = credentials
        self._max_body_bytes = max_body_bytes
        self._address_header = address_header.strip().lower().encode() if address_header else None
        self._commits = GroupCommit(store, words, measures=measures)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="d360-reader")
        self._failed_logins = FailedLogins()
        self._rejected = ThrottledLog(
            "Rejected %(count)d deliveries without valid credentials or signature, the last one from %(last)s"
        )
        self._unsupported = ThrottledLog(
            "Rejected %(count)d deliveries whose Content-Encoding is neither gzip nor deflate"
        )
        self._unknown = ThrottledLog(
            "Stored %(count)d items of deliveries that are not understood, with type 'd360:raw' in the inbox"
        )
        self._omitted = ThrottledLog(
            "Accepted %(count)d items of deliveries that are not stored on purpose, the last ones: %(last)s"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status = await self._accept(scope, receive)
        except DisconnectedError:
            return
        except tuple(_STATUS_OF) as error:
            status = _STATUS_OF[type(error)]
        if self._measures:
            metrics.count(metrics.DELIVERIES, status=str(status))
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _accept(self, scope: Scope, receive: Receive) -> int:
        # Of two headers of one name the caller's own is first: Airflow's development mode appends one.
        headers = dict(reversed(list(scope["headers"])))
        if not await self._credentials.admit(headers):
            return await self._reject(scope)
        body = await read_body(headers, receive, self._max_body_bytes)
        if not self._credentials.trusts(headers, body):
            return await self._reject(scope)
        delivery = await self._read(scope, body)
        if self._measures:
            measure_delivery(delivery.events)
        if delivery.events:
            await self._commits.add(delivery.events, delivery.size_bytes)
            self._wake(delivery.events)
        if delivery.omitted:
            self._omitted.count(delivery.omitted, delivery.omitted_count)
        if delivery.unknown_count:
            self._unknown.count(times=delivery.unknown_count)
        return 200

    def _wake(self, events: Sequence[Event]) -> None:
        """Let others work on what was committed; this waits for nobody."""
        if self._announcer and any(isinstance(event, NoticeEvent) for event in events):
            self._announcer.wake()
        if self._desk and any(_may_answer(event) for event in events):
            self._desk.wake()

    async def _read(self, scope: Scope, body: bytes) -> Delivery:
        """Read a body; a long one on a thread, so that the event loop is not blocked."""
        named = [value for name, value in scope["headers"] if name == b"content-encoding"]
        try:
            encodings = read_encodings(b",".join(named)) if named else []
        except UnknownEncodingError:
            self._unsupported.count()
            raise
        if not encodings and len(body) <= _LONGEST_INLINE_BYTES:
            return _sort(read_delivery(body), len(body))
        return await asyncio.get_running_loop().run_in_executor(
            self._reader, _decompress_and_read, encodings, body, self._max_body_bytes
        )

    async def _reject(self, scope: Scope) -> int:
        address = caller_address(scope, self._address_header)
        self._rejected.count(address)
        return 401 if await self._failed_logins.delay(address) else 429


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    What one request delivers.

    :param events: The events to be stored.
    :param size_bytes: The length of the decompressed body.
    :param unknown_count: How many of them are not understood.
    :param omitted: What is not stored on purpose, as a text for the log; empty if there is nothing.
    :param omitted_count: How many items that is.
    """

    events: list[Event]
    size_bytes: int
    unknown_count: int
    omitted: str
    omitted_count: int


def _may_answer(event: Event) -> bool:
    return isinstance(event, MessageEvent) and (event.type in TAPS or event.reply_to is not None)


def _decompress_and_read(encodings: list[bytes], body: bytes, limit: int) -> Delivery:
    with _paused_garbage_collection():
        body = decompress(encodings, body, limit)
        return _sort(read_delivery(body), len(body))


def _sort(events: list[Event], size_bytes: int) -> Delivery:
    omitted = Counter(event.kind for event in events if isinstance(event, OmittedEvent))
    return Delivery(
        [event for event in events if not isinstance(event, OmittedEvent)] if omitted else events,
        size_bytes,
        sum(isinstance(event, UnknownEvent) for event in events),
        ", ".join(f"{number} {kind}" for kind, number in sorted(omitted.items())),
        omitted.total(),
    )


@contextmanager
def _paused_garbage_collection() -> Iterator[None]:
    """Pause it: a delivery of 3 MB makes so many objects that all of Airflow's would be searched as well."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

"""The body of a request while it is sent, and the body of its response while it arrives."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.privacy import file_error
from airflow_provider_d360.api.wire import Call, Reader, Request, Source
from airflow_provider_d360.transport.flows import Work

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")
CHUNK = 256 * 1024


class BodyStream:
    """
    The two bodies of one attempt; requests reads it as a file of known length, aiohttp by :func:`payload_of`.

    It knows whether sending has started; before that, nothing can be accepted. Once abandoned, it is never
    sent: a request that was given up while connecting would otherwise be sent later, beside its own retry.

    :ivar problem: The error of this machine: of ``begin``, of the file that is sent, or of the sink.
    :ivar content: The response body, unless it goes into a sink.
    :param call: The call. Its source is opened here; the errors of that are raised.
    :param limit: The number of bytes of a response body that are kept in memory.
    :param begin: Is called before the first byte is read, when the connection is open. It may block. Its
        error becomes ``problem``, and nothing is sent.
    """

    def __init__(self, call: Call[Any], limit: int, begin: Callable[[], object] | None = None) -> None:
        source = call.request.source
        self.problem: Exception | None = None
        self.content = bytearray()
        self._begin = begin
        self._sink, self._limit = call.sink, limit
        self._size = self._left = len(call.request.body) if source is None else source.size
        self._file = io.BytesIO(call.request.body) if source is None else _opened(source)
        self._started = self._abandoned = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._size

    def start(self) -> None:
        """
        Note that sending starts; the first time, ``begin`` is called.

        :raises OSError: when the request was abandoned, or ``begin`` failed.
        """
        if self._begin and not self._started and not self._abandoned:
            self._run_begin(self._begin)
        with self._lock:
            if self._abandoned:
                raise OSError("This request was given up before it was sent")
            self._started = True

    async def astart(self) -> None:
        """Do the same as :meth:`start` without blocking the event loop."""
        if self._begin is not None and not self._started:
            await Work(self.start).arun()
        else:
            self.start()

    def read(self, size: int = -1, /) -> bytes:
        self.start()
        length = self._left if size < 0 else min(size, self._left)
        chunk = self._noting_problem(lambda: self._read_file(length))
        self._left -= len(chunk)
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(CHUNK), b"")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._left:
            yield await Work(partial(self.read, CHUNK)).arun()

    def take(self, status: int, chunk: bytes) -> bool:
        """
        Take a chunk of the response body. Return False when the limit is exceeded.

        :param status: The HTTP status; only the body of a 2xx response goes into the sink.
        :param chunk: The bytes.
        """
        if self._sink is None or not 200 <= status < 300:
            self.content += chunk
            return len(self.content) <= self._limit
        write = self._sink.write
        self._noting_problem(lambda: write(chunk))
        return True

    async def atake(self, status: int, chunk: bytes) -> bool:
        """
        Do the same as :meth:`take` without blocking the event loop.

        :param status: The HTTP status.
        :param chunk: The bytes.
        """
        if self._sink is None:
            return self.take(status, chunk)
        return await asyncio.to_thread(self.take, status, chunk)

    def abandon(self) -> bool:
        """Prevent the body from being sent. Return True when sending has already started."""
        with self._lock:
            self._abandoned = True
            return self._started

    def close(self) -> None:
        """Close the file. A thread that is still connecting sends nothing any more."""
        self.abandon()
        with suppress(Exception):  # of any file system: what was read is not changed by it
            self._file.close()

    def _run_begin(self, begin: Callable[[], object]) -> None:
        try:
            begin()
        except Exception as problem:  # noqa: BLE001 - raised in place of what the HTTP library makes of it
            self.problem = problem
        else:
            return
        raise OSError("This request was stopped before it was sent")

    def _read_file(self, length: int) -> bytes:
        chunk = self._file.read(length)
        if length and not chunk:
            raise OSError(f"The file ends {self._left} bytes early")
        return chunk

    def _noting_problem(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except D360Error as problem:
            self.problem = problem
            raise
        except Exception as problem:  # noqa: BLE001 - any file system's
            self.problem = file_error(problem)
        # The HTTP library wraps what is raised here. ``problem`` goes out in its place, and in no chain.
        raise OSError("The file on this machine failed")


def payload_of(stream: BodyStream, request: Request) -> aiohttp.payload.Payload:
    """
    Return the body of a request as aiohttp sends it.

    :param stream: The bodies of the attempt.
    :param request: The request.
    """
    import aiohttp

    if request.source is None and len(request.body) <= CHUNK:
        payload: aiohttp.payload.Payload = _memory_payload()(stream, request.body)
        return payload
    # aiohttp would look for this class among all that it knows.
    return aiohttp.payload.AsyncIterablePayload(stream)


@cache
def _memory_payload() -> Any:
    """Build a class for bodies in memory: reading them piece by piece would cost a tenth of a request."""
    from aiohttp.payload import BytesPayload

    class MemoryPayload(BytesPayload):
        def __init__(self, stream: BodyStream, content: bytes) -> None:
            super().__init__(content)
            self._stream = stream

        async def write(self, writer: Any) -> None:
            await self._stream.astart()
            await super().write(writer)

        async def write_with_length(self, writer: Any, content_length: int | None) -> None:  # from 3.12 on
            await self._stream.astart()
            await super().write_with_length(writer, content_length)

    return MemoryPayload


def _opened(source: Source) -> Reader:
    try:
        return source.open()
    except Exception as problem:  # noqa: BLE001 - any file system's; its text may hold a private path
        failure = file_error(problem)
    raise failure

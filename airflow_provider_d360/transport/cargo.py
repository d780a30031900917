"""What one attempt carries: a body on its way out, and an answer's body on its way in."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_d360.api.wire import Call

CHUNK = 256 * 1024


class Cargo:
    """
    One attempt's bodies; requests reads it as a file of known length, aiohttp as an asynchronous iterator.

    It knows whether the body has begun to leave; until then nothing can be accepted. Once abandoned it never
    leaves: a request that was given up while it was still connecting would otherwise go out later, beside
    its own repetition.

    :ivar problem: What went wrong on this machine, in the file that is sent or received into.
    :ivar content: What arrived and went into no sink.
    :param call: Its source is opened here, and what that raises is raised.
    :param longest: How much of an answer is kept in memory.
    """

    def __init__(self, call: Call[Any], longest: int) -> None:
        source = call.request.source
        self.problem: Exception | None = None
        self.content = bytearray()
        self._in_memory = source is None
        self._sink, self._longest = call.sink, longest
        self._size = self._left = len(call.request.body) if source is None else source.size
        self._file = io.BytesIO(call.request.body) if source is None else source.open()
        self._started = self._abandoned = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1, /) -> bytes:
        with self._lock:
            if self._abandoned:
                raise OSError("This request was given up before it left")
            self._started = True
        wanted = self._left if size < 0 else min(size, self._left)
        with self._blaming_this_machine():
            chunk = self._file.read(wanted)
            if wanted and not chunk:
                raise OSError(f"The file ends {self._left} bytes early")
        self._left -= len(chunk)
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(CHUNK), b"")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._left:
            yield self.read(CHUNK) if self._in_memory else await asyncio.to_thread(self.read, CHUNK)

    def take(self, status: int, chunk: bytes) -> bool:
        """Take in a piece of the answer; say whether more of it is wanted."""
        if self._sink is None or not 200 <= status < 300:
            self.content += chunk
            return len(self.content) <= self._longest
        with self._blaming_this_machine():
            self._sink.write(chunk)
        return True

    async def atake(self, status: int, chunk: bytes) -> bool:
        """Do the same without blocking the event loop."""
        if self._sink is None:
            return self.take(status, chunk)
        return await asyncio.to_thread(self.take, status, chunk)

    def abandon(self) -> bool:
        """Keep the body from leaving, and tell whether it is too late for that."""
        with self._lock:
            self._abandoned = True
            return self._started

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _blaming_this_machine(self) -> Iterator[None]:
        try:
            yield
        except Exception as problem:
            self.problem = problem
            raise

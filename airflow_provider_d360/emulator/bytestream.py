"""Reading the body of a request from a connection, with a stated length or in chunks."""

from __future__ import annotations

import re
from email.message import Message
from io import BufferedIOBase

LONGEST_LINE = 1024
MOST_TRAILERS = 100


class UnreadableError(Exception):
    """
    A body that cannot be read; the connection must be closed.

    :param status: The HTTP status of the response.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def read_body(headers: Message, stream: BufferedIOBase, limit: int) -> bytes:
    """
    Read a body of a stated length or in chunks; a request without either has no body.

    :param headers: The headers of the request.
    :param stream: The connection, behind the headers.
    :param limit: The largest body in bytes.
    :raises UnreadableError: when the body is malformed, longer than ``limit``, or ends too early.
    """
    lengths = set(headers.get_all("Content-Length", []))
    coding = headers.get("Transfer-Encoding", "").strip().lower()
    if coding:
        if lengths or coding != "chunked":
            raise UnreadableError(400)
        return _read_chunks(stream, limit)
    if not lengths:
        return b""
    text = lengths.pop()
    if lengths or not re.fullmatch(r"[0-9]{1,18}", text):
        raise UnreadableError(400)
    if int(text) > limit:
        raise UnreadableError(413)
    return _exactly(stream, int(text))


def _read_chunks(stream: BufferedIOBase, limit: int) -> bytes:
    body = bytearray()
    while size := _chunk_size(stream):
        if len(body) + size > limit:
            raise UnreadableError(413)
        body += _exactly(stream, size)
        if stream.readline(3) not in (b"\r\n", b"\n"):
            raise UnreadableError(400)
    for _ in range(MOST_TRAILERS):
        if stream.readline(LONGEST_LINE).strip() == b"":
            return bytes(body)
    raise UnreadableError(400)


def _chunk_size(stream: BufferedIOBase) -> int:
    digits = stream.readline(LONGEST_LINE).partition(b";")[0].strip()
    if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", digits):
        raise UnreadableError(400)
    return int(digits, 16)


def _exactly(stream: BufferedIOBase, size: int) -> bytes:
    body = stream.read(size)
    if len(body) < size:
        raise UnreadableError(400)
    return body

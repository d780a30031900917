"""What crosses the wire, as values: a request, a response, and a call that reads its response."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Reader(Protocol):
    """An open file, as far as sending needs one; a binary file of Python is one."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class Sink(Protocol):
    """Something that takes bytes: a file, or an object that counts and checks them before writing."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Source:
    """
    A body that is read while it is sent, so that it is never whole in memory.

    :param size: The number of bytes, sent as ``Content-Length``.
    :param open: Opens the body at its beginning, once for each attempt.
    """

    size: int
    open: Callable[[], Reader]


@dataclass(frozen=True, slots=True)
class Request:
    """
    One HTTP request, without host and key: the transport adds both, so that they are sent nowhere else.

    :param method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
    :param path: Path and query below the base URL; starts with ``/``.
    :param headers: Headers besides the key. Default: none.
    :param body: The bytes to send; ``repr`` does not show them, as they hold private text. Default: none.
    :param source: A body that is streamed, in place of ``body``. Default: ``None``.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    source: Source | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """
    One whole response.

    :param status: The HTTP status.
    :param headers: Headers with lower-case names. The transport adds ``date`` where the server sends none.
    :param body: The bytes received; ``repr`` does not show them. Default: none.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """
    One use of one endpoint: what to send, how to read the response, and whether sending it twice is harmless.

    :param request: The request.
    :param read: Turns a 2xx response into a value; raises ``ValueError`` when it cannot be read.
    :param repeatable: Whether the same request may reach the service twice without a second effect.
    :param private: Returns the strings of the request that no error text may repeat; it is called when there
        may be an error. Default: none.
    :param public: Returns words of the request that an error text may repeat, such as the name of a
        template. Default: none.
    :param quotable: Whether an error may quote the response; ``False`` where responses repeat credentials.
        Default: ``True``.
    :param sink: Takes the body of a 2xx response as it arrives; ``Response.body`` is empty then. It cannot be
        rewound, so there is one attempt only. Default: ``None``.
    :param single: Make one attempt only, whatever ``max_attempts`` is. Default: ``False``.
    :param extra_seconds: Seconds that this call may take beyond ``timeout_seconds``, for a large body.
        Default: 0.
    :param recipient: Who gets the message that this call sends, as
        :func:`~airflow_provider_d360.api.recipients.canonical` returns it. Default: empty, it sends none.
    """

    request: Request
    read: Callable[[Response], T]
    repeatable: bool
    private: Callable[[], frozenset[str]] = field(default=frozenset, repr=False)
    public: Callable[[], frozenset[str]] = field(default=frozenset, repr=False)
    quotable: bool = True
    sink: Sink | None = field(default=None, repr=False)
    single: bool = False
    extra_seconds: float = 0.0
    recipient: str = field(default="", repr=False)


def json_request(method: str, path: str, body: object = None) -> Request:
    """
    Build a request with a JSON body, in the order of its keys.

    :param method: The HTTP method.
    :param path: Path and query below the base URL; starts with ``/``.
    :param body: The body; ``None`` sends none. Default: ``None``.
    :raises ValueError: when the body holds something that JSON or UTF-8 cannot express.
    """
    headers = {"Accept": "application/json"}
    if body is None:
        return Request(method, path, headers)
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Request(method, path, {**headers, "Content-Type": "application/json"}, text.encode())

"""What crosses the wire, as values: a request, an answer, and a call that knows how to read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Reader(Protocol):
    """An open file, as far as sending needs one."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class Sink(Protocol):
    """Something that takes bytes: a file, or whatever counts and checks them on their way to one."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Source:
    """
    A body that is read while it is sent, so that it is never whole in memory.

    :param size: How many bytes there are; exactly so many are announced.
    :param open: Opens it at its beginning, anew for each attempt.
    """

    size: int
    open: Callable[[], Reader]


@dataclass(frozen=True, slots=True)
class Request:
    """
    One HTTP request, without host and key: the transport adds both, so they cannot end up elsewhere.

    :param method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
    :param path: Path and query below the base URL; starts with ``/``.
    :param headers: Headers besides the key.
    :param body: The bytes to send. Not shown by ``repr``: it holds what people write to each other.
    :param source: What to send in place of ``body``, when it is large.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    source: Source | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """
    One answer, whole.

    :param status: The HTTP status.
    :param headers: Headers with lower-case names.
    :param body: The bytes received. Not shown by ``repr``.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """
    One use of one endpoint: what to send, how to read the answer, and whether sending it twice is harmless.

    :param request: The request.
    :param read: Turns a 2xx answer into a value; raises ``ValueError`` when it cannot.
    :param repeatable: Whether the same request may reach the service twice without a second effect.
    :param private: Strings of the request that no error text may repeat.
    :param quotable: Whether an error may quote the answer. Not where answers repeat credentials.
    :param sink: Takes the body of a 2xx answer as it arrives; ``Response.body`` is empty then. It cannot be
        rewound, so there is one attempt only.
    :param single: There is one attempt only, whatever the account allows.
    :param extra_seconds: How much longer than others this call may take, because much has to be carried.
    """

    request: Request
    read: Callable[[Response], T]
    repeatable: bool
    private: frozenset[str] = field(default=frozenset(), repr=False)
    quotable: bool = True
    sink: Sink | None = field(default=None, repr=False)
    single: bool = False
    extra_seconds: float = 0.0


def json_request(method: str, path: str, body: object = None) -> Request:
    """
    Build a request with a JSON body, in the order of its keys; without a body when it is ``None``.

    :raises ValueError: when the body holds something that JSON or UTF-8 cannot express.
    """
    headers = {"Accept": "application/json"}
    if body is None:
        return Request(method, path, headers)
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Request(method, path, {**headers, "Content-Type": "application/json"}, text.encode())

"""Failed logins: the address they come from, and a delay that grows with their number."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Iterable

from starlette.types import Scope

FREE_FAILURES = 3
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 8.0

_FORGET_AFTER_SECONDS = 600.0
_MOST_ADDRESSES = 1000
_MOST_WAITING = 64
_MOST_WAITING_PER_ADDRESS = 4
_IPV6_PREFIX = 64  # what one customer of a provider gets


class FailedLogins:
    """
    Delays the responses to failed logins, per address.

    The first three failures of an address cost nothing. Each further one doubles the delay, from half a
    second to eight. Ten minutes after the last failure the count starts again. Only failures wait: valid
    credentials are never delayed, whatever was sent from the same address.

    At most 4 responses per address, and 64 in total, wait at a time: more would let an attacker pile up
    connections. At most 1,000 addresses are kept, the most recent ones. IPv6 addresses count by their first
    64 bits.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting: dict[str, int] = {}

    async def delay(self, address: str) -> bool:
        """
        Count a failed login and wait.

        :param address: The caller, as :func:`caller_address` returns it.
        :return: False, at once, if too many responses wait already.
        """
        origin = _origin(address)
        delay_seconds = self._count(origin)
        if not delay_seconds:
            return True
        waiting = self._waiting.get(origin, 0)
        if waiting >= _MOST_WAITING_PER_ADDRESS or sum(self._waiting.values()) >= _MOST_WAITING:
            return False
        self._waiting[origin] = waiting + 1
        try:
            await asyncio.sleep(delay_seconds)
        finally:
            self._waiting[origin] -= 1
            if not self._waiting[origin]:
                del self._waiting[origin]
        return True

    def _count(self, origin: str) -> float:
        now = time.monotonic()
        failures, last_at = self._failures.pop(origin, (0, now))
        failures = 1 if now - last_at > _FORGET_AFTER_SECONDS else failures + 1
        self._failures[origin] = failures, now
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)
        if failures <= FREE_FAILURES:
            return 0.0
        doublings = min(failures - FREE_FAILURES - 1, 10)
        return min(FIRST_DELAY_SECONDS * 2.0**doublings, LONGEST_DELAY_SECONDS)


def caller_address(scope: Scope, header: bytes | None) -> str:
    """
    Return the address of the caller; ``unknown`` for a Unix socket.

    :param scope: The ASGI scope of the request.
    :param header: The header (lower case) in which a proxy passes the address on. Of several addresses the
        last one counts: that is the one the proxy itself added. ``None``, or a header without a valid
        address: the address of the peer.
    """
    peer = scope.get("client")
    values = [value for name, value in scope["headers"] if name == header] if header else []
    return _last_address(values) or (str(peer[0]) if peer and peer[0] else "unknown")


def _last_address(values: Iterable[bytes]) -> str | None:
    """Read an address from ``192.0.2.1``, ``192.0.2.1:80``, ``[2001:db8::1]:80`` or a list of such."""
    text = b",".join(values).rpartition(b",")[2].decode("latin-1").strip().strip('"')
    bracketed = text.startswith("[") and "]" in text
    host = text[1:].partition("]")[0] if bracketed else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _origin(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, ipaddress.IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed.packed, _IPV6_PREFIX), strict=False))

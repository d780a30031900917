"""Message ids in the form of the real ones: they hold the number of the person, encoded but not encrypted."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode

from airflow_provider_d360.api.hosting import ON_PREMISE, Hosting


def new_message_id(hosting: Hosting, person: str, *, inbound: bool = False) -> str:
    """
    Make a unique message id.

    On cloud, ``wamid.`` and the base64 of a structure that holds the digits in ASCII, so
    ``HBgLMTY1MDM4Nzk0MzkV…`` is 16503879439. On-premise, ``gBG…`` and base64 of a structure that holds them
    as packed decimals. For a hidden number, the digits of an internal id are used.

    :param hosting: The hosting of the number.
    :param person: The recipient, or the sender of an inbound message: digits or a user id or a group id.
    :param inbound: The message was sent to the number, not by it.
    """
    digits = person if person.isdecimal() else _internal_id(person)
    if hosting is ON_PREMISE:
        return _on_premise_id(digits)
    middle, length = (b"\x15\x02\x00\x12\x18\x14", 20) if inbound else (b"\x15\x02\x00\x11\x18\x12", 18)
    tail = secrets.token_hex(length // 2).upper().encode()
    whole = b"\x1c\x18" + bytes([len(digits)]) + digits.encode() + middle + tail + b"\x00"
    return f"wamid.{b64encode(whole).decode()}"


def _on_premise_id(digits: str) -> str:
    odd = len(digits) % 2
    packed = bytes.fromhex(digits + "f" * odd)
    whole = b"\x80\x11" + bytes([odd << 7 | len(packed)]) + packed + b"\x02\x09" + secrets.token_bytes(9)
    return b64encode(whole, altchars=b"-_").decode().rstrip("=")


def _internal_id(person: str) -> str:
    """Derive 15 digits from a user id or group id."""
    return str(10**14 + int(hashlib.sha256(person.encode()).hexdigest(), 16) % (9 * 10**14))

"""One alert to everybody at once: nobody waits for somebody else's failure."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_d360.api.errors import D360Error, D360RecipientError, D360RequestError, Refusal

if TYPE_CHECKING:
    from airflow_provider_d360.api.results import Sent
    from airflow_provider_d360.hooks.d360 import D360Hook

Message: TypeAlias = "str | Mapping[str, Any]"
Outcome: TypeAlias = "Sent | D360Error"

_AT_ONCE = 8
_WINDOW_CLOSED = 131047


def recipients(to: object) -> list[str]:
    """
    Read whom to alert: one recipient, several with commas between them, or a list.

    :raises D360RequestError: when there is nobody.
    """
    given = to if isinstance(to, list | tuple | set | frozenset) else [to]
    everybody = [who.strip() for item in given if item for who in re.split(r"[,;\n]", str(item))]
    if not any(everybody):
        raise D360RequestError(Refusal("to is empty", "Give the notifier at least one recipient."))
    return list(dict.fromkeys(filter(None, everybody)))


def deliver(
    hook: D360Hook, everybody: Sequence[str], message: Message, fallback: Message | None
) -> list[Outcome]:
    """
    Send a message to everybody, and return for each what became of it.

    :param fallback: The template that goes out in its place to those for whom the 24-hour window is closed.
    """
    hook.get_conn()  # a wrong connection is one error, and not one for each recipient

    def one(to: str) -> Outcome:
        try:
            try:
                return hook.send(to, message, on_newline="flatten")
            except D360RecipientError as error:
                return hook.send(to, _instead(fallback, error), on_newline="flatten")
        except D360Error as error:
            return error

    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(everybody))) as pool:
        return list(pool.map(one, everybody))


async def adeliver(
    hook: D360Hook, everybody: Sequence[str], message: Message, fallback: Message | None
) -> list[Outcome]:
    """Do the same as :func:`deliver` without blocking the event loop."""
    await hook.aget_conn()
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(to: str) -> Outcome:
        try:
            try:
                return await hook.asend(to, message, on_newline="flatten")
            except D360RecipientError as error:
                return await hook.asend(to, _instead(fallback, error), on_newline="flatten")
        except D360Error as error:
            return error

    async def in_turn(to: str) -> Outcome:
        async with turn:
            return await one(to)

    try:
        return list(await asyncio.gather(*map(in_turn, everybody)))
    finally:
        await hook.aclose()


def _instead(fallback: Message | None, error: D360RecipientError) -> Message:
    if fallback is None or error.refusal.code != _WINDOW_CLOSED:
        raise error
    return fallback

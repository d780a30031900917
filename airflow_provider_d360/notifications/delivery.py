"""One alert to everybody at once: nobody waits for somebody else's failure."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from airflow_provider_d360.api.errors import D360Error, D360RequestError, Refusal

if TYPE_CHECKING:
    from airflow_provider_d360.api.results import Sent
    from airflow_provider_d360.hooks.d360 import D360Hook

Message: TypeAlias = "str | Mapping[str, Any]"
Outcome: TypeAlias = "Sent | D360Error"

log = logging.getLogger(__name__)

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


class Words(Protocol):
    """
    What an alert says, and what it says instead.

    :param message: What is tried first.
    :param fallback: The template for those for whom the 24-hour window is closed.
    :param default: What goes out when ``message`` itself is refused.
    """

    @property
    def message(self) -> Message: ...
    @property
    def fallback(self) -> Message | None: ...
    @property
    def default(self) -> Message | None: ...


def deliver(hook: D360Hook, everybody: Sequence[str], words: Words) -> list[Outcome]:
    """Send an alert to everybody, and return for each what became of it."""
    hook.get_conn()  # a wrong connection is one error, and not one for each recipient

    def one(to: str) -> Outcome:
        said = words.message
        while True:
            try:
                return hook.send(to, said, on_newline="flatten")
            except D360Error as error:
                instead = _instead(words, said, error)
                if instead is None:
                    return error
                said = instead

    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(everybody))) as pool:
        return list(pool.map(one, everybody))


async def adeliver(hook: D360Hook, everybody: Sequence[str], words: Words) -> list[Outcome]:
    """Do the same as :func:`deliver` without blocking the event loop."""
    await hook.aget_conn()
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(to: str) -> Outcome:
        said = words.message
        while True:
            try:
                return await hook.asend(to, said, on_newline="flatten")
            except D360Error as error:
                instead = _instead(words, said, error)
                if instead is None:
                    return error
                said = instead

    async def in_turn(to: str) -> Outcome:
        async with turn:
            return await one(to)

    try:
        return list(await asyncio.gather(*map(in_turn, everybody)))
    finally:
        await hook.aclose()


def _instead(words: Words, said: Message, error: D360Error) -> Message | None:
    """Find what to say next, to somebody who has got nothing; each is said once."""
    if isinstance(error, D360RequestError) and said is words.message and words.default is not None:
        log.warning("The message is refused, so the default one goes out: %s", error)
        return words.default
    if error.refusal.code == _WINDOW_CLOSED and said is not words.fallback:
        return words.fallback
    return None

"""Waiting for messages of people: one query for all who wait in a process."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, text

from airflow_provider_d360.store.database import Database, StoreUnavailableError

log = logging.getLogger(__name__)

OVERLAP_SECONDS = 300.0  # a message that is committed later than others by less is not missed

_MATCH = """
    SELECT w.key, i.message_id, i.received_at, 0 AS failure FROM waits w {join} d360_inbox i
    ON i.{column} = w.key AND i.received_at >= w.since
"""
_FAILURE = """
    SELECT w.key, s.message_id, s.received_at, 1 AS failure FROM waits w {join} d360_message_statuses s
    ON s.message_id = w.key AND s.status = 'failed' AND s.received_at >= w.since AND w.failures
"""
_WAITS = {
    "sqlite": """
        WITH waits AS (
            SELECT json_extract(value, '$[0]') AS key, json_extract(value, '$[1]') AS since,
                json_extract(value, '$[2]') AS failures
            FROM json_each(:waits)
        )
    """,
    "postgresql": """
        WITH waits AS (
            SELECT value ->> 0 AS key, CAST(value ->> 1 AS DOUBLE PRECISION) AS since,
                CAST(value ->> 2 AS BOOLEAN) AS failures
            FROM json_array_elements(CAST(:waits AS JSON))
        )
    """,
}
_JOINS = {"sqlite": "CROSS JOIN", "postgresql": "JOIN"}  # SQLite keeps the order of a CROSS JOIN
_COLUMNS = ("reply_to", "sender", "sender_user_id")
_SIGNS = """
    SELECT * FROM (
        SELECT '' AS key, message_id, received_at FROM d360_inbox
        ORDER BY received_at DESC, message_id DESC LIMIT 1
    ) newest
    UNION ALL SELECT name, NULL, read_at FROM d360_cursors
"""
ANY = ""  # the key of whatever comes


class Arrival(NamedTuple):
    """
    A message that came, without its text; or the failure of one of ours.

    :param message_id: Its id.
    :param received_at: When it was received, in Unix seconds.
    :param is_failure: WhatsApp reports that this message of ours has failed.
    """

    message_id: str
    received_at: float
    is_failure: bool = False


class Key(NamedTuple):
    """
    What to look for.

    :param text: A number, a user id or the id of a message of ours.
    :param since: From when on, in Unix seconds.
    :param with_failure: Tell when this message of ours fails, too.
    """

    text: str
    since: float
    with_failure: bool = False


class Arrivals:
    """
    Finds messages by who sent them or what they reply to, and failures of our own.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, keys: Sequence[Key]) -> dict[str, list[Arrival]]:
        """
        Return the arrivals for each key, in one query.

        :param keys: Numbers, user ids and ids of our messages, each with a start time.
        """

        def work(connection: Connection) -> dict[str, list[Arrival]]:
            dialect = connection.dialect.name
            matches = [_MATCH.format(column=column, join=_JOINS[dialect]) for column in _COLUMNS]
            matches.append(_FAILURE.format(join=_JOINS[dialect]))
            query = text(_WAITS[dialect] + " UNION ".join(matches))
            found: dict[str, list[Arrival]] = {}
            for row in connection.execute(query, {"waits": json.dumps(list(keys))}):
                arrival = Arrival(row.message_id, row.received_at, bool(row.failure))
                found.setdefault(row.key, []).append(arrival)
            return found

        return self._database.read(work)

    def signs(self) -> dict[str, list[Arrival]]:
        """Return the message that came last, as :data:`ANY`, and when each cursor was moved, in one query."""
        rows = self._database.read(lambda connection: connection.execute(text(_SIGNS)).all())
        return {row.key: [Arrival(row.message_id or str(row.received_at), row.received_at)] for row in rows}


@dataclass(slots=True, eq=False)
class Wait:
    """
    The messages that one task waits for, and those it has seen. It is used again for the next message.

    :param keys: Numbers, user ids and ids of our messages.
    :param since: From when on, in Unix seconds.
    :param with_failures: Wait for failures of our messages, too.
    """

    keys: tuple[str, ...]
    since: float = 0.0
    with_failures: bool = False
    _seen: dict[str, float] = field(default_factory=dict)

    def take(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """
        Return the new arrivals, oldest first.

        :param arrivals: The arrivals for the keys.
        """
        wanted = (one for one in arrivals if self.with_failures or not one.is_failure)
        new = {one.message_id: one for one in wanted if one.message_id not in self._seen}
        self._seen |= {one.message_id: one.received_at for one in new.values()}
        if new:
            newest = max(self._seen.values())
            self.since = max(self.since, newest - OVERLAP_SECONDS)
            self._seen = {key: at for key, at in self._seen.items() if at >= self.since}
        return sorted(new.values(), key=lambda one: (one.received_at, one.message_id))


class _Waiter(NamedTuple):
    wait: Wait
    until: float
    result: asyncio.Future[list[Arrival]]


class ArrivalWatch:
    """
    Lets many tasks of one event loop wait for messages with one query per interval.

    :param find: Finds arrivals: :meth:`Arrivals.find`.
    :param interval_seconds: Time between two queries.
    """

    def __init__(
        self,
        find: Callable[[Sequence[Key]], dict[str, list[Arrival]]],
        interval_seconds: float,
    ) -> None:
        self._find, self._interval_seconds = find, interval_seconds
        self._waiters: set[_Waiter] = set()
        self._poller: asyncio.Task[None] | None = None

    async def next(self, wait: Wait, until: float = math.inf) -> list[Arrival]:
        """
        Wait until something comes, and return what is new; nothing when the time is over.

        The time is over when a query that began after it found nothing. While the store is away, this waits.

        :param wait: What is waited for.
        :param until: When to give up, in Unix seconds.
        :raises StoreFaultError: The query cannot work, and trying again would not help.
        """
        waiter = _Waiter(wait, until, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            return await waiter.result
        finally:
            self._waiters.discard(waiter)

    async def _poll(self) -> None:
        await asyncio.sleep(0)  # tasks that begin to wait in the same moment share the first query
        while self._waiters:
            began, waiters = time.time(), list(self._waiters)
            waits = {one.wait for one in waiters}
            keys = sorted({Key(key, one.since, one.with_failures) for one in waits for key in one.keys})
            try:
                found = await asyncio.to_thread(self._find, keys)
            except StoreUnavailableError as error:
                log.warning(
                    "Messages cannot be read, trying again in %g s: %s", self._interval_seconds, error
                )
            except Exception as error:  # noqa: BLE001 - a bug: every task that waits must know, or it waits for ever
                for waiter in waiters:
                    if not waiter.result.done():
                        waiter.result.set_exception(error)
            else:
                for waiter in waiters:
                    _report(waiter, found, began)
            await asyncio.sleep(self._interval_seconds)


def _report(waiter: _Waiter, found: dict[str, list[Arrival]], began: float) -> None:
    if waiter.result.done():
        return
    new = waiter.wait.take([one for key in waiter.wait.keys for one in found.get(key, ())])
    if new or began >= waiter.until:
        waiter.result.set_result(new)

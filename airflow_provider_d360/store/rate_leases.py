"""
Rate leases: no number sends more than its limit in any second, in all processes and machines together.

A process leases moments to send at for up to a second, with one write. See ``timelines.py`` for the rule.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Double, String, Table, Text, bindparam, func, select, update

from airflow_provider_d360.store.database import Database, StoreUnavailableError
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Insert
from airflow_provider_d360.store.secret import Secret
from airflow_provider_d360.store.timelines import (
    LATENESS_SECONDS,
    LEASE_SECONDS,
    Speed,
    dump,
    grant,
    load,
    slot_rate,
)

RATES = Table(
    "d360_rates",
    METADATA,
    Column("number", String, primary_key=True),  # a hash
    Column("timeline", Text, nullable=False),
    Column("slowed_to", Double, nullable=False),
    Column("slowed_at", Double, nullable=False),
)

_INSERT = Insert(RATES)
_OF_NUMBER = select(RATES).where(RATES.c.number == bindparam("of_number"))
_UPDATE = update(RATES).where(RATES.c.number == bindparam("of_number"))
_DATABASE_TIME = select(func.extract("epoch", func.clock_timestamp()))
_LEAST_LATENESS_SECONDS = 0.01
_READINGS = 5
_REMEMBERED_SECONDS = 60.0
_LONGEST_LEAD_SECONDS = 1.0
_DRIFT = 1e-4  # how much faster one clock may run than another


@dataclass(frozen=True, slots=True)
class Lease:
    """
    Moments to send at. One that is missed by more than ``lateness_seconds`` is lost.

    :param moments: When, on the clock of ``time.monotonic()`` in this process, ascending. One message each.
    :param lateness_seconds: How long after its moment a message may still be sent.
    :param free_at: From when on another lease can begin, on the same clock.
    :param messages_per_second: How many moments a second has, for all processes together.
    """

    moments: tuple[float, ...]
    lateness_seconds: float
    free_at: float
    messages_per_second: float


@dataclass(frozen=True, slots=True)
class ClockReading:
    """
    What is known of the difference between the store's clock and this process's. Pure.

    :param least: The store's time is at least so much more than ``time.monotonic()``.
    :param most: And at most so much more.
    :param at: When it was read, on ``time.monotonic()``.
    """

    least: float
    most: float
    at: float

    def narrowed(self, before: ClockReading | None) -> ClockReading:
        """
        Return what this and an earlier reading tell together; this one alone if the clock was changed.

        :param before: The earlier one.
        """
        if before is None or self.at - before.at > _REMEMBERED_SECONDS:
            return self
        drift = (self.at - before.at) * _DRIFT
        least, most = max(self.least, before.least - drift), min(self.most, before.most + drift)
        return ClockReading(least, most, self.at) if least <= most else self


class RateLeases:
    """
    The table of rates. Its methods raise ``StoreUnavailableError`` while the database cannot be used.

    All times are from one clock: PostgreSQL's, or with SQLite the machine's. How it differs from this
    process's is measured with each lease, and what stays uncertain shortens ``lateness_seconds``.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._secret = Secret(database)
        self._clock: ClockReading | None = None
        self._lead_seconds = 0.0  # between the grant of a lease and its use: a commit may be slow

    def key(self, base_url: str, api_key: str) -> str:
        """
        Name a number: all connections with its API key are one.

        :param base_url: The base URL of the service.
        :param api_key: The API key, which is hashed.
        """
        return self._secret.hash("number", base_url, api_key)

    def lease(
        self,
        number: str,
        *,
        messages_per_second: float,
        incoming_share: float,
        want: int,
        holder: str = "",
        within_seconds: float = LEASE_SECONDS,
    ) -> Lease:
        """
        Lease moments to send at. There may be fewer than wanted, or none: try again at ``free_at``.

        What is not used is lost, so ask for no more than can be sent in a second. Ask again shortly before
        the last moment.

        :param number: Of :meth:`key`.
        :param messages_per_second: The limit of the number.
        :param incoming_share: The part of it that is left to incoming messages, which count, too: 0 to 0.9.
        :param want: How many at most.
        :param holder: Names who goes on sending, so that several have equal shares; empty for single ones.
        :param within_seconds: How far away the first moment may be.
        :raises StoreUnavailableError: Also when its clock cannot be read precisely: each of five readings
            takes longer than 40 milliseconds.
        """
        granted_at = time.monotonic()

        def work(connection: Connection) -> Lease:
            nonlocal granted_at
            timeline, speed = _lock(connection, number)
            clock = self._compare_clocks(connection)
            lateness = LATENESS_SECONDS - (clock.most - clock.least)
            granted_at = time.monotonic()
            now = granted_at + clock.least
            rate = slot_rate(messages_per_second * speed.at(now), incoming_share)
            granted = grant(
                load(timeline),
                rate=rate,
                holder=holder,
                want=want,
                now=now,
                lead_seconds=self._lead_seconds,
                within_seconds=within_seconds,
            )
            values = {"of_number": number, "timeline": dump(granted.timeline)}
            connection.execute(_UPDATE, values)
            # By the least difference a moment may be too late, and never too early.
            moments = tuple(moment - clock.least for moment in granted.moments)
            return Lease(moments, lateness, granted.free_at - clock.least, rate)

        lease = self._database.write(work)
        self._lead_seconds = min(_LONGEST_LEAD_SECONDS, 1.5 * (time.monotonic() - granted_at))
        return lease

    def _compare_clocks(self, connection: Connection) -> ClockReading:
        """Compare the clocks, again if a reading was slow, as it may be on a busy machine."""
        for _ in range(_READINGS):
            clock = self._clock = _read_clock(connection).narrowed(self._clock)
            if clock.most - clock.least <= LATENESS_SECONDS - _LEAST_LATENESS_SECONDS:
                return clock
        raise StoreUnavailableError("Reading the store's clock takes too long to share a rate limit")

    def slow_down(self, number: str) -> float:
        """
        Halve the rate of a number, because WhatsApp rejects messages as too fast, and return its part.

        It recovers by 5 % of the limit every ten seconds. Within two seconds, it is halved once.

        :param number: Of :meth:`key`.
        """

        def work(connection: Connection) -> float:
            _, speed = _lock(connection, number)
            now = _time(connection)
            slower = speed.halve(now)
            values = {"slowed_to": slower.slowed_to, "slowed_at": slower.slowed_at}
            connection.execute(_UPDATE, {"of_number": number, **values})
            return slower.at(now)

        return self._database.write(work)


def _lock(connection: Connection, number: str) -> tuple[str, Speed]:
    """Read the row of a number and lock it; make it first if it is missing."""
    _INSERT.execute(connection, [{"number": number, "timeline": "", "slowed_to": 1.0, "slowed_at": 0.0}])
    row = connection.execute(_OF_NUMBER.with_for_update(), {"of_number": number}).one()
    return row.timeline, Speed(row.slowed_to, row.slowed_at)


def _read_clock(connection: Connection) -> ClockReading:
    before = time.monotonic()
    store_time = _time(connection)
    after = time.monotonic()
    return ClockReading(store_time - after, store_time - before, after)


def _time(connection: Connection) -> float:
    if connection.dialect.name == "postgresql":
        return float(connection.execute(_DATABASE_TIME).scalar_one())
    return time.time()

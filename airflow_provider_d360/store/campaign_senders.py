"""
Who sends a campaign: one owner for each shard, proved by an epoch and a heartbeat.

All times are from the database's clock, so that the clocks of several machines need not agree.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    Integer,
    String,
    Table,
    bindparam,
    func,
    or_,
    select,
    update,
)

from airflow_provider_d360.store.campaign_rows import (
    CAMPAIGN_ROWS,
    IS_SENDABLE,
    DueRow,
    Outcome,
    Part,
    RowState,
    conclude_rows,
)
from airflow_provider_d360.store.campaigns import CAMPAIGNS
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Insert, chunks
from airflow_provider_d360.store.statuses import STATUSES, Status

SENDERS = Table(
    "d360_campaign_senders",
    METADATA,
    Column("campaign", BigInteger, primary_key=True, autoincrement=False),
    Column("shard", String, primary_key=True),
    Column("owner", String),
    Column("epoch", Integer, nullable=False),
    Column("beat_at", Double, nullable=False),
)
T = TypeVar("T")

_INSERT = Insert(SENDERS)
FRESH_SECONDS = 5.0  # who cannot prove that it lives sends nothing; shorter than the margin of a lease
# A status is stamped by the receiver's clock when it arrives, and seen when it is committed.
_LATE_SECONDS = 60.0


class SupersededError(Exception):
    """Another process sends this shard now, or the store was restored from a copy."""


@dataclass(frozen=True, slots=True)
class Lease:
    """
    The right to send a shard.

    :param part: The rows.
    :param owner: A random name of the process.
    :param epoch: Grows with each owner of the campaign.
    """

    part: Part
    owner: str
    epoch: int

    @property
    def shard(self) -> str:
        """The name of the shard."""
        return shard_name(self.part)


@dataclass(frozen=True, slots=True)
class Beat:
    """
    What a heartbeat reads.

    :param at: The time of the heartbeat, by the database's clock.
    :param signal: ``run``, ``pause`` or ``stop``.
    :param rate: This sender's share of the messages per second that somebody asked for; None for no wish.
    :param reason: Why it was stopped or paused.
    :param failed: Messages of the campaign that failed lately; at the first heartbeat, all since the signal.
    """

    at: float
    signal: str
    rate: float | None
    reason: str | None
    failed: tuple[Status, ...]


class CampaignSenders:
    """
    Claims rows for sending, and writes their outcomes.

    Its methods raise ``StoreUnavailableError`` while the database cannot be used.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, part: Part, owner: str, lease_seconds: float) -> Lease | None:
        """
        Become the owner of a shard; return None while another process is.

        Rows that the owners before had claimed, and did not conclude, become *unknown*.

        :param part: The rows.
        :param owner: A random name of this process.
        :param lease_seconds: A heartbeat that is older proves that no message of the owner is on its way.
        """

        def work(connection: Connection) -> Lease | None:
            query = select(CAMPAIGNS.c.epoch).where(CAMPAIGNS.c.key == part.campaign).with_for_update()
            epoch = connection.execute(query).scalar_one() + 1
            now = _now(connection)
            key = {"campaign": part.campaign, "shard": shard_name(part)}
            _INSERT.execute(connection, [{**key, "owner": None, "epoch": 0, "beat_at": 0.0}])
            senders = connection.execute(select(SENDERS).where(SENDERS.c.campaign == part.campaign)).all()
            alive = [
                one for one in senders if one.owner is not None and abs(now - one.beat_at) < lease_seconds
            ]
            if any(one.shard == key["shard"] and one.owner != owner for one in alive):
                return None
            dead = [one.epoch for one in senders if one not in alive]
            _abandon(connection, part.campaign, dead)
            connection.execute(
                update(SENDERS)
                .where(SENDERS.c.campaign == part.campaign, SENDERS.c.shard == key["shard"])
                .values(owner=owner, epoch=epoch, beat_at=now)
            )
            connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.key == part.campaign).values(epoch=epoch))
            return Lease(part, owner, epoch)

        return self._database.write(work)

    def beat(self, lease: Lease, last: float | None) -> Beat:
        """
        Prove that this process lives, and read the signal and new failures.

        :param lease: The lease.
        :param last: The time of the last heartbeat; None at the first.
        :raises SupersededError: when the lease has ended, or the store was restored from a copy.
        """

        def work(connection: Connection) -> Beat | None:
            now = _now(connection)
            mine = [*_owned(lease), SENDERS.c.beat_at >= (last or 0.0) - 0.001]
            if not connection.execute(update(SENDERS).where(*mine).values(beat_at=now)).rowcount:
                return None
            campaign = CAMPAIGNS.c
            query = select(campaign.signal, campaign.signal_at, campaign.rate, campaign.reason)
            row = connection.execute(query.where(campaign.key == lease.part.campaign)).one()
            since = row.signal_at if last is None else max(row.signal_at, now - _LATE_SECONDS)
            failed = _failed(connection, lease.part.campaign, since)
            rate = None if row.rate is None else row.rate / _alive(connection, lease.part.campaign, now)
            return Beat(now, row.signal, rate, row.reason, failed)

        return _required(self._database.write(work))

    def claim(self, lease: Lease, after: int, limit: int, now: float, zones: Collection[int]) -> list[DueRow]:
        """
        Claim the next rows: they are *intended* when this returns.

        :param lease: The lease.
        :param after: Only rows with a larger number.
        :param limit: How many at most.
        :param now: The time, in Unix seconds: postponed rows after it are left out.
        :param zones: The sets of time zones that are inside the window.
        :raises SupersededError: when the lease has ended.
        """
        rows = CAMPAIGN_ROWS.c
        query = (
            select(rows.number, rows.person, rows.payload, rows.attempts)
            .where(
                *lease.part.conditions(),
                rows.number > after,
                IS_SENDABLE,
                or_(rows.due_at.is_(None), rows.due_at <= now),
                or_(rows.zone.is_(None), rows.zone.in_(zones)),
            )
            .order_by(rows.number)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

        def work(connection: Connection) -> list[DueRow] | None:
            held = select(SENDERS.c.epoch).where(*_owned(lease)).with_for_update(read=True)
            if connection.execute(held).scalar() is None:
                return None
            claimed = [DueRow(*row) for row in connection.execute(query)]
            values = {"state": RowState.INTENDED.value, "epoch": lease.epoch, "at": now}
            statement = update(CAMPAIGN_ROWS).where(rows.campaign == lease.part.campaign).values(values)
            for numbers in chunks([row.number for row in claimed]):
                connection.execute(statement.where(rows.number.in_(numbers)))
            return claimed

        return _required(self._database.write(work))

    def next_due(self, lease: Lease) -> list[tuple[int | None, float | None]]:
        """
        Return the sets of time zones of the rows that are left, each with the earliest time of its rows.

        A set is None for rows without a window, and a time None for rows that are due now.

        :param lease: The lease.
        """
        rows = CAMPAIGN_ROWS.c
        query = (
            select(rows.zone, func.min(func.coalesce(rows.due_at, 0.0)))
            .where(*lease.part.conditions(), IS_SENDABLE)
            .group_by(rows.zone)
        )
        found = self._database.read(lambda connection: connection.execute(query).all())
        return [(zone, due_at or None) for zone, due_at in found]

    def conclude(self, lease: Lease, outcomes: Collection[Outcome]) -> None:
        """
        Write the outcomes of rows, also after the lease has ended: they are true all the same.

        :param lease: The lease under which they were claimed.
        :param outcomes: The outcomes, each row once.
        """
        self._database.write(
            lambda connection: conclude_rows(connection, lease.part.campaign, lease.epoch, outcomes)
        )

    def release(self, lease: Lease) -> None:
        """
        End a lease: the next owner need not wait.

        :param lease: The lease.
        """
        statement = update(SENDERS).where(*_owned(lease)).values(owner=None)
        self._database.write(lambda connection: connection.execute(statement).rowcount)


def shard_name(part: Part) -> str:
    """
    Return the name under which the owner of a shard is known.

    :param part: The rows.
    """
    return f"{part.shard}/{part.shards}"


def _owned(lease: Lease) -> list[ColumnElement[bool]]:
    columns = SENDERS.c
    return [
        columns.campaign == lease.part.campaign,
        columns.shard == lease.shard,
        columns.owner == lease.owner,
        columns.epoch == lease.epoch,
    ]


def _abandon(connection: Connection, campaign: int, epochs: Collection[int]) -> None:
    rows = CAMPAIGN_ROWS.c
    abandoned = [rows.campaign == campaign, rows.state == RowState.INTENDED.value, rows.epoch.in_(epochs)]
    reason = "the process that was sending it was killed"
    values = {"state": RowState.UNKNOWN.value, "reason": reason}
    connection.execute(update(CAMPAIGN_ROWS).where(*abandoned).values(values))


def _alive(connection: Connection, campaign: int, now: float) -> int:
    """Count the senders of a campaign that may be sending now."""
    columns = SENDERS.c
    alive = [columns.campaign == campaign, columns.owner.is_not(None), columns.beat_at > now - FRESH_SECONDS]
    return max(1, connection.execute(select(func.count()).where(*alive)).scalar_one())


def _failed(connection: Connection, campaign: int, since: float) -> tuple[Status, ...]:
    query = select(STATUSES).where(
        STATUSES.c.status == bindparam("failed", "failed", literal_execute=True),  # SQLite: for its index
        STATUSES.c.received_at >= since,
        STATUSES.c.intent.like(f"campaign.{campaign}.%"),
    )
    return tuple(Status(**row) for row in connection.execute(query).mappings())


def _now(connection: Connection) -> float:
    if connection.dialect.name != "postgresql":
        return time.time()
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def _required(result: T | None) -> T:
    if result is None:
        raise SupersededError
    return result

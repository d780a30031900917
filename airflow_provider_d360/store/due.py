"""Alerts that are still to be sent: each is a row until its final outcome, so that a kill loses none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    select,
    update,
)

from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Insert

DUE = Table(
    "d360_due_alerts",
    METADATA,
    Column("id", String, primary_key=True),
    Column("group_name", String),  # of an alert its cooldown, of a summary its run
    Column("subject", String),
    Column("conn_id", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claim", String),
    Column("claimed_until", Double, nullable=False),
    Column("waiter", String),  # who stays alive to send a summary
    Column("waits_until", Double, nullable=False),
    Column("content", Text, nullable=False),  # whole numbers and texts, until it is sent
)
Index("d360_due_alerts_due_at", DUE.c.due_at)

CLAIM_SECONDS = 25.0  # Airflow ends a callback after 20: a process that claimed a row longer ago was killed

_INSERT = Insert(DUE)


@dataclass(frozen=True, slots=True)
class DueAlert:
    """
    An alert that must be sent.

    :param id: Names the alert.
    :param group_name: Of an alert its cooldown, of a summary its run; None without.
    :param subject: What has the problem.
    :param conn_id: The Airflow connection.
    :param at: When it happened, in Unix seconds.
    :param due_at: From when it may be sent, in Unix seconds.
    :param expires_at: From when it is not sent any more, in Unix seconds.
    :param attempts: How often sending it has failed.
    :param claim: Who sends it now.
    :param content: The alert with its recipients, in JSON.
    """

    id: str
    group_name: str | None
    subject: str | None
    conn_id: str
    at: float
    due_at: float
    expires_at: float
    attempts: int
    claim: str | None
    content: str


def insert_due(connection: Connection, alert: DueAlert, claimed_until: float = 0.0) -> None:
    """
    Insert an alert that must be sent; a row with its id stays as it is.

    :param connection: A connection in a transaction that writes.
    :param alert: The alert.
    :param claimed_until: Until when nobody else sends it, in Unix seconds.
    """
    names = DueAlert.__slots__
    row = {name: getattr(alert, name) for name in names}
    row |= {"claimed_until": claimed_until, "waiter": None, "waits_until": 0.0}
    _INSERT.execute(connection, [row])


def take_due(
    connection: Connection, claim: str, now: float, but_not: Collection[str] = (), id: str | None = None
) -> DueAlert | None:
    """
    Claim the oldest alert that is due, or return None. Of several who ask at once, each gets another one.

    :param connection: A connection in a transaction that writes.
    :param claim: Who asks.
    :param now: The time, in Unix seconds.
    :param but_not: Connections whose alerts must wait.
    :param id: Only this one.
    """
    is_free = is_due(now) & DUE.c.conn_id.not_in(but_not)
    if id is not None:
        is_free &= DUE.c.id == id
    query = select(DUE).where(is_free).order_by(DUE.c.at, DUE.c.id).limit(1)
    row = connection.execute(query.with_for_update(skip_locked=True)).mappings().one_or_none()
    if row is None:
        return None
    values = {"claim": claim, "claimed_until": now + CLAIM_SECONDS}
    connection.execute(update(DUE).where(DUE.c.id == row["id"]).values(values))
    return read_due({**row, **values})


def is_due(now: float) -> ColumnElement[bool]:
    """
    Return the condition of rows that may be sent now. A claim from the future does not count.

    :param now: The time, in Unix seconds.
    """
    return (DUE.c.due_at <= now) & (DUE.c.expires_at > now) & ~is_claimed(now)


def is_claimed(now: float) -> ColumnElement[bool]:
    """
    Return the condition of rows that somebody sends at this moment.

    :param now: The time, in Unix seconds.
    """
    return (DUE.c.claimed_until > now) & (DUE.c.claimed_until <= now + CLAIM_SECONDS)


def read_due(row: Any) -> DueAlert:
    """
    Read a row.

    :param row: A mapping with all columns.
    """
    return DueAlert(**{name: row[name] for name in DueAlert.__slots__})


def delete_due(connection: Connection, id: str, claim: str | None = None) -> bool:
    """
    Delete an alert, and return whether it was there.

    :param connection: A connection in a transaction that writes.
    :param id: Its id.
    :param claim: Only if this claim is the last one.
    """
    condition = DUE.c.id == id
    if claim is not None:
        condition &= DUE.c.claim == claim
    return bool(connection.execute(delete(DUE).where(condition)).rowcount)


def delete_unsent(connection: Connection, condition: ColumnElement[bool], now: float) -> set[str]:
    """
    Delete alerts that nobody is sending at this moment, and return their ids.

    :param connection: A connection in a transaction that writes.
    :param condition: Which ones.
    :param now: The time, in Unix seconds.
    """
    query = select(DUE.c.id).where(condition, ~is_claimed(now)).with_for_update(skip_locked=True)
    ids = set(connection.execute(query).scalars())
    connection.execute(delete(DUE).where(DUE.c.id.in_(ids)))
    return ids


def keep_content(connection: Connection, alert: DueAlert, content: str) -> None:
    """
    Write the content of an alert.

    :param connection: A connection in a transaction that writes.
    :param alert: The alert, as it was claimed.
    :param content: Its content.
    """
    is_mine = (DUE.c.id == alert.id) & (DUE.c.claim == alert.claim)
    connection.execute(update(DUE).where(is_mine).values(content=content))


def postpone_due(connection: Connection, alert: DueAlert, due_at: float, content: str) -> None:
    """
    Give an alert back that was not sent to everybody.

    :param connection: A connection in a transaction that writes.
    :param alert: The alert, as it was claimed.
    :param due_at: When to try again, in Unix seconds.
    :param content: What is left of it.
    """
    values = {"due_at": due_at, "content": content, "attempts": alert.attempts + 1, "claimed_until": 0.0}
    is_mine = (DUE.c.id == alert.id) & (DUE.c.claim == alert.claim)
    connection.execute(update(DUE).where(is_mine).values(values))


def summarise_later(
    connection: Connection, summary: DueAlert, latest: float, waiter: str, now: float, wait_seconds: float
) -> bool:
    """
    Write that a summary is due; one that waits already waits on, until ``due_at``, at most until ``latest``.

    Return whether this alert's process must stay to send it.

    :param connection: A connection in a transaction that writes.
    :param summary: The summary.
    :param latest: How long after the first alert of it, in seconds, it may wait.
    :param waiter: The id of the alert that asks.
    :param now: The time, in Unix seconds.
    :param wait_seconds: How long a process stays.
    """
    insert_due(connection, summary)
    query = select(DUE.c.at, DUE.c.due_at, DUE.c.waiter, DUE.c.waits_until).where(DUE.c.id == summary.id)
    row = connection.execute(query.with_for_update()).one()
    due_at = max(row.due_at, min(summary.due_at, row.at + latest))
    values: dict[str, Any] = {"due_at": due_at}
    if row.waits_until < due_at <= now + wait_seconds and row.waiter != waiter:
        values |= {"waiter": waiter, "waits_until": now + wait_seconds}
    connection.execute(update(DUE).where(DUE.c.id == summary.id).values(values))
    return bool(values.get("waiter", row.waiter) == waiter)

"""Campaigns: the plan, which is frozen, and the signal that controls the senders."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from airflow_provider_d360.store.campaign_rows import (
    CAMPAIGN_ROWS,
    insert_rows,
    known_persons,
)
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Row, correct_future, count_rows, delete_rows

CAMPAIGNS = Table(
    "d360_campaigns",
    METADATA,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String, nullable=False),
    Column("conn_id", String, nullable=False),
    Column("dag_id", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("task_id", String, nullable=False),
    Column("is_planned", Boolean, nullable=False),
    Column("message", Text, nullable=False),
    Column("content", String, nullable=False),
    Column("audience", String, nullable=False),
    Column("category", String),
    Column("settings", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("signal", String, nullable=False),
    Column("signal_at", Double, nullable=False),
    Column("rate", Double),
    Column("reason", Text),
    Column("epoch", Integer, nullable=False),
    Column("at", Double, nullable=False),
)
Index("d360_campaigns_id", CAMPAIGNS.c.id, unique=True)


class ReplacedError(Exception):
    """Another process plans this campaign now."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """
    A campaign.

    :param key: Its key in the store.
    :param id: Its id for people.
    :param conn_id: The Airflow connection that it is sent through.
    :param dag_id: The DAG that planned it.
    :param run_id: The run of the DAG.
    :param task_id: The task.
    :param is_planned: All rows are there.
    :param message: The message with its columns.
    :param content: A hash of what was planned: message and arguments.
    :param audience: A hash of all rows.
    :param category: The template's category; None for other messages.
    :param settings: What else was frozen, such as the window and the hash of the template.
    :param plan: The result of planning: see ``campaigns/plan.py``.
    :param signal: ``run``, ``pause`` or ``stop``.
    :param rate: The most messages per second that somebody asked for; None for no wish.
    :param reason: Why it was paused or stopped.
    :param at: When it was planned, in Unix seconds.
    """

    key: int
    id: str
    conn_id: str
    dag_id: str
    run_id: str
    task_id: str
    is_planned: bool
    message: Any
    content: str
    audience: str = ""
    category: str | None = None
    settings: Mapping[str, Any] | None = None
    plan: Mapping[str, Any] | None = None
    signal: str = "run"
    rate: float | None = None
    reason: str | None = None
    at: float = 0.0


class Campaigns:
    """
    The table of campaigns. Its methods raise ``StoreUnavailableError`` while the database cannot be used.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, campaign_id: str) -> Campaign | None:
        """
        Return a campaign, or None.

        :param campaign_id: Its id.
        """
        query = select(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return _read(rows[0]) if rows else None

    def recent(self, limit: int = 100) -> list[Campaign]:
        """
        Return the newest campaigns, newest first.

        :param limit: How many at most.
        """
        query = select(CAMPAIGNS).order_by(CAMPAIGNS.c.at.desc()).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [_read(row) for row in rows]

    def begin(self, campaign: Campaign) -> Campaign:
        """
        Begin to plan a campaign, and return it with its key.

        What another process had planned of it, and did not finish, is deleted; if that one still runs, it
        gets ``ReplacedError``. A campaign that is planned is returned as it is.

        :param campaign: The campaign; its key is chosen here.
        """
        new = secrets.randbits(53)  # readers in other languages may take it as a double

        def work(connection: Connection) -> tuple[RowMapping, int | None]:
            query = select(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign.id)
            old = connection.execute(query.with_for_update()).mappings().first()
            if old is not None and (old["is_planned"] or old["key"] == new):
                return old, None
            if old is not None:
                connection.execute(delete(CAMPAIGNS).where(CAMPAIGNS.c.key == old["key"]))
            connection.execute(insert(CAMPAIGNS), _row(campaign, new))
            return connection.execute(query).mappings().one(), None if old is None else old["key"]

        row, left = self._database.write(work)
        if left is not None:
            self._delete_rows(left)
        return _read(row)

    def without(self, key: int, persons: Sequence[str]) -> list[str]:
        """
        Return the people without a row in a campaign, in the given order.

        :param key: The key of the campaign.
        :param persons: The hashes of the people.
        """
        known = self._database.read(lambda connection: known_persons(connection, key, persons))
        return [person for person in persons if person not in known]

    def add(self, key: int, rows: Sequence[Row]) -> None:
        """
        Add planned rows. What is there stays as it is.

        :param key: The key of the campaign.
        :param rows: Values by column; no person twice.
        :raises ReplacedError: when another process plans this campaign now.
        """

        def work(connection: Connection) -> bool:
            query = select(CAMPAIGNS.c.key).where(CAMPAIGNS.c.key == key, CAMPAIGNS.c.is_planned.is_(False))
            is_ours = connection.execute(query.with_for_update(read=True)).scalar() is not None
            if is_ours:
                insert_rows(connection, rows)
            return is_ours

        if not self._database.write(work):
            raise ReplacedError

    def finish(self, key: int, audience: str, plan: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """
        Freeze a campaign: from now on it can be sent.

        :param key: The key of the campaign.
        :param audience: The hash of all rows.
        :param plan: The result of planning.
        :param settings: What else is frozen.
        :raises ReplacedError: when another process plans this campaign now.
        """
        values = {"is_planned": True, "audience": audience, "plan": json.dumps(plan), "at": time.time()}
        values["settings"] = json.dumps(settings)
        statement = update(CAMPAIGNS).where(CAMPAIGNS.c.key == key).values(values)
        if not self._database.write(lambda connection: connection.execute(statement).rowcount):
            raise ReplacedError

    def discard(self, key: int) -> None:
        """
        Delete a campaign that is not planned, with its rows.

        :param key: The key of the campaign.
        """
        statement = delete(CAMPAIGNS).where(CAMPAIGNS.c.key == key, CAMPAIGNS.c.is_planned.is_(False))
        if self._database.write(lambda connection: connection.execute(statement).rowcount):
            self._delete_rows(key)

    def signal(self, campaign_id: str, signal: str, reason: str | None, rate: float | None = None) -> bool:
        """
        Tell all senders of a campaign what to do; they read it once a second. Return whether it is there.

        :param campaign_id: The id of the campaign.
        :param signal: ``run``, ``pause`` or ``stop``.
        :param reason: Why, for people.
        :param rate: The most messages per second; None for no wish.
        """
        values = {"signal": signal, "reason": reason, "rate": rate, "signal_at": time.time()}
        statement = update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(values)
        return self._database.write(lambda connection: connection.execute(statement).rowcount) > 0

    def count(self) -> int:
        """Count the campaigns."""
        return count_rows(self._database, CAMPAIGNS)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete campaigns that were planned before a time, with their rows, and return how many.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later ones were written while a clock was wrong.
        """
        correct_future(self._database, CAMPAIGNS, ["at"], now)
        correct_future(self._database, CAMPAIGN_ROWS, ["at", "due_at"], now)
        query = select(CAMPAIGNS.c.key).where(CAMPAIGNS.c.at < older_than)
        keys = self._database.read(lambda connection: connection.execute(query).scalars().all())
        for key in keys:
            self._delete_rows(key)
        return delete_rows(self._database, CAMPAIGNS, CAMPAIGNS.c.key.in_(keys)) if keys else 0

    def _delete_rows(self, key: int) -> None:
        delete_rows(self._database, CAMPAIGN_ROWS, CAMPAIGN_ROWS.c.campaign == key)


def _row(campaign: Campaign, key: int) -> Row:
    return {
        "key": key,
        "id": campaign.id,
        "conn_id": campaign.conn_id,
        "dag_id": campaign.dag_id,
        "run_id": campaign.run_id,
        "task_id": campaign.task_id,
        "is_planned": False,
        "message": json.dumps(campaign.message),
        "content": campaign.content,
        "audience": "",
        "category": campaign.category,
        "settings": "{}",
        "plan": "{}",
        "signal": "run",
        "signal_at": 0.0,
        "rate": None,
        "reason": None,
        "epoch": 0,
        "at": time.time(),
    }


def _read(row: RowMapping) -> Campaign:
    values = {name: row[name] for name in Campaign.__dataclass_fields__}
    loaded = {name: json.loads(row[name]) for name in ("message", "settings", "plan")}
    return Campaign(**(values | loaded))

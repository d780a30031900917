"""
The outcome of each alert, for the alerts page: numbers are masked, and texts are not kept.

Written in the transactions that decide it; see ``alerts.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    delete,
    select,
    update,
)

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Insert, chunks

HISTORY = Table(
    "d360_alert_history",
    METADATA,
    Column("id", String, primary_key=True),  # of the alert
    Column("at", Double, nullable=False),
    Column("state", String, nullable=False),
    Column("told_by", String),  # the id of the alert that reported this one
    Column("group_name", String),  # the cooldown or run in which it waits to be reported
    Column("subject", String),
    Column("event", String, nullable=False),
    Column("conn_id", String, nullable=False),
    Column("dag_id", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("task_id", String, nullable=False),
    Column("map_index", Integer, nullable=False),
    Column("recipients", String, nullable=False),  # masked
    Column("messages", String, nullable=False),  # short forms of the ids
)
Index("d360_alert_history_at", HISTORY.c.at, HISTORY.c.dag_id)
Index("d360_alert_history_told_by", HISTORY.c.told_by)
Index("d360_alert_history_group", HISTORY.c.group_name)
Index("d360_alert_history_subject", HISTORY.c.subject)

BACKUP = " backup"  # ends the id of an alert to the backup
_INSERT = Insert(HISTORY)


class Outcome(str, Enum):
    """The outcome of an alert."""

    DUE = "due"  # it is being sent, or tried again
    WAITING = "waiting"  # a summary of its run will report it
    HELD = "held"  # its cooldown is not over
    SENT = "sent"
    SUMMARISED = "summarised"  # another alert reported it
    BACKUP = "backup"  # nobody else got it in time, so the backup did
    RECOVERED = "recovered"  # the problem has ended
    EXPIRED = "expired"  # it could not be sent in time
    FAILED = "failed"  # nobody gets it


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """
    What an alert is about, as people may see it.

    :param event: The name of the event.
    :param dag_id: The DAG; empty if it is about none.
    :param run_id: The run of the DAG.
    :param task_id: The task; for other alerts what they are about, such as a file.
    :param map_index: The index of a mapped task; -1 without mapping.
    :param recipients: The recipients, masked.
    """

    event: str = ""
    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1
    recipients: Sequence[str] = ()


def note(
    connection: Connection,
    id: str,
    facts: AlertFacts,
    outcome: Outcome,
    *,
    at: float,
    conn_id: str,
    subject: str | None,
    group: str | None = None,
    told_by: str | None = None,
) -> None:
    """
    Write an alert down. A due alert starts again; any other stays as it is.

    :param connection: A connection in a transaction that writes.
    :param id: The id of the alert.
    :param facts: What it is about.
    :param outcome: What becomes of it.
    :param at: When it happened, in Unix seconds.
    :param conn_id: The Airflow connection.
    :param subject: What has the problem.
    :param group: The cooldown or the run in which it waits to be reported.
    :param told_by: The id of the alert that reports it.
    """
    if outcome is Outcome.DUE:
        connection.execute(delete(HISTORY).where(HISTORY.c.id == id))
    told = select(HISTORY.c.messages).where(HISTORY.c.id == told_by)
    row = {
        **{field.name: getattr(facts, field.name) for field in fields(facts)},
        "recipients": " ".join(facts.recipients),
        "id": id,
        "at": at,
        "state": outcome.value,
        "conn_id": conn_id,
        "subject": subject,
        "group_name": group,
        "told_by": told_by,
        "messages": (connection.execute(told).scalar() or "") if told_by else "",
    }
    _INSERT.execute(connection, [row])


def settle(
    connection: Connection, id: str, message_ids: Sequence[str], *, reached: bool, ends: bool = True
) -> None:
    """
    Note the final outcome of an alert, also for the alerts that it reports.

    :param connection: A connection in a transaction that writes.
    :param id: Its id. The alert to the backup counts as the same alert.
    :param message_ids: The ids of its messages, with those to others before the backup.
    :param reached: Whether anybody got it.
    :param ends: False if nobody got it, and the backup is still to be told.
    """
    own = id.removesuffix(BACKUP)
    is_told = HISTORY.c.told_by == own
    if not reached:
        if ends:
            _move(connection, HISTORY.c.id == own, Outcome.FAILED, "due")
            _move(connection, is_told, Outcome.FAILED, "summarised")
        return
    known = connection.execute(select(HISTORY.c.messages).where(HISTORY.c.id == own)).scalar() or ""
    new = set(map(short_id, message_ids)) - set(known.split())
    outcome = Outcome.BACKUP if id.endswith(BACKUP) and new else Outcome.SENT
    _move(connection, HISTORY.c.id == own, outcome, "due", "sent")
    _name_messages(connection, (HISTORY.c.id == own) | is_told, message_ids)


def tell(connection: Connection, group: str, ids: Sequence[str], message_ids: Sequence[str]) -> None:
    """
    Note that a summary has reported alerts.

    :param connection: A connection in a transaction that writes.
    :param group: The name of the run's group.
    :param ids: The ids of the alerts.
    :param message_ids: The ids of the summary's messages; without any, nobody got it.
    """
    for piece in chunks(ids):
        is_told = HISTORY.c.id.in_(piece) & (HISTORY.c.group_name == group)
        _name_messages(connection, is_told, message_ids)
        _move(connection, is_told, Outcome.SUMMARISED if message_ids else Outcome.FAILED, "waiting")


def tell_held(connection: Connection, group: str, leader: str, message_ids: Sequence[str]) -> None:
    """
    Note that an alert said how many its cooldown had held back before it.

    :param connection: A connection in a transaction that writes.
    :param group: The name of the cooldown's group.
    :param leader: The id of that alert.
    :param message_ids: The ids of its messages.
    """
    began = select(HISTORY.c.at).where(HISTORY.c.id == leader).scalar_subquery()
    is_held = (HISTORY.c.group_name == group) & (HISTORY.c.state == Outcome.HELD.value)
    is_told = is_held & (HISTORY.c.at < began)
    _name_messages(connection, is_told, message_ids)
    _move(connection, is_told, Outcome.SUMMARISED, "held")


def recover(connection: Connection, subject: str) -> None:
    """
    Note that a problem has ended. Alerts that could not be sent in time stay marked as such.

    :param connection: A connection in a transaction that writes.
    :param subject: What has no problem any more.
    """
    states = ("due", "waiting", "held", "sent", "summarised", "backup")
    _move(connection, HISTORY.c.subject == subject, Outcome.RECOVERED, *states)


def expire(connection: Connection, id: str, group: str | None) -> None:
    """
    Note that an alert, or the alerts of a summary, could not be sent in time.

    :param connection: A connection in a transaction that writes.
    :param id: The id of the alert or of the summary.
    :param group: The name of its group.
    """
    own = id.removesuffix(BACKUP)
    _move(connection, HISTORY.c.id == own, Outcome.EXPIRED, "due")
    _move(connection, HISTORY.c.told_by == own, Outcome.EXPIRED, "summarised")
    _move(connection, HISTORY.c.group_name == group, Outcome.EXPIRED, "waiting")


def _move(connection: Connection, which: ColumnElement[bool], outcome: Outcome, *states: str) -> None:
    condition = which & HISTORY.c.state.in_(states)
    connection.execute(update(HISTORY).where(condition).values(state=outcome.value))


def _name_messages(connection: Connection, which: ColumnElement[bool], message_ids: Sequence[str]) -> None:
    if message_ids:
        names = " ".join(map(short_id, message_ids))
        connection.execute(update(HISTORY).where(which).values(messages=names))

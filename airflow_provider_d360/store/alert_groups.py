"""
Which alert of a group goes out, and which ones are held back for a later message.

A group is a cooldown (the same event, task and error), or the failures of one run. One row of the same table
remembers each problem that somebody was told about, so that its end can be told, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    SmallInteger,
    String,
    Table,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Insert, Row, chunks

GROUPS = Table(
    "d360_alert_groups",
    METADATA,
    Column("name", String, primary_key=True),
    Column("subject", String),  # what has the problem; its success deletes the row
    Column("leader", String, nullable=False),  # the id of the alert that went out
    Column("is_whole", SmallInteger, nullable=False),  # it reported the whole run
    Column("since", Double, nullable=False),
    Column("quiet_until", Double, nullable=False),
    Column("summary_at", Double),  # when a summary of the run's other failures went out
)
Index("d360_alert_groups_subject", GROUPS.c.subject)

HELD = Table(
    "d360_held_alerts",
    METADATA,
    Column("group_name", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("subject", String),
    Column("label", String, nullable=False),
    Column("at", Double, nullable=False),
)
Index("d360_held_alerts_subject", HELD.c.subject)

# An alert that waited for its turn, or has a clock that is behind, is earlier than the one that leads.
_SLACK_SECONDS = 120.0
_INSERT_HELD = Insert(HELD)
_INSERT_GROUP = Insert(GROUPS)


@dataclass(frozen=True, slots=True)
class Leader:
    """
    Which alert of a group went out, or goes out now.

    :param id: The alert's id.
    :param is_whole: Whether it reports the whole run.
    :param quiet_until: When the next one may go out at once, in Unix seconds.
    :param has_summary: Whether a summary has followed it.
    """

    id: str
    is_whole: bool
    quiet_until: float
    has_summary: bool


def lead(connection: Connection, row: Row, now: float, quiet_seconds: float) -> Leader:
    """
    Let an alert go out unless the group is quiet, in one statement; return which one goes out.

    The same alert may ask again, for instance because the response to its commit was lost: it still leads. An
    end of the quiet time that is too far away was written while a clock was wrong, and does not count.

    :param connection: A connection in a transaction that writes.
    :param row: Name, subject, leader and ``is_whole`` of the group, if this alert leads.
    :param now: The time, in Unix seconds.
    :param quiet_seconds: How long the group is quiet then.
    """
    statement = _SQLITE_LEAD if connection.dialect.name == "sqlite" else _POSTGRESQL_LEAD
    values = {**row, "since": now, "quiet_until": now + quiet_seconds, "summary_at": None}
    connection.execute(statement, values)
    group = connection.execute(select(GROUPS).where(GROUPS.c.name == row["name"])).one()
    return Leader(group.leader, bool(group.is_whole), group.quiet_until, group.summary_at is not None)


def _lead_statement(insert: Any) -> Any:
    new, old = insert.excluded, GROUPS.c
    names = ("subject", "leader", "is_whole", "since", "quiet_until", "summary_at")
    is_over = or_(old.quiet_until <= new.since, old.quiet_until > new.quiet_until + _SLACK_SECONDS)
    return insert.on_conflict_do_update(
        index_elements=[old.name],
        set_={name: new[name] for name in names},
        where=is_over & (old.leader != new.leader),
    )


_SQLITE_LEAD = _lead_statement(sqlite.insert(GROUPS))
_POSTGRESQL_LEAD = _lead_statement(postgresql.insert(GROUPS))


def remember_problem(connection: Connection, subject: str, leader: str, now: float) -> None:
    """
    Remember which alert reports a problem. The first one stays.

    :param connection: A connection in a transaction that writes.
    :param subject: What has the problem.
    :param leader: The id of the alert that reports it.
    :param now: The time, in Unix seconds.
    """
    row = {"name": subject, "subject": subject, "leader": leader, "is_whole": 0, "since": now}
    _INSERT_GROUP.execute(connection, [{**row, "quiet_until": 0.0, "summary_at": None}])


def hold(connection: Connection, group: str, alert: Row) -> None:
    """
    Count an alert as held back, once.

    :param connection: A connection in a transaction that writes.
    :param group: The name of the group.
    :param alert: Its id, subject, label and time.
    """
    _INSERT_HELD.execute(connection, [{"group_name": group, **alert}])


def count_held(connection: Connection, group: str) -> tuple[int, float]:
    """
    Return how many alerts of a group are held back, and the time of the first one.

    :param connection: A connection to the store.
    :param group: The name of the group.
    """
    query = select(func.count(), func.min(HELD.c.at)).where(HELD.c.group_name == group)
    count, since = connection.execute(query).one()
    return int(count), float(since or 0.0)


def read_held(connection: Connection, group: str) -> list[tuple[str, str]]:
    """
    Return id and label of the alerts that are held back in a group, oldest first.

    :param connection: A connection to the store.
    :param group: The name of the group.
    """
    query = select(HELD.c.id, HELD.c.label).where(HELD.c.group_name == group).order_by(HELD.c.at, HELD.c.id)
    return [(row.id, row.label) for row in connection.execute(query)]


def delete_told(connection: Connection, group: str, ids: Sequence[str]) -> None:
    """
    Delete held alerts that a message has reported.

    :param connection: A connection in a transaction that writes.
    :param group: The name of the group.
    :param ids: Their ids.
    """
    for piece in chunks(ids):
        connection.execute(delete(HELD).where(HELD.c.group_name == group, HELD.c.id.in_(piece)))


def delete_told_by(connection: Connection, group: str, leader: str) -> None:
    """
    Delete what a cooldown held back before an alert that went out: it said how many there were.

    :param connection: A connection in a transaction that writes.
    :param group: The name of the cooldown's group.
    :param leader: The id of the alert.
    """
    since = select(GROUPS.c.since).where(GROUPS.c.name == group, GROUPS.c.leader == leader).scalar_subquery()
    connection.execute(delete(HELD).where(HELD.c.group_name == group, HELD.c.at < since))


def be_quiet(connection: Connection, group: str, now: float, quiet_seconds: float) -> None:
    """
    Start the quiet time of a run again, after a summary.

    :param connection: A connection in a transaction that writes.
    :param group: The name of the group.
    :param now: The time, in Unix seconds.
    :param quiet_seconds: How long it is quiet.
    """
    values = {"summary_at": now, "quiet_until": now + quiet_seconds}
    connection.execute(update(GROUPS).where(GROUPS.c.name == group).values(values))


def give_up(connection: Connection, leader: str) -> None:
    """
    Note that an alert reached nobody, and never will: the next ones go out at once.

    :param connection: A connection in a transaction that writes.
    :param leader: The id of the alert.
    """
    is_led = GROUPS.c.leader == leader
    connection.execute(delete(GROUPS).where(is_led, GROUPS.c.quiet_until == 0))
    connection.execute(update(GROUPS).where(is_led).values(quiet_until=0.0, subject=None))


def end_problem(connection: Connection, subject: str) -> tuple[list[tuple[str, float]], list[str]]:
    """
    Delete what is known of a problem. Return leader and time of each group, and the ids that were held back.

    :param connection: A connection in a transaction that writes.
    :param subject: What has no problem any more.
    """
    groups = select(GROUPS.c.leader, GROUPS.c.since).where(GROUPS.c.subject == subject)
    led = [(row.leader, row.since) for row in connection.execute(groups.with_for_update())]
    held = connection.execute(select(HELD.c.id).where(HELD.c.subject == subject)).scalars().all()
    connection.execute(delete(GROUPS).where(GROUPS.c.subject == subject))
    connection.execute(delete(HELD).where(HELD.c.subject == subject))
    return led, list(held)

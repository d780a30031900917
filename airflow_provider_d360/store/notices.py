"""Notices: the newest state of each template, number and account, as WhatsApp reported it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    SmallInteger,
    String,
    Table,
    Text,
    case,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_d360.api.errors import ErrorDetail
from airflow_provider_d360.api.events import Event
from airflow_provider_d360.api.notices import Level, NoticeEvent, explain_notice
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import (
    Row,
    chunks,
    correct_future,
    count_rows,
    delete_rows,
    storable_json,
    storable_text,
)

NOTICES = Table(
    "d360_notices",
    METADATA,
    Column("id", String, primary_key=True),  # a hash of subject and kind
    Column("about", String, nullable=False),
    Column("subject", String, nullable=False),  # numbers masked
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("ends_at", Double),
    Column("received_at", Double, nullable=False),
    Column("announce_at", Double),  # when it may be announced; NULL once it was
    Column("content", Text, nullable=False),  # the change as it was delivered, in JSON
)

LEASE_SECONDS = 300.0  # a process that claims and does not confirm has failed, or was killed

_LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Notice:
    """
    The newest state of one kind of one subject.

    :param id: Names subject and kind.
    :param about: ``template``, ``number`` or ``account``.
    :param subject: A template by its name, a number or an account masked: ``template airflow_alert (en)``.
    :param kind: What changed: ``status``, ``quality``, ``ban``, …
    :param state: The state in WhatsApp's words, such as ``PAUSED``.
    :param level: How bad it is.
    :param text: The reason, as WhatsApp states it; may be empty.
    :param at: Since when, in Unix seconds.
    """

    id: str
    about: str
    subject: str
    kind: str
    state: str
    level: Level
    text: str
    at: float

    def is_template(self, name: str | None) -> bool:
        """
        Return True if this is about a template with this name, in any language.

        :param name: The name; ``None`` names none.
        """
        return name is not None and self.subject.partition(" (")[0] == f"{self.about} {name}"

    def explain(self) -> ErrorDetail:
        """Say what is wrong and what to do, in the words of an error."""
        return explain_notice(self.about, self.subject, self.kind, self.state, self.text)

    def describe(self) -> str:
        """Say the same in one line."""
        detail = self.explain()
        reason = f" ({detail.details})" if detail.details else ""
        return f"{detail.title}{reason}. {detail.remedy}".strip()


class Notices:
    """
    The table of notices. Its methods raise ``StoreUnavailableError`` while the database is locked or away.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """
        Write rows. The newest state of a subject and kind stays, in whatever order they come.

        Of two states in the same second, the worse one stays. The same state again is not announced again.

        :param connection: A connection in a transaction that writes.
        :param rows: Rows of :func:`notice_rows`.
        """
        statement = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
        for row in rows:
            connection.execute(statement, row)

    def current(self, now: float) -> list[Notice]:
        """
        Return the notices about current problems, the worst first, then the newest.

        :param now: The time, in Unix seconds.
        """
        query = select(NOTICES).where(_is_wrong(now)).order_by(NOTICES.c.level.desc(), NOTICES.c.at.desc())
        return self._database.read(lambda connection: _notices(connection.execute(query).mappings().all()))

    def claim(self, now: float) -> list[Notice]:
        """
        Claim the current problems that were not announced yet, oldest first. Each goes to one caller only.

        Call :meth:`confirm` after the announcement. Otherwise they can be claimed again after five minutes.

        :param now: The time, in Unix seconds.
        """
        # A lease that ends later than any could was written while a clock was wrong.
        is_due = (NOTICES.c.announce_at <= now) | (NOTICES.c.announce_at > now + LEASE_SECONDS)
        query = select(NOTICES).where(_is_wrong(now), is_due).order_by(NOTICES.c.at)
        ids = query.with_only_columns(NOTICES.c.id)
        if not self._database.read(lambda connection: connection.execute(ids).first()):
            return []

        def work(connection: Connection) -> list[Notice]:
            rows = connection.execute(query.with_for_update(skip_locked=True)).mappings().all()
            for ids in chunks([row["id"] for row in rows]):
                change = update(NOTICES).where(NOTICES.c.id.in_(ids))
                connection.execute(change.values(announce_at=now + LEASE_SECONDS))
            return _notices(rows)

        return self._database.write(work)

    def confirm(self, notices: Iterable[Notice]) -> None:
        """
        Write that notices were announced; a state that is newer than the announced one still will be.

        :param notices: What :meth:`claim` returned.
        """

        def work(connection: Connection) -> None:
            for notice in notices:
                same = (NOTICES.c.id == notice.id) & (NOTICES.c.state == notice.state)
                connection.execute(update(NOTICES).where(same).values(announce_at=None))

        self._database.write(work)

    def count(self) -> int:
        """Count the rows."""
        return count_rows(self._database, NOTICES)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete notices that were received before a time, unless what they report is wrong still.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later times were written while a clock was wrong.
        """
        correct_future(self._database, NOTICES, ["received_at", "at"], now)
        return delete_rows(self._database, NOTICES, (NOTICES.c.received_at < older_than) & ~_is_wrong(now))


def notice_rows(events: Iterable[Event], received_at: float) -> list[Row]:
    """
    Make one row for each subject and kind, of the newest event, in the order of their keys.

    :param events: Any events; others than notices are ignored.
    :param received_at: When they were received, in Unix seconds.
    """
    rows: dict[str, Row] = {}
    for event in events:
        if isinstance(event, NoticeEvent):
            row = _row(event, received_at)
            known = rows.setdefault(row["id"], row)
            if (row["at"], row["level"]) > (known["at"], known["level"]):
                rows[row["id"]] = row
    return [rows[key] for key in sorted(rows)]


def _row(event: NoticeEvent, received_at: float) -> Row:
    key = json.dumps([event.about, event.name, event.kind])
    return {
        "id": hashlib.sha256(key.encode()).hexdigest(),
        "about": event.about,
        "subject": storable_text(event.subject),
        "kind": storable_text(event.kind),
        "state": storable_text(event.state),
        "level": int(event.level),
        "text": storable_text(event.text, _LONGEST_REASON),
        # No later than it came: a time from the future would hide all that follow.
        "at": min(event.at or received_at, received_at),
        "ends_at": event.ends_at,
        "received_at": received_at,
        "announce_at": 0.0,
        "content": storable_json(event.raw),
    }


def _is_wrong(now: float) -> ColumnElement[bool]:
    return (NOTICES.c.level > int(Level.OK)) & or_(NOTICES.c.ends_at.is_(None), NOTICES.c.ends_at > now)


def _notices(rows: Iterable[Any]) -> list[Notice]:
    return [
        Notice(
            row["id"],
            row["about"],
            row["subject"],
            row["kind"],
            row["state"],
            Level(row["level"]),
            row["text"],
            row["at"],
        )
        for row in rows
    ]


def _upsert(insert: Any) -> Any:
    new, old = insert.excluded, NOTICES.c
    values = {column.name: new[column.name] for column in old if column.name not in ("id", "announce_at")}
    is_same = (old.state == new.state) & (old.level == new.level)
    values["announce_at"] = case((is_same, old.announce_at), else_=new.announce_at)
    is_newer = (new.at > old.at) | ((new.at == old.at) & (new.level > old.level))
    return insert.on_conflict_do_update(index_elements=[old.id], set_=values, where=is_newer)


_SQLITE, _POSTGRESQL = _upsert(sqlite.insert(NOTICES)), _upsert(postgresql.insert(NOTICES))

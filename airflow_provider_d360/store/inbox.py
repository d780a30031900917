"""The inbox: messages that people sent to us."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select, tuple_

from airflow_provider_d360.api.inbound import TAPS
from airflow_provider_d360.store.cursors import CURSORS, OWN_PREFIX, Cursors, is_unread
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.incoming import INBOX, InboxMessage, inbox_message
from airflow_provider_d360.store.raw import RAW_TYPE, raw_row
from airflow_provider_d360.store.rows import (
    CLOCK_SKEW_SECONDS,
    Insert,
    Row,
    chunks,
    correct_future,
    count_rows,
    delete_rows,
)

log = logging.getLogger(__name__)

_INSERT = Insert(INBOX)


class Inbox:
    """
    The table of received messages. It holds whole numbers and texts.

    Its methods raise ``StoreUnavailableError`` while the database stays locked or away.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cursors = Cursors(database)

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """
        Write rows; messages that are already there stay as they are.

        Of a message with the id of another one, the content is stored as it is, with type ``d360:raw``.

        :param connection: A connection in a transaction that writes.
        :param rows: Rows of :func:`inbox_rows`.
        """
        _INSERT.execute(connection, rows)
        stored: dict[str, str | None] = {}
        for chunk in chunks([row["message_id"] for row in rows]):
            query = select(INBOX.c.message_id, INBOX.c.content).where(INBOX.c.message_id.in_(chunk))
            stored.update((row.message_id, row.content) for row in connection.execute(query))
        others = [row for row in rows if stored.get(row["message_id"]) != row["content"]]
        raw = {
            row["message_id"]: row
            for row in (raw_row(each["content"], each["received_at"]) for each in others)
        }
        _INSERT.execute(connection, [raw[key] for key in sorted(raw)])

    def messages(self, *, since: float, limit: int = 1000) -> list[InboxMessage]:
        """
        Return messages, oldest first. Rows from the future (a clock was wrong) wait for the next purge.

        :param since: Only messages received at this time or later, in Unix seconds.
        :param limit: How many at most.
        """
        received_at = INBOX.c.received_at
        times = (received_at >= since) & (received_at <= time.time() + CLOCK_SKEW_SECONDS)
        query = select(INBOX).where(times, INBOX.c.type != RAW_TYPE).order_by(received_at).limit(limit)
        return self._read(query)

    def unread(
        self,
        cursor: str,
        *,
        limit: int = 500,
        after: InboxMessage | None = None,
        answers_only: bool = False,
    ) -> list[InboxMessage]:
        """
        Return a cursor's unread messages, in the order of arrival. Messages from the future wait, as above.

        :param cursor: The name of the cursor. It must exist.
        :param limit: How many at most.
        :param after: Only messages that arrived after this one.
        :param answers_only: Only taps on buttons, and messages that quote another one.
        """
        received_at, message_id = INBOX.c.received_at, INBOX.c.message_id
        condition = is_unread() & (received_at <= time.time() + CLOCK_SKEW_SECONDS)
        query = select(INBOX).select_from(CURSORS).join(INBOX, condition).where(CURSORS.c.name == cursor)
        if answers_only:
            query = query.where(INBOX.c.type.in_(TAPS) | INBOX.c.reply_to.is_not(None))
        if after is not None:
            query = query.where(tuple_(received_at, message_id) > (after.received_at, after.message_id))
        query = query.order_by(received_at, message_id).limit(limit)
        return self._read(query)

    def find(self, message_ids: Sequence[str]) -> list[InboxMessage]:
        """
        Return messages by their ids, in the order of arrival. Unknown ids are ignored.

        :param message_ids: Their ids.
        """

        def work(connection: Connection) -> list[InboxMessage]:
            found: list[InboxMessage] = []
            for chunk in chunks(message_ids):
                query = select(INBOX).where(INBOX.c.message_id.in_(chunk), INBOX.c.type != RAW_TYPE)
                found += [inbox_message(row) for row in connection.execute(query).mappings()]
            return sorted(found, key=lambda message: (message.received_at, message.message_id))

        return self._database.read(work)

    def answers(
        self,
        message_ids: Sequence[str],
        senders: Sequence[str],
        *,
        since: float,
        taps_only: bool,
        limit: int = 500,
    ) -> list[InboxMessage]:
        """
        Return a person's possible answers to messages of ours, in the order of arrival.

        :param message_ids: Our messages, that the person may quote or tap.
        :param senders: The person's numbers and user ids; none for quotes and taps of these messages only.
        :param since: Only those received at this time or later, in Unix seconds.
        :param taps_only: Of the person's messages that quote none of ours, only taps on buttons.
        :param limit: How many at most.
        """
        columns = INBOX.c
        wanted: ColumnElement[bool] = columns.reply_to.in_(list(message_ids))
        if senders:
            is_theirs = columns.sender.in_(senders) | columns.sender_user_id.in_(senders)
            wanted |= (is_theirs & columns.type.in_(TAPS)) if taps_only else is_theirs
        query = (
            select(INBOX)
            .where(wanted, columns.received_at >= since, columns.type != RAW_TYPE)
            .order_by(columns.received_at, columns.message_id)
            .limit(limit)
        )
        return self._read(query)

    def last_from(self, sender: str) -> float | None:
        """
        Return when somebody last wrote to us, in Unix seconds; None if no message is stored.

        :param sender: The person's number or user id.
        """
        is_theirs = (INBOX.c.sender == sender) | (INBOX.c.sender_user_id == sender)
        end = time.time() + CLOCK_SKEW_SECONDS  # later ones were written while a clock was wrong
        query = select(func.max(INBOX.c.received_at)).where(is_theirs, INBOX.c.received_at <= end)
        return self._database.read(lambda connection: connection.execute(query).scalar())

    def recent(self, *, since: float, before: float | None = None, limit: int = 100) -> list[InboxMessage]:
        """
        Return messages, newest first, for pages. Rows from the future wait for the next purge.

        :param since: Only messages received at this time or later, in Unix seconds.
        :param before: Only messages received before this time, in Unix seconds; for the next page.
        :param limit: How many at most.
        """
        received_at, end = INBOX.c.received_at, time.time() + CLOCK_SKEW_SECONDS
        times = (received_at >= since) & (received_at < min(before or end, end))
        query = select(INBOX).where(times, INBOX.c.type != RAW_TYPE)
        return self._read(query.order_by(received_at.desc(), INBOX.c.message_id).limit(limit))

    def count(self) -> int:
        """Count the rows."""
        return count_rows(self._database, INBOX)

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete messages that were received before a time, and return how many.

        What a named cursor has not read stays, and is warned of.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later ones were written while a clock was wrong.
        """
        correct_future(self._database, INBOX, ["received_at"], now)
        for backlog in self._cursors.backlogs(older_than):
            if backlog.messages and not backlog.name.startswith(OWN_PREFIX):
                log.warning(
                    "The purge keeps %d messages that the cursor %r has not read. Let its DAG run, or, if "
                    "nobody needs it any more: python -m airflow_provider_d360 cursors --forget %s",
                    backlog.messages,
                    backlog.name,
                    backlog.name,
                )
        is_named = ~CURSORS.c.name.startswith(OWN_PREFIX)
        is_kept = exists().where(is_unread() & is_named).correlate(INBOX)
        return delete_rows(self._database, INBOX, (INBOX.c.received_at < older_than) & ~is_kept)

    def _read(self, query: Select[Any]) -> list[InboxMessage]:
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [inbox_message(row) for row in rows]

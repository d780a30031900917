"""The outcomes of a campaign: its rows, joined with the statuses of their messages."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    or_,
    select,
    update,
)

from airflow_provider_d360.store.campaign_rows import CAMPAIGN_ROWS, RowState
from airflow_provider_d360.store.campaigns import CAMPAIGNS
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.opt_outs import SUPPRESSIONS
from airflow_provider_d360.store.rows import CLOCK_SKEW_SECONDS, chunks
from airflow_provider_d360.store.statuses import STATUSES

_REACHED = (RowState.INTENDED, RowState.ACCEPTED, RowState.HELD, RowState.UNKNOWN)
_MARKETING = "MARKETING"
_UNKNOWN = (RowState.UNKNOWN, RowState.INTENDED)
_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Person:
    """
    The outcome of one person's message.

    :param number: The number of the row.
    :param label: What the audience names the person by; None without a label.
    :param recipient: The recipient, masked.
    :param state: The state of the row.
    :param status: The newest status of the message; None before the first.
    :param code: The code of an error.
    :param on_premise: Whether that is a code of the on-premise API.
    :param reason: Why, in the words of the error.
    :param at: When it was sent, in Unix seconds.
    :param category: What it is charged as.
    :param billable: Whether it is charged.
    """

    number: int
    label: str | None
    recipient: str
    state: RowState
    status: str | None
    code: int | None
    on_premise: bool
    reason: str | None
    at: float | None
    category: str | None
    billable: bool | None

    @property
    def current(self) -> str:
        """What is known of it: its status, or else its state."""
        return self.status or ("unknown" if self.state in _UNKNOWN else self.state.value)


@dataclass(frozen=True, slots=True)
class Total:
    """
    People with the same outcome.

    :param state: The state of their rows.
    :param status: The newest status of their messages; None for messages without one.
    :param code: The code of the error, if there was one.
    :param on_premise: Whether that is a code of the on-premise API.
    :param count: How many.
    """

    state: RowState
    status: str | None
    code: int | None
    on_premise: bool
    count: int

    @property
    def current(self) -> str:
        """What is known of them: the status, or else the state."""
        return self.status or ("unknown" if self.state in _UNKNOWN else self.state.value)


class CampaignResults:
    """
    Reads the rows of campaigns.

    Its methods raise ``StoreUnavailableError`` while the database cannot be used.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def reached(self, persons: Collection[str], since: float) -> set[str]:
        """
        Return which of these people got marketing from a campaign, or may have.

        :param persons: The hashes of the people.
        :param since: Only messages from this time on, in Unix seconds.
        """
        rows = CAMPAIGN_ROWS.c

        def work(connection: Connection) -> set[str]:
            keys = select(CAMPAIGNS.c.key).where(CAMPAIGNS.c.category == _MARKETING).scalar_subquery()
            found: set[str] = set()
            for chunk in chunks(list(persons)):
                query = select(rows.person).where(
                    rows.campaign.in_(keys),
                    rows.person.in_(chunk),
                    rows.at.between(since, time.time() + CLOCK_SKEW_SECONDS),
                    rows.state.in_([state.value for state in _REACHED]),
                )
                found.update(connection.execute(query).scalars())
            return found

        return self._database.read(work)

    def end_of_first(self, key: int, limit: int) -> int | None:
        """
        Return the number of the row after the first ones that were planned to be sent; None if all are.

        :param key: The key of the campaign.
        :param limit: How many are the first ones.
        """
        rows, left_out = CAMPAIGN_ROWS.c, (RowState.SUPPRESSED.value, RowState.SKIPPED.value)
        planned = or_(rows.state.not_in(left_out), rows.epoch.is_not(None))
        query = select(rows.number).where(rows.campaign == key, planned).order_by(rows.number)
        query = query.offset(limit).limit(1)
        return self._database.read(lambda connection: connection.execute(query).scalar())

    def counts(self, key: int) -> dict[RowState, int]:
        """
        Count the rows of a campaign by state, without the statuses of their messages.

        :param key: The key of the campaign.
        """
        state = CAMPAIGN_ROWS.c.state
        query = select(state, func.count()).where(CAMPAIGN_ROWS.c.campaign == key).group_by(state)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {RowState(name): count for name, count in rows}

    def held(self, key: int) -> dict[str, float]:
        """
        Return the held messages of a campaign without a status, each with the time at which it was sent.

        :param key: The key of the campaign.
        """
        rows = CAMPAIGN_ROWS.c
        has_status = exists().where(STATUSES.c.message_id == rows.message_id)
        query = select(rows.message_id, rows.at).where(
            rows.campaign == key,
            rows.state == RowState.HELD.value,
            rows.message_id.is_not(None),
            ~has_status,
        )
        found = self._database.read(lambda connection: connection.execute(query).all())
        return {row.message_id: row.at for row in found}

    def totals(self, key: int) -> list[Total]:
        """
        Count the people of a campaign by the outcome of their message.

        :param key: The key of the campaign.
        """
        rows = _joined(CAMPAIGN_ROWS.c.campaign == key).subquery().c
        columns = [rows.state, rows.status, rows.error_code, rows.on_premise]
        query = select(*columns, func.count()).group_by(*columns)
        found = self._database.read(lambda connection: connection.execute(query).all())
        return [Total(RowState(row[0]), row[1], row[2], bool(row[3]), row[4]) for row in found]

    def charged(self, key: int) -> dict[str, int]:
        """
        Count the messages of a campaign that are charged, by the category that they are charged as.

        :param key: The key of the campaign.
        """
        is_charged = and_(STATUSES.c.billable.is_(True), STATUSES.c.category.is_not(None))
        query = (
            select(STATUSES.c.category, func.count(STATUSES.c.message_id.distinct()))
            .join(CAMPAIGN_ROWS, CAMPAIGN_ROWS.c.message_id == STATUSES.c.message_id)
            .where(CAMPAIGN_ROWS.c.campaign == key, is_charged)
            .group_by(STATUSES.c.category)
        )
        found = self._database.read(lambda connection: connection.execute(query).all())
        return {row[0]: row[1] for row in sorted(found)}

    def opted_out(self, key: int, since: float) -> int:
        """
        Count the people of a campaign who got it and asked for no more messages since then.

        :param key: The key of the campaign.
        :param since: In Unix seconds.
        """
        is_opt_out = and_(
            SUPPRESSIONS.c.person == CAMPAIGN_ROWS.c.person,
            SUPPRESSIONS.c.active,
            SUPPRESSIONS.c.at >= since,
        )
        got_it = CAMPAIGN_ROWS.c.state.in_([RowState.ACCEPTED.value, RowState.HELD.value])
        query = select(func.count()).where(
            CAMPAIGN_ROWS.c.campaign == key, got_it, exists().where(is_opt_out)
        )
        return int(self._database.read(lambda connection: connection.execute(query).scalar_one()))

    def settle(self, key: int, *, sent: bool) -> int:
        """
        Settle all messages with an unknown outcome, and return how many there were.

        :param key: The key of the campaign.
        :param sent: Whether they went out. If not, they may be sent again.
        """
        values: dict[str, Any] = {"state": RowState.PLANNED.value, "reason": None}
        if sent:
            values = {"state": RowState.ACCEPTED.value, "reason": "settled by hand: sent", "payload": None}
        rows = CAMPAIGN_ROWS.c
        statement = update(CAMPAIGN_ROWS).where(rows.campaign == key, rows.state == RowState.UNKNOWN.value)
        return self._database.write(lambda connection: connection.execute(statement.values(values)).rowcount)

    def people(self, key: int) -> Iterator[Person]:
        """
        Yield the outcome for each person, unknown outcomes first, read in chunks.

        :param key: The key of the campaign.
        """
        is_unknown = CAMPAIGN_ROWS.c.state.in_([state.value for state in _UNKNOWN])
        for condition in (is_unknown, ~is_unknown):
            after = -1
            while True:
                query = _joined(
                    and_(CAMPAIGN_ROWS.c.campaign == key, condition, CAMPAIGN_ROWS.c.number > after)
                )
                people = self._people(query.order_by(CAMPAIGN_ROWS.c.number).limit(_ROWS_AT_ONCE))
                yield from people
                if len(people) < _ROWS_AT_ONCE:
                    break
                after = people[-1].number

    def _people(self, query: Select[Any]) -> list[Person]:
        found = self._database.read(lambda connection: connection.execute(query).all())
        return [
            Person(
                row.number,
                row.label,
                row.recipient,
                RowState(row.state),
                row.status,
                row.error_code,
                bool(row.on_premise),
                row.error_title or row.reason,
                row.at,
                row.category,
                None if row.billable is None else bool(row.billable),
            )
            for row in found
        ]


def _joined(condition: ColumnElement[bool]) -> Select[Any]:
    """Return rows with the status of the highest rank of their messages."""
    rows = CAMPAIGN_ROWS.c
    newest, failure, price = STATUSES.alias("newest"), STATUSES.alias("failure"), STATUSES.alias("price")
    status = (
        select(newest.c.status)
        .where(newest.c.message_id == rows.message_id)
        .order_by(newest.c.rank.desc())
        .limit(1)
        .correlate(CAMPAIGN_ROWS)
        .scalar_subquery()
    )
    joined = CAMPAIGN_ROWS.outerjoin(
        failure, and_(failure.c.message_id == rows.message_id, failure.c.status == "failed")
    )
    category, billable = (
        select(func.max(case((price.c[name].is_not(None), cast(price.c[name], kind)))))
        .where(price.c.message_id == rows.message_id)
        .correlate(CAMPAIGN_ROWS)
        .scalar_subquery()
        for name, kind in (("category", String), ("billable", Integer))
    )
    return (
        select(
            rows.number,
            rows.label,
            rows.recipient,
            rows.state,
            rows.reason,
            rows.at,
            status.label("status"),
            func.coalesce(failure.c.error_code, rows.code).label("error_code"),
            func.coalesce(failure.c.on_premise, false()).label("on_premise"),
            failure.c.error_title,
            category.label("category"),
            billable.label("billable"),
        )
        .select_from(joined)
        .where(condition)
    )

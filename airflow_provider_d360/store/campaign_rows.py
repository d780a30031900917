"""The rows of campaigns: one person each, with the outcome of the message. A row is its own ledger entry."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    or_,
    select,
    update,
)

from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Insert, Row, chunks, is_among

CAMPAIGN_ROWS = Table(
    "d360_campaign_rows",
    METADATA,
    Column("campaign", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True),
    Column("person", String, nullable=False),
    Column("recipient", String, nullable=False),  # masked
    Column("label", String),
    Column("payload", Text),  # recipient and values, until the outcome
    Column("zone", Integer),
    Column("state", String, nullable=False),
    Column("epoch", Integer),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Double),
    Column("at", Double),
    Column("message_id", String),
    Column("code", Integer),
    Column("reason", String),
)
Index("d360_campaign_rows_person", CAMPAIGN_ROWS.c.campaign, CAMPAIGN_ROWS.c.person, unique=True)


class RowState(str, Enum):
    """The state of a row. From *intended* on, the names are the same as in the ledger."""

    PLANNED = "planned"
    POSTPONED = "postponed"  # nothing was accepted; to be sent at its time
    INTENDED = "intended"  # about to be sent: a process writes the outcome, or was killed
    ACCEPTED = "accepted"
    HELD = "held"  # WhatsApp holds it back to assess the template's quality, and may drop it
    REFUSED = "refused"  # nothing went out, and nothing will
    UNKNOWN = "unknown"  # it may be on its way
    SUPPRESSED = "suppressed"  # not sent: this person asked for no more messages
    SKIPPED = "skipped"  # not sent, for another reason


SENDABLE = (RowState.PLANNED, RowState.POSTPONED)
_KEEPS_PAYLOAD = frozenset({*SENDABLE, RowState.INTENDED, RowState.UNKNOWN})
# What a status has proved stays, whatever the sender of the message thinks.
_OUT = (RowState.ACCEPTED.value, RowState.HELD.value)
_INTENT = re.compile(r"campaign\.([0-9]{1,18})\.([0-9]{1,9})\.([0-9]{1,9})")


def intent_of(campaign: int, number: int, epoch: int) -> str:
    """
    Return the id that is sent with a message and comes back in its statuses.

    :param campaign: The key of the campaign.
    :param number: The number of the row.
    :param epoch: The epoch of its sender.
    """
    return f"campaign.{campaign}.{number}.{epoch}"


@dataclass(frozen=True, slots=True)
class DueRow:
    """
    A row that a sender has claimed.

    :param number: Its number.
    :param person: The hash of the recipient.
    :param payload: Recipient and values, in JSON.
    :param attempts: How often it was postponed.
    """

    number: int
    person: str
    payload: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    The outcome of a row.

    :param number: Its number.
    :param state: Its new state.
    :param message_id: The message's id, if there is one.
    :param code: The code of an error.
    :param reason: Why, in words without private values.
    :param due_at: When a postponed row may be sent, in Unix seconds.
    :param attempts: How often it was postponed.
    """

    number: int
    state: RowState
    message_id: str | None = None
    code: int | None = None
    reason: str | None = None
    due_at: float | None = None
    attempts: int = 0


IS_SENDABLE = CAMPAIGN_ROWS.c.state.in_([state.value for state in SENDABLE])


@dataclass(frozen=True, slots=True)
class Part:
    """
    Which rows of a campaign a sender may take.

    :param campaign: The key of the campaign.
    :param shard: Its shard, from 0.
    :param shards: The number of shards.
    :param end: Only rows with a smaller number; None for all.
    """

    campaign: int
    shard: int = 0
    shards: int = 1
    end: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions for these rows, whatever their state."""
        rows = CAMPAIGN_ROWS.c
        conditions: list[ColumnElement[bool]] = [rows.campaign == self.campaign]
        if self.shards > 1:
            conditions.append(rows.number % self.shards == self.shard)
        if self.end is not None:
            conditions.append(rows.number < self.end)
        return conditions


_INSERT = Insert(CAMPAIGN_ROWS)
_NEW = {
    "new_campaign": BigInteger,
    "new_number": Integer,
    "new_epoch": Integer,
    "new_state": String,
    "new_message_id": String,
    "new_code": Integer,
    "new_reason": String,
    "new_due_at": Double,
    "new_attempts": Integer,
    "keeps": Integer,
    "is_out": Integer,
}


def insert_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """
    Write planned rows; each person has one row in a campaign.

    :param connection: A connection in a transaction that writes.
    :param rows: Values by column, the same columns in each; no person twice.
    """
    _INSERT.execute(connection, rows)


def known_persons(connection: Connection, campaign: int, persons: Sequence[str]) -> set[str]:
    """
    Return which of these people have a row in a campaign.

    :param connection: A connection in a transaction.
    :param campaign: The key of the campaign.
    :param persons: The hashes of the people.
    """
    rows = CAMPAIGN_ROWS.c
    query = select(rows.person).where(rows.campaign == campaign, is_among(rows.person, connection))
    return set(connection.execute(query, {"keys": json.dumps(persons)}).scalars())


def conclude_rows(connection: Connection, campaign: int, epoch: int, outcomes: Collection[Outcome]) -> None:
    """
    Write the outcomes of rows that a sender had claimed. An outcome that a status has proved stays.

    :param connection: A connection in a transaction that writes.
    :param campaign: The key of the campaign.
    :param epoch: The epoch in which they were claimed.
    :param outcomes: The outcomes, each row once.
    """
    new = [_new_values(outcome, campaign, epoch) for outcome in sorted(outcomes, key=lambda one: one.number)]
    if connection.dialect.name == "postgresql":
        connection.execute(_CONCLUDE_JSON, {"rows": json.dumps(new)})
    elif new:
        connection.execute(_CONCLUDE, new)


def settle_rows(connection: Connection, message_ids: Mapping[str, str]) -> None:
    """
    Mark rows as accepted because statuses of their messages have come.

    :param connection: A connection in a transaction that writes.
    :param message_ids: The message id of each intent; intents of other messages are ignored.
    """
    numbers: dict[int, dict[int, str]] = {}
    for intent, message_id in message_ids.items():
        match = _INTENT.fullmatch(intent)
        if match and int(match[2]) < 2**31:
            numbers.setdefault(int(match[1]), {})[int(match[2])] = message_id
    rows = CAMPAIGN_ROWS.c
    for campaign, of_campaign in sorted(numbers.items()):
        for chunk in chunks(sorted(of_campaign)):
            is_open = [rows.campaign == campaign, rows.message_id.is_(None)]
            query = select(rows.number).where(*is_open, rows.number.in_(chunk)).order_by(rows.number)
            for number in connection.execute(query).scalars().all():
                values = {
                    "state": RowState.ACCEPTED.value,
                    "message_id": of_campaign[number],
                    "payload": None,
                }
                values |= {"code": None, "reason": None}
                statement = update(CAMPAIGN_ROWS).where(*is_open, rows.number == number)
                connection.execute(statement.values(values))


def _new_values(outcome: Outcome, campaign: int, epoch: int) -> Row:
    return {
        "new_campaign": campaign,
        "new_number": outcome.number,
        "new_epoch": epoch,
        "new_state": outcome.state.value,
        "new_message_id": outcome.message_id,
        "new_code": outcome.code,
        "new_reason": outcome.reason,
        "new_due_at": outcome.due_at,
        "new_attempts": outcome.attempts,
        "keeps": int(outcome.state in _KEEPS_PAYLOAD),
        "is_out": int(outcome.state.value in _OUT),
    }


def _conclude(new: Any) -> Any:
    rows = CAMPAIGN_ROWS.c
    is_out = or_(*(rows.state == state for state in _OUT))  # IN cannot be part of a statement for many rows
    names = ("state", "message_id", "code", "reason", "due_at", "attempts")
    values = {name: new[f"new_{name}"] for name in names}
    return (
        update(CAMPAIGN_ROWS)
        .where(
            rows.campaign == new["new_campaign"],
            rows.number == new["new_number"],
            rows.epoch == new["new_epoch"],
            or_(~is_out, (new["is_out"] == 1) & rows.message_id.is_(None)),
        )
        .values(values | {"payload": case((new["keeps"] == 1, rows.payload), else_=None)})
    )


def _new_rows() -> Any:
    """Return all outcomes as one parameter: PostgreSQL's driver would send a statement for each otherwise."""
    rows = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
    columns: list[Any] = [column(name, kind) for name, kind in _NEW.items()]
    return rows.table_valued(*columns, name="new_rows").render_derived(with_types=True).c


_CONCLUDE = _conclude({name: bindparam(name, type_=kind()) for name, kind in _NEW.items()})
_CONCLUDE_JSON = _conclude(_new_rows())

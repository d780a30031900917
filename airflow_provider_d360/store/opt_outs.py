"""Opt-outs: what the list of suppressions keeps of each person, and which of a person's wishes counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Double, String, Table, and_, case, func, null, or_
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_d360.store.migrations import METADATA

SUPPRESSIONS = Table(
    "d360_suppressions",
    METADATA,
    Column("person", String, primary_key=True),  # a hash
    Column("origin", String, primary_key=True),
    Column("recipient", String),  # the whole number or user id; NULL once lifted
    Column("scope", String, nullable=False),
    Column("source", String, nullable=False),
    Column("reason", String),
    Column("at", Double, nullable=False),
    Column("active", Boolean, nullable=False),
)


class Scope(str, Enum):
    """Which messages a person does not get."""

    ALL = "all"
    MARKETING = "marketing"


class Origin(str, Enum):
    """Whose wish it is. What we decided is not lifted by what the person sends."""

    OWN = "own"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Suppression:
    """
    An opt-out.

    :param person: A hash of the recipient: see :meth:`Suppressions.key`.
    :param origin: Whose wish it is.
    :param recipient: The number in digits, or the user id.
    :param scope: Which messages this person does not get.
    :param source: Where it comes from: ``operator``, ``hook``, ``cli``, ``import``, ``user_preferences``,
        ``131050`` or ``keyword``.
    :param reason: Why, as given by who added it; for a stop word, the word that the person wrote.
    :param at: Since when, in Unix seconds.
    """

    person: str
    origin: Origin
    recipient: str = field(repr=False)
    scope: Scope
    source: str
    reason: str | None
    at: float

    @property
    def day(self) -> str:
        """Since which day, in UTC, as 2026-11-27."""
        return datetime.fromtimestamp(self.at, timezone.utc).date().isoformat()

    @property
    def strength(self) -> tuple[bool, bool]:
        """The opt-out that counts, of a person's two, is the one with the greater value."""
        return self.scope is Scope.ALL, self.origin is Origin.OWN


def select_opt_outs(
    connection: Connection, query: Any, values: Mapping[str, str] | None = None
) -> list[Suppression]:
    """
    Return the opt-outs of a query.

    :param connection: A connection in a transaction.
    :param query: A query of all columns.
    :param values: Its parameters.
    """
    return [
        Suppression(
            person=row.person,
            origin=Origin(row.origin),
            recipient=row.recipient,
            scope=Scope(row.scope),
            source=row.source,
            reason=row.reason,
            at=row.at,
        )
        for row in connection.execute(query, values or {})
    ]


def _upsert(insert: Any) -> Any:
    new, old = insert.excluded, SUPPRESSIONS.c
    all_, own = Scope.ALL.value, Origin.OWN.value
    both, is_newer = and_(new.active, old.active), new.at > old.at
    is_current = or_(is_newer, new.at == old.at, old.origin == own)  # ours are in the sequence of commits
    values = {
        "recipient": case((new.active, func.coalesce(new.recipient, old.recipient)), else_=null()),
        "scope": case((and_(both, old.scope == all_), all_), else_=new.scope),
        "source": case((is_current, new.source), else_=old.source),
        "reason": case((is_current, new.reason), else_=old.reason),
        "at": case((is_newer, new.at), else_=old.at),
        "active": new.active,
    }
    counts = case(
        (both, True),
        (new.active, or_(is_current, and_(new.scope == all_, old.scope != all_))),
        (old.active, and_(or_(is_newer, old.origin == own), or_(new.scope == all_, old.scope != all_))),
        else_=is_newer,
    )
    return insert.on_conflict_do_update(index_elements=[old.person, old.origin], set_=values, where=counts)


UPSERTS: Mapping[str, Any] = {
    "sqlite": _upsert(sqlite.insert(SUPPRESSIONS)),
    "postgresql": _upsert(postgresql.insert(SUPPRESSIONS)),
}

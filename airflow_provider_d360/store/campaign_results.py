"""What became of the people of a campaign: rows, joined with the statuses of their messages."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, exists, func, or_, select

from airflow_provider_d360.store.campaign_rows import CAMPAIGN_ROWS, RowState
from airflow_provider_d360.store.campaigns import CAMPAIGNS
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.rows import chunks
from airflow_provider_d360.store.statuses import STATUSES

_REACHED = (RowState.INTENDED, RowState.ACCEPTED, RowState.HELD, RowState.UNKNOWN)
_MARKETING = "MARKETING"


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
                    rows.at >= since,
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

"""How many messages a campaign tried to send over time."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Integer, case, cast, func, select

from airflow_provider_d360.store.campaign_rows import CAMPAIGN_ROWS, RowState
from airflow_provider_d360.store.database import Database

_TRIED = (RowState.INTENDED, RowState.ACCEPTED, RowState.HELD, RowState.UNKNOWN, RowState.REFUSED)
_PARTS = 60
LATELY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Course:
    """
    How many messages a campaign tried to send over time.

    :param begin: When the first one was tried, in Unix seconds.
    :param seconds: How long each part of the time is.
    :param counts: How many were tried in each part.
    :param lately: How many were tried in the last ten seconds.
    """

    begin: float
    seconds: float
    counts: tuple[int, ...]
    lately: int

    @property
    def end(self) -> float:
        """When the last part ends, in Unix seconds."""
        return self.begin + self.seconds * len(self.counts)

    @property
    def per_second(self) -> float:
        """The rate of the last ten seconds."""
        return self.lately / LATELY_SECONDS


class CampaignCourses:
    """
    Reads the course of campaigns.

    Its methods raise ``StoreUnavailableError`` while the database cannot be used.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: int, now: float) -> Course | None:
        """
        Return how many messages of a campaign were tried over time; None if none was.

        :param key: The key of the campaign.
        :param now: The time, in Unix seconds.
        """
        at = CAMPAIGN_ROWS.c.at
        tried = [CAMPAIGN_ROWS.c.campaign == key, CAMPAIGN_ROWS.c.state.in_([one.value for one in _TRIED])]
        lately = func.sum(case((at > now - LATELY_SECONDS, 1), else_=0))

        def work(connection: Connection) -> Course | None:
            first, last, recent = connection.execute(
                select(func.min(at), func.max(at), lately).where(*tried)
            ).one()
            if first is None:
                return None
            seconds = max(1.0, (last - first) / (_PARTS - 1))
            part = cast(func.round((at - first) / seconds), Integer)
            found = connection.execute(
                select(part, func.count()).where(*tried, at.is_not(None)).group_by(part)
            )
            counts = {int(row[0]): row[1] for row in found}
            return Course(first, seconds, tuple(counts.get(i, 0) for i in range(max(counts) + 1)), recent)

        return self._database.read(work)

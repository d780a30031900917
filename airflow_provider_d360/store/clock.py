"""The clock that a purge goes by: while it is years ahead, a purge would delete everything."""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import Connection, func, select, update

from airflow_provider_d360.store.database import Database, StoreError
from airflow_provider_d360.store.health import HEALTH, PURGE_ID
from airflow_provider_d360.store.incoming import INBOX
from airflow_provider_d360.store.rows import FIRST_TIME, Insert
from airflow_provider_d360.store.statuses import STATUSES

LONGEST_PAUSE_SECONDS = 366 * 86_400.0
CONFIRM_SECONDS = 12 * 3600.0

_INSERT = Insert(HEALTH)


class ClockError(StoreError):
    """The clock may be wrong, so nothing was purged."""


def check_clock(database: Database, now: float) -> None:
    """
    Compare the clock with the time of the last purge, and keep its time for the next one.

    A clock that shows more than a year later has jumped, or nobody purged for so long. Nobody can tell which,
    so the purge has to wait: a clock that still goes on from there 12 hours later is believed. Without an
    earlier purge, the newest row counts in its place.

    :param database: The database.
    :param now: What the clock shows, in Unix seconds.
    :raises ClockError: The purge has to wait.
    """
    if now < FIRST_TIME:  # the clock is behind: a purge deletes too little, and the mark stays
        return
    last = database.write(lambda connection: _compare(connection, now))
    if last is not None:
        raise ClockError(
            f"Nothing was purged: this machine's clock shows {_day(now)}, and the last purge, or the newest "
            f"row, was on {_day(last)}. Correct the clock. If it is right, purge again in 12 hours."
        )


def _compare(connection: Connection, now: float) -> float | None:
    """Write what the next purge has to know; return the time of the last one if the clock has jumped."""
    mark = connection.execute(select(HEALTH.c.at, HEALTH.c.payload).where(HEALTH.c.id == PURGE_ID)).first()
    last, jumped_at = (mark.at, float(mark.payload or 0)) if mark else (_newest_row(connection), 0.0)
    if last is None or now - last <= LONGEST_PAUSE_SECONDS:
        _write(connection, now, "")
        return None
    if CONFIRM_SECONDS <= now - jumped_at <= LONGEST_PAUSE_SECONDS:
        _write(connection, now, "")
        return None
    if not 0 <= now - jumped_at <= LONGEST_PAUSE_SECONDS:
        _write(connection, last, repr(now))
    return float(last)


def _newest_row(connection: Connection) -> float | None:
    columns = (STATUSES.c.received_at, INBOX.c.received_at)
    times = [connection.execute(select(func.max(column))).scalar() for column in columns]
    return max((at for at in times if at is not None and at >= FIRST_TIME), default=None)


def _write(connection: Connection, at: float, payload: str) -> None:
    row = {"id": PURGE_ID, "at": at, "payload": payload}
    if not connection.execute(update(HEALTH).where(HEALTH.c.id == PURGE_ID).values(row)).rowcount:
        _INSERT.execute(connection, [row])


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).date().isoformat()

"""The rules by which an alert goes out, waits for a summary, or is held back; each in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection, select, update

from airflow_provider_d360.store import alert_groups, alert_history, due
from airflow_provider_d360.store.alert_history import AlertFacts, Outcome
from airflow_provider_d360.store.due import CLAIM_SECONDS, DUE, DueAlert
from airflow_provider_d360.store.rows import Row

# After the first alert about a run, others wait for a summary until nothing more has failed for so long …
CALM_SECONDS = 9.0
# … but not for longer than this. Then the run is quiet for the last of these times, until the next summary.
LATEST_SUMMARY_SECONDS = 120.0
QUIET_SECONDS = 600.0
WAIT_SECONDS = 13.0  # how long a process stays to send a summary


@dataclass(frozen=True, slots=True)
class NewAlert:
    """
    An alert that wants to go out.

    :param id: Names the alert: the same failure has the same id, whichever process reports it.
    :param at: When it happened, in Unix seconds.
    :param expires_at: From when it is not sent any more, in Unix seconds.
    :param conn_id: The Airflow connection.
    :param content: Returns the alert in JSON, from the number of alerts of its cooldown that were held back,
        and the time of the first of them. It does nothing else.
    :param facts: What it is about, as people may see it later.
    :param label: What a summary calls it.
    :param subject: What has the problem; None if the alert reports none.
    :param cooldown: The name of its cooldown; None without.
    :param cooldown_seconds: How long the cooldown lasts.
    :param run: The name of the group of its run; None if it is not grouped.
    :param is_whole: It reports the whole run.
    :param summary: Content of the summary that reports it, in JSON.
    """

    id: str
    at: float
    expires_at: float
    conn_id: str
    content: Callable[[int, float], str]
    facts: AlertFacts
    label: str = ""
    subject: str | None = None
    cooldown: str | None = None
    cooldown_seconds: float = 0.0
    run: str | None = None
    is_whole: bool = False
    summary: str = ""


class Decision(Enum):
    """The decision on a new alert."""

    SEND = "send it now"
    HELD = "its cooldown is not over"
    SUMMARY = "a summary of its run will report it"
    TOLD = "another alert has reported it"


@dataclass(frozen=True, slots=True)
class Registered:
    """
    The decision on a new alert, and what to do next.

    :param decision: What to do.
    :param due: The alert, claimed for this process, if it must be sent now.
    :param summary: The id of the summary of its run, if this process must stay to send it.
    """

    decision: Decision
    due: DueAlert | None = None
    summary: str | None = None

    @property
    def helps(self) -> bool:
        """Whether its process should look for what else is due: one of many that are held back need not."""
        return self.summary is not None or self.decision in (Decision.SEND, Decision.TOLD)


@dataclass(frozen=True, slots=True)
class Ended:
    """
    A problem that has ended.

    :param since: When it was first reported to somebody, in Unix seconds.
    :param held: How many further alerts were held back.
    """

    since: float
    held: int


def register(connection: Connection, alert: NewAlert, claim: str, now: float) -> Registered:
    """
    Decide what to do with an alert, and write it down.

    :param connection: A connection in a transaction that writes.
    :param alert: The alert.
    :param claim: Names this process.
    :param now: The time, in Unix seconds.
    """
    held = {"id": alert.id, "subject": alert.subject, "label": alert.label, "at": now}
    if alert.cooldown is not None:
        row = {"name": alert.cooldown, "subject": alert.subject, "leader": alert.id, "is_whole": 0}
        leader = alert_groups.lead(connection, row, now, alert.cooldown_seconds)
        if leader.id != alert.id:
            alert_groups.hold(connection, alert.cooldown, held)
            _note(connection, alert, Outcome.HELD, now, group=alert.cooldown)
            return Registered(Decision.HELD)
    if alert.run is not None:
        row = {"name": alert.run, "subject": None, "leader": alert.id, "is_whole": int(alert.is_whole)}
        leader = alert_groups.lead(connection, row, now, QUIET_SECONDS)
        if leader.id != alert.id:
            return _join(connection, alert, leader, held, now)
    if alert.subject is not None:
        alert_groups.remember_problem(connection, alert.subject, alert.id, now)
    count, since = alert_groups.count_held(connection, alert.cooldown) if alert.cooldown else (0, 0.0)
    new = DueAlert(
        id=alert.id,
        group_name=alert.cooldown,
        subject=alert.subject,
        conn_id=alert.conn_id,
        at=alert.at,
        due_at=now,
        expires_at=alert.expires_at,
        attempts=0,
        claim=claim,
        content=alert.content(count, since),
    )
    due.delete_unsent(connection, DUE.c.id == alert.id, now)  # the next report of it is a new attempt
    due.insert_due(connection, new, now + CLAIM_SECONDS)
    is_new = connection.execute(select(DUE.c.claim).where(DUE.c.id == alert.id)).scalar() == claim
    if not is_new:
        return Registered(Decision.TOLD)
    _note(connection, alert, Outcome.DUE, now)
    return Registered(Decision.SEND, new)


def _note(
    connection: Connection,
    alert: NewAlert,
    outcome: Outcome,
    now: float,
    *,
    group: str | None = None,
    told_by: str | None = None,
) -> None:
    alert_history.note(
        connection,
        alert.id,
        alert.facts,
        outcome,
        at=now,
        conn_id=alert.conn_id,
        subject=alert.subject,
        group=group,
        told_by=told_by,
    )


def _join(
    connection: Connection,
    alert: NewAlert,
    leader: alert_groups.Leader,
    held: Row,
    now: float,
) -> Registered:
    """Have an alert reported by the first alert of its run, or by a summary."""
    run, summary_id = str(alert.run), f"summary {alert.run}"
    if alert.is_whole or leader.is_whole:
        if alert.subject is not None:
            alert_groups.remember_problem(connection, alert.subject, leader.id, now)
        # The run has ended: nothing more will fail.
        sooner = (DUE.c.id == summary_id) & (DUE.c.due_at > now)
        connection.execute(update(DUE).where(sooner).values(due_at=now))
        _note(connection, alert, Outcome.SUMMARISED, now, told_by=leader.id)
        return Registered(Decision.TOLD)
    alert_groups.hold(connection, run, held)
    _note(connection, alert, Outcome.WAITING, now, group=run)
    if alert.subject is not None:
        alert_groups.remember_problem(connection, alert.subject, alert.id, now)
    summary = DueAlert(
        id=summary_id,
        group_name=run,
        subject=None,
        conn_id=alert.conn_id,
        at=now,
        due_at=leader.quiet_until if leader.has_summary else now + CALM_SECONDS,
        expires_at=alert.expires_at,
        attempts=0,
        claim=None,
        content=alert.summary,
    )
    latest = QUIET_SECONDS if leader.has_summary else LATEST_SUMMARY_SECONDS
    stays = due.summarise_later(connection, summary, latest, alert.id, now, WAIT_SECONDS)
    return Registered(Decision.SUMMARY, summary=summary_id if stays else None)


def end(connection: Connection, subject: str, now: float) -> Ended | None:
    """
    End a problem, and delete its unsent alerts; return None if it was reported to nobody.

    :param connection: A connection in a transaction that writes.
    :param subject: What has no problem any more.
    :param now: The time, in Unix seconds.
    """
    led, held = alert_groups.end_problem(connection, subject)
    alert_history.recover(connection, subject)
    leaders = {leader for leader, _ in led}
    unsent = due.delete_unsent(connection, (DUE.c.subject == subject) | DUE.c.id.in_(leaders), now)
    for id in unsent:  # the alerts that it would have reported were not sent either
        alert_groups.give_up(connection, id)
    told = [since for leader, since in led if leader not in unsent and leader not in held]
    if not told:
        return None
    return Ended(min(told), len(set(held) - leaders))

"""The alerts of all processes: who may send which, what is held back, and what is still to be sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, or_, select

from airflow_provider_d360.store import alert_groups, alert_history, due
from airflow_provider_d360.store.alert_groups import GROUPS, HELD
from airflow_provider_d360.store.alert_history import AlertFacts, Outcome
from airflow_provider_d360.store.alert_rules import QUIET_SECONDS, Ended, NewAlert, Registered, end, register
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.due import CLAIM_SECONDS, DUE, DueAlert
from airflow_provider_d360.store.rows import correct_future, count_rows, delete_rows

_LONGEST_SECONDS = 366 * 86_400.0  # a quiet time that ends later was written while a clock was wrong


class Alerts:
    """
    The tables of alerts. Methods raise ``StoreUnavailableError`` while the database is locked or away.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, alert: NewAlert, claim: str, now: float) -> Registered:
        """
        Decide in one transaction what to do with an alert, and write it down.

        An alert to send is claimed for this process. If this process is killed, another one gets it from
        :meth:`take`. The same alert again gets the same decision.

        :param alert: The alert.
        :param claim: Names this process.
        :param now: The time, in Unix seconds.
        """
        return self._database.write(lambda connection: register(connection, alert, claim, now))

    def recover(
        self,
        subject: str,
        alert: DueAlert,
        content: Callable[[Ended], str],
        now: float,
        facts: AlertFacts,
    ) -> DueAlert | None:
        """
        End the problem of a subject, and write down the alert that reports this, claimed for this process.

        Return None if the problem was reported to nobody. Its alerts that were not sent yet are deleted.

        :param subject: What has no problem any more.
        :param alert: The alert about the recovery, without its content.
        :param content: Returns it.
        :param now: The time, in Unix seconds.
        :param facts: What it is about, as people may see it later.
        """

        def work(connection: Connection) -> DueAlert | None:
            known = connection.execute(select(DUE).where(DUE.c.id == alert.id)).mappings().one_or_none()
            if known is not None:  # the response to the commit was lost
                return due.take_due(connection, str(alert.claim), now, id=alert.id) or due.read_due(known)
            ended = end(connection, subject, now)
            if ended is None:
                return None
            new = replace(alert, content=content(ended))
            due.insert_due(connection, new, now + CLAIM_SECONDS)
            options: dict[str, Any] = {"at": now, "conn_id": new.conn_id, "subject": None}
            alert_history.note(connection, new.id, facts, Outcome.DUE, **options)
            return new

        return self._database.write(work)

    def is_being_sent(self, subject: str, now: float) -> bool:
        """
        Return whether somebody sends an alert about a subject at this moment.

        :param subject: What has a problem.
        :param now: The time, in Unix seconds.
        """
        leaders = select(GROUPS.c.leader).where(GROUPS.c.subject == subject)
        is_about = (DUE.c.subject == subject) | DUE.c.id.in_(leaders)
        query = select(func.count()).select_from(DUE).where(is_about, due.is_claimed(now))
        return bool(self._database.read(lambda connection: connection.execute(query).scalar()))

    def take(
        self, claim: str, now: float, but_not: Collection[str] = (), id: str | None = None
    ) -> DueAlert | None:
        """
        Claim the oldest alert that is due, for 25 seconds; return None if no alert is due.

        :param claim: Names who asks; another name each time.
        :param now: The time, in Unix seconds.
        :param but_not: Connections whose alerts must wait.
        :param id: Only this alert.
        """
        return self._database.write(lambda connection: due.take_due(connection, claim, now, but_not, id))

    def summary(self, group: str) -> list[tuple[str, str]]:
        """
        Return id and label of each alert that a summary would report now, oldest first.

        :param group: The name of the run's group.
        """
        return self._database.read(lambda connection: alert_groups.read_held(connection, group))

    def due_at(self, id: str) -> float | None:
        """
        Return when an alert is due, in Unix seconds; None if it is not there.

        :param id: Its id.
        """
        query = select(DUE.c.due_at).where(DUE.c.id == id)
        return self._database.read(lambda connection: connection.execute(query).scalar())

    def finish(
        self,
        alert: DueAlert,
        *,
        reached: bool,
        backup: DueAlert | None = None,
        message_ids: Sequence[str] = (),
    ) -> None:
        """
        Delete an alert with its final outcome.

        :param alert: The alert, as it was claimed.
        :param reached: Whether anybody got it. If not, the next alert goes out at once.
        :param backup: What must be sent to others, unless this one is delivered in time.
        :param message_ids: The ids of the messages that were accepted.
        """

        def work(connection: Connection) -> None:
            if not due.delete_due(connection, alert.id, alert.claim):
                return
            if backup is not None:
                due.insert_due(connection, backup)
            alert_history.settle(connection, alert.id, message_ids, reached=reached, ends=backup is None)
            if not reached:
                alert_groups.give_up(connection, alert.id)
                if alert.group_name:
                    held = {"id": alert.id, "subject": alert.subject, "label": "", "at": alert.at}
                    alert_groups.hold(connection, alert.group_name, held)
            elif alert.group_name:
                alert_groups.delete_told_by(connection, alert.group_name, alert.id)
                alert_history.tell_held(connection, alert.group_name, alert.id, message_ids)

        self._database.write(work)
        self._database.erase_deleted()

    def finish_summary(
        self,
        summary: DueAlert,
        told: Sequence[str],
        fresh: str,
        now: float,
        message_ids: Sequence[str] = (),
    ) -> None:
        """
        Delete a summary with its final outcome; a later one reports what was held back meanwhile.

        :param summary: The summary, as it was claimed.
        :param told: The ids of the alerts that it reported.
        :param fresh: The content of a later one.
        :param now: The time, in Unix seconds.
        :param message_ids: The ids of its messages; without any, nobody got it.
        """
        group = str(summary.group_name)

        def work(connection: Connection) -> None:
            alert_groups.delete_told(connection, group, told)
            alert_history.tell(connection, group, told, message_ids)
            alert_groups.be_quiet(connection, group, now, QUIET_SECONDS)
            count, since = alert_groups.count_held(connection, group)
            if not due.delete_due(connection, summary.id, summary.claim) or not count:
                return
            later = replace(summary, at=since, due_at=now + QUIET_SECONDS, content=fresh)
            due.insert_due(connection, replace(later, attempts=0, claim=None))

        self._database.write(work)
        self._database.erase_deleted()

    def postpone(self, alert: DueAlert, due_at: float, content: str) -> None:
        """
        Give an alert back that did not reach everybody.

        :param alert: The alert, as it was claimed.
        :param due_at: When to try again, in Unix seconds.
        :param content: What is left of it.
        """
        self._database.write(lambda connection: due.postpone_due(connection, alert, due_at, content))

    def keep(self, alert: DueAlert, content: str) -> None:
        """
        Write what an alert is going to say, before it is sent.

        :param alert: The alert, as it was claimed.
        :param content: Its content.
        """
        self._database.write(lambda connection: due.keep_content(connection, alert, content))

    def expire(self, now: float) -> list[DueAlert]:
        """
        Delete the alerts that are too old to be sent, and return them.

        :param now: The time, in Unix seconds.
        """
        # One that expires in years was written while a clock was wrong.
        is_old = or_(DUE.c.expires_at <= now, DUE.c.expires_at > now + _LONGEST_SECONDS)

        def work(connection: Connection) -> list[DueAlert]:
            query = select(DUE).where(is_old).order_by(DUE.c.at).with_for_update(skip_locked=True)
            old = [due.read_due(row) for row in connection.execute(query).mappings()]
            for alert in old:
                due.delete_due(connection, alert.id)
                alert_groups.give_up(connection, alert.id)
                group = alert.group_name if alert.id.startswith("summary ") else None
                alert_history.expire(connection, alert.id, group)
            return old

        if not self._has_old(is_old):
            return []
        old = self._database.write(work)
        self._database.erase_deleted()
        return old

    def count_due(self) -> int:
        """Count the alerts that are still to be sent."""
        return count_rows(self._database, DUE)

    def count(self) -> int:
        """Count the rows of all tables of alerts."""
        return sum(count_rows(self._database, table) for table in (GROUPS, HELD, DUE))

    def purge(self, older_than: float, now: float) -> int:
        """
        Delete groups that began and ended before a time, and what was held back before it; return how many.

        :param older_than: In Unix seconds.
        :param now: The time, in Unix seconds; later beginnings, and ends more than a year later, were written
            while a clock was wrong.
        """
        correct_future(self._database, GROUPS, ["since"], now)
        correct_future(self._database, HELD, ["at"], now)
        end = GROUPS.c.quiet_until
        is_over = (end < older_than) | (end > now + _LONGEST_SECONDS)
        groups = delete_rows(self._database, GROUPS, (GROUPS.c.since < older_than) & is_over)
        held = delete_rows(self._database, HELD, HELD.c.at < older_than)
        return groups + held + delete_rows(self._database, DUE, DUE.c.expires_at < min(older_than, now))

    def _has_old(self, is_old: object) -> bool:
        query = select(func.count()).select_from(DUE).where(is_old)  # type: ignore[arg-type]
        return bool(self._database.read(lambda connection: connection.execute(query).scalar()))

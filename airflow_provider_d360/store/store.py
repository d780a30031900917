"""The store: one database with one attribute for each table."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from sqlalchemy import URL, Connection

from airflow_provider_d360.api.events import Event, StatusEvent
from airflow_provider_d360.api.opt_outs import DEFAULT_KEYWORDS, Keywords
from airflow_provider_d360.store.alerts import Alerts
from airflow_provider_d360.store.arrivals import Arrivals
from airflow_provider_d360.store.campaign_courses import CampaignCourses
from airflow_provider_d360.store.campaign_results import CampaignResults
from airflow_provider_d360.store.campaign_rows import settle_rows
from airflow_provider_d360.store.campaign_senders import CampaignSenders
from airflow_provider_d360.store.campaigns import Campaigns
from airflow_provider_d360.store.clock import check_clock
from airflow_provider_d360.store.cursors import Cursors
from airflow_provider_d360.store.database import Database, RejectedValueError
from airflow_provider_d360.store.health import Health
from airflow_provider_d360.store.inbox import Inbox
from airflow_provider_d360.store.incoming import inbox_rows
from airflow_provider_d360.store.ledger import Ledger
from airflow_provider_d360.store.notices import Notices, notice_rows
from airflow_provider_d360.store.past_alerts import AlertHistory
from airflow_provider_d360.store.question_lists import QuestionLists
from airflow_provider_d360.store.questions import Questions
from airflow_provider_d360.store.rate_leases import RateLeases
from airflow_provider_d360.store.raw import raw_rows
from airflow_provider_d360.store.rows import Row
from airflow_provider_d360.store.sent import Messages
from airflow_provider_d360.store.statuses import Statuses, status_rows
from airflow_provider_d360.store.suppression import Suppressions

log = logging.getLogger(__name__)

_Table = (
    Statuses
    | Inbox
    | Ledger
    | Alerts
    | AlertHistory
    | Notices
    | Suppressions
    | Campaigns
    | Cursors
    | Questions
)

_LEAST_CHECK_SECONDS = 5.0  # a new store makes its tables in that time on a busy machine, too


class Store:
    """
    The store. Nothing is opened before the first use; threads may share it.

    It keeps no text that we sent, and recipients only masked, except in alerts that are still to be sent. The
    inbox keeps whole numbers and texts that people sent to us, until :meth:`purge` deletes them. The list of
    suppressions keeps whole numbers, for export.

    All methods, also of its tables, raise ``StoreUnavailableError`` while the database stays locked or
    away, and ``StoreFaultError`` when trying again cannot help.

    :ivar url: The URL of the database.
    :ivar statuses: What happened to messages.
    :ivar inbox: What people sent to us.
    :ivar ledger: What was sent, and what must not be sent again.
    :ivar messages: The same with statuses, for pages.
    :ivar alerts: Alerts that are to be sent, and those that are held back.
    :ivar notices: What WhatsApp reports about templates, numbers and accounts.
    :ivar suppressions: Who asked for no more messages.
    :ivar rate_leases: When each number may send.
    :ivar campaigns: One message to many people: what was planned, and the signal that controls it.
    :ivar campaign_results: The outcomes of campaigns.
    :ivar campaign_senders: Who sends a campaign, and claims its rows.
    :ivar arrivals: Messages of people, found without their texts.
    :ivar cursors: What named readers have read of the inbox.
    :ivar questions: What was asked, and what came of it.
    :ivar question_lists: The same, for pages.
    :param url: ``sqlite:////path/to/file`` or ``postgresql://user:password@host/database``.
    :param synchronous: What a commit survives on SQLite: ``NORMAL`` the end of any process, ``FULL`` a power
        failure as well. On PostgreSQL the server's own setting decides.
    :param retry_seconds: How long to retry while the database is locked or away.
    :raises ValueError: The URL names another kind of database.
    """

    def __init__(self, url: str | URL, *, synchronous: str = "NORMAL", retry_seconds: float = 3.0) -> None:
        self._database = Database(url, synchronous=synchronous, retry_seconds=retry_seconds)
        self.url = self._database.url
        self._health = Health(self._database)
        self._check_seconds = max(_LEAST_CHECK_SECONDS, retry_seconds + 1.0)
        self.statuses = Statuses(self._database)
        self.inbox = Inbox(self._database)
        self.ledger = Ledger(self._database)
        self.messages = Messages(self._database)
        self.alerts = Alerts(self._database)
        self.alert_history = AlertHistory(self._database)
        self.notices = Notices(self._database)
        self.suppressions = self.ledger.suppressions
        self.rate_leases = self.ledger.rate_leases or RateLeases(self._database)
        self.campaigns = Campaigns(self._database)
        self.campaign_results = CampaignResults(self._database)
        self.campaign_courses = CampaignCourses(self._database)
        self.campaign_senders = CampaignSenders(self._database)
        self.arrivals = Arrivals(self._database)
        self.cursors = Cursors(self._database)
        self.questions = Questions(self._database)
        self.question_lists = QuestionLists(self._database)

    @property
    def place(self) -> str:
        """Where the database is, without its password."""
        return self._database.place

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        self._database.close()

    def check_writable(self) -> None:
        """
        Make sure that a delivery can be committed: commit a row, and read it again.

        At most one check runs at a time, and its result is used for one second, so that any number of callers
        costs little. A caller waits five seconds at most, or a second longer than the store retries; during a
        failure that lasts, only the first one waits.

        :raises StoreUnavailableError: Nothing can be committed now.
        """
        self._health.check(self._check_seconds)

    async def acheck_writable(self) -> None:
        """
        Do the same as :meth:`check_writable` in an event loop.

        :raises StoreUnavailableError: Nothing can be committed now.
        """
        await self._health.acheck(self._check_seconds)

    def add(self, events: Iterable[Event], received_at: float, words: Keywords = DEFAULT_KEYWORDS) -> None:
        """
        Store statuses, messages, notices and opt-outs in one transaction; it is committed when this returns.

        The same event again, in any order and from any process, changes nothing. Unknown events go into the
        inbox as received (see ``store/raw.py``); omitted ones are not stored.
        An event that the database rejects is logged and left out; the others are stored.

        :param events: What the receiver read from deliveries.
        :param received_at: When they were received, in Unix seconds.
        :param words: The words by which people opt out and in.
        """
        events = list(events)
        statuses = status_rows(events, received_at)
        inbox = inbox_rows(events, received_at) + raw_rows(events, received_at)
        notices = notice_rows(events, received_at)
        opt_outs = self.suppressions.rows(events, received_at, words)
        if not statuses and not inbox and not notices and not opt_outs:
            return
        try:
            self._write(statuses, inbox, notices, opt_outs)
        except RejectedValueError:
            self._write_one_by_one(statuses, inbox, notices, opt_outs)

    def delivery_seconds(self, events: Iterable[Event]) -> list[float]:
        """
        Return how long each message took from its send to its delivery, for events that are not stored yet.

        Messages that the ledger does not know, and deliveries that are known already, are left out.

        :param events: What the receiver read from deliveries.
        """
        delivered = {
            event.message_id: event.at
            for event in events
            if isinstance(event, StatusEvent) and event.status == "delivered" and event.at is not None
        }
        sent_at = self.messages.undelivered(delivered) if delivered else {}
        return [delivered[message_id] - at for message_id, at in sent_at.items()]

    def count(self) -> dict[str, int]:
        """Count the rows of each table."""
        return {name: table.count() for name, table in self._tables().items()}

    def purge(self, older_than: float, ledger_older_than: float) -> dict[str, int]:
        """
        Delete what was sent or received before a time, and return the number of rows by table.

        Rows from the future, written while a clock was wrong, are given the present time first.

        :param older_than: In Unix seconds.
        :param ledger_older_than: The same for the ledger: while an entry is there, its message is not sent
            again.
        """
        now = time.time()
        ends = dict.fromkeys(self._tables(), older_than)
        ends |= dict.fromkeys(("ledger", "campaigns"), ledger_older_than)
        return {name: table.purge(ends[name], now) for name, table in self._tables().items()}

    def check_clock(self) -> None:
        """
        Make sure that the clock is not years ahead, before a purge that goes by it.

        :raises ClockError: It may be; the text says what to do.
        """
        check_clock(self._database, time.time())

    def _tables(self) -> dict[str, _Table]:
        return {
            "statuses": self.statuses,
            "inbox": self.inbox,
            "ledger": self.ledger,
            "alerts": self.alerts,
            "alert_history": self.alert_history,
            "notices": self.notices,
            "suppressions": self.suppressions,
            "campaigns": self.campaigns,
            "cursors": self.cursors,
            "questions": self.questions,
        }

    def _write(
        self,
        statuses: Sequence[Row] = (),
        inbox: Sequence[Row] = (),
        notices: Sequence[Row] = (),
        opt_outs: Sequence[Row] = (),
    ) -> None:
        intents = {row["intent"]: row["message_id"] for row in statuses if row["intent"]}

        def work(connection: Connection) -> None:
            self.statuses.insert(connection, statuses)
            self.inbox.insert(connection, inbox)
            self.notices.insert(connection, notices)
            self.suppressions.insert(connection, opt_outs)
            self.ledger.settle(connection, intents)
            settle_rows(connection, intents)

        self._database.write(work)

    def _write_one_by_one(
        self,
        statuses: Sequence[Row],
        inbox: Sequence[Row],
        notices: Sequence[Row],
        opt_outs: Sequence[Row],
    ) -> None:
        """Store what the database accepts: one row that it rejects must not prevent the others."""
        for row in statuses:
            _or_drop("status", partial(self._write, statuses=[row]))
        for row in inbox:
            _or_drop("message", partial(self._write, inbox=[row]))
        for row in notices:
            _or_drop("notice", partial(self._write, notices=[row]))
        for row in opt_outs:
            _or_drop("opt-out", partial(self._write, opt_outs=[row]))


def _or_drop(kind: str, write: Callable[[], None]) -> None:
    try:
        write()
    except RejectedValueError as error:
        log.error("A %s was dropped because the database rejects it: %s", kind, error)

"""
Sends a campaign: claims rows in batches, posts them as fast as the number may, and writes the outcomes.

One task runs one :class:`CampaignSender` in an event loop; the database works in threads. A row is *intended*
before its POST begins, and concluded after it. What a process that is killed had claimed becomes *unknown*.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_d360.api.errors import Condition, D360Error, D360UnavailableError, ErrorDetail
from airflow_provider_d360.campaigns.calls import CallMaker
from airflow_provider_d360.campaigns.control import LONGEST_HELD_SECONDS, MOST_HELD, Watch
from airflow_provider_d360.campaigns.due import Schedule
from airflow_provider_d360.campaigns.outages import Outages
from airflow_provider_d360.campaigns.outcomes import outcome_of_error, outcome_of_sent, released
from airflow_provider_d360.campaigns.pace import Pace
from airflow_provider_d360.campaigns.planning import may_be_marketing
from airflow_provider_d360.campaigns.progress import Progress
from airflow_provider_d360.campaigns.terms import End, Ended, Terms
from airflow_provider_d360.campaigns.verdicts import Kind, StopRules, verdict_on
from airflow_provider_d360.campaigns.writing import ResultWriter, in_store
from airflow_provider_d360.store import StoreError, StoreUnavailableError
from airflow_provider_d360.store.campaign_rows import DueRow, Outcome, RowState, intent_of
from airflow_provider_d360.store.campaign_senders import Lease, SupersededError

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.campaigns import Campaign
    from airflow_provider_d360.transport.client import Transport

T = TypeVar("T")
log = logging.getLogger(__name__)

_FIRST_AT_ONCE = 50  # each response allows one more: hundreds of TLS handshakes at once would delay all
_MOST_AT_ONCE = 600
_CLAIM_AHEAD_SECONDS = 0.5
_PROGRESS_SECONDS = 5.0
_LEASE_MARGIN_SECONDS = 10.0
_POLL_SECONDS = 0.5
_SHORTEST_POLL_SECONDS = 0.05
_SHORT_WAIT_SECONDS = 30.0  # what is due sooner is waited for in the worker


class CampaignSender:
    """
    Sends one campaign, or a shard of it.

    :param store: The store.
    :param transport: The transport of the campaign's connection.
    :param campaign: The campaign.
    :param terms: How to send.
    """

    def __init__(self, store: Store, transport: Transport, campaign: Campaign, terms: Terms) -> None:
        self._store, self._transport, self._campaign, self._terms = store, transport, campaign, terms
        self._settings = transport.settings
        self._calls = CallMaker(self._settings, campaign.message)
        self._owner = secrets.token_hex(8)
        self._pace = Pace(store, self._settings, self._owner)
        self._schedule = Schedule(campaign.settings or {})
        self._rules = StopRules()
        self._queue: deque[DueRow] = deque()
        self._posting: set[asyncio.Task[None]] = set()
        self._most_at_once = _FIRST_AT_ONCE
        self._responded = asyncio.Event()
        self._failure: Exception | None = None
        self._stop_reason: str | None = None
        self._outages = Outages()
        self._claiming: asyncio.Task[None] | None = None
        self._after = -1
        self._is_at_end = False  # no row after that one is due

    async def run(self) -> Ended:
        """
        Send until there is nothing left, or a signal, a rule or the time ends it.

        :raises D360UnavailableError: when another process sends this part, or the service or the store stays
            away. Then nothing is lost: run it again.
        """
        lease = await self._take()
        self._watch = Watch(self._store, self._campaign, lease, self._pace)
        counts = await asyncio.to_thread(self._store.campaign_results.counts, self._campaign.key)
        self._progress = Progress(counts, time.monotonic())
        self._results = ResultWriter(self._store, lease, self._progress)
        background = [
            asyncio.create_task(self._guarded(work))
            for work in (self._watch.run(), self._results.flush_always(), self._log_always())
        ]
        try:
            await self._watch.load()
            ended = await self._send_all(lease)
            await self._finish_posting()
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._close()
        return ended

    async def _take(self) -> Lease:
        """Become the owner; a process that was killed is waited for until its last message has ended."""
        seconds = self._settings.timeout_seconds + _LEASE_MARGIN_SECONDS
        ends = time.monotonic() + seconds + _POLL_SECONDS
        while True:
            lease = await asyncio.to_thread(
                self._store.campaign_senders.take, self._terms.part, self._owner, seconds
            )
            if lease is not None:
                return lease
            if time.monotonic() > ends:
                raise D360UnavailableError(
                    ErrorDetail(
                        f"Another process is sending the campaign {self._campaign.id!r}",
                        "Let it finish; or give each task a shard of its own.",
                    )
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def _send_all(self, lease: Lease) -> Ended:
        while True:
            if ended := self._ended():
                return ended
            self._claim_ahead(lease)
            if self._queue:
                await self._post_next(lease)
            elif self._claiming is not None:
                await asyncio.wait([self._claiming])
            elif not self._is_at_end:
                await self._wait_for_room()
            elif ended := await self._idle(lease):
                return ended

    async def _post_next(self, lease: Lease) -> None:
        if await self._may_post():
            task = asyncio.create_task(self._post(lease, self._queue.popleft()))
            self._posting.add(task)
            task.add_done_callback(self._note_response)

    def _ended(self) -> Ended | None:
        """Return how this task must end now; None to go on."""
        if self._failure is not None:
            raise self._failure
        if self._watch.is_superseded:
            raise D360UnavailableError(
                ErrorDetail(
                    f"Another process took over the campaign {self._campaign.id!r}, or the store was "
                    "restored from a copy",
                    "Run one task for each part of a campaign; see docs/campaigns.md for restored stores.",
                )
            )
        signal = self._watch.signal
        if self._stop_reason is not None or signal == "stop":
            return Ended(End.STOPPED, reason=self._stop_reason or self._watch.reason)
        if signal == "pause":
            return Ended(End.PAUSED, reason=self._watch.reason)
        if len(self._watch.held) >= MOST_HELD:
            return Ended(End.HELD, max(self._watch.held.values()) + LONGEST_HELD_SECONDS)
        if self._terms.until is not None and time.time() >= self._terms.until:
            return Ended(End.UNTIL)
        return None

    @property
    def _room(self) -> int:
        """How many more rows may be *intended*: no more than a batch is unknown after a kill."""
        return self._terms.batch - len(self._queue) - len(self._posting) - self._results.pending

    async def _wait_for_room(self) -> None:
        if self._posting:
            await self._wait_for_response()
        await self._results.flush()
        if self._room <= 0 and not self._posting:  # the store is away
            await asyncio.sleep(_POLL_SECONDS)

    def _claim_ahead(self, lease: Lease) -> None:
        """Claim the next rows half a second before the others have gone: turns that pass are lost."""
        if self._claiming is not None and self._claiming.done():
            self._claiming.result()
            self._claiming = None
        least = max(1, self._terms.batch // 2) if self._queue else 1
        is_time = len(self._queue) <= self._pace.per_second * _CLAIM_AHEAD_SECONDS
        if is_time and self._claiming is None and not self._is_at_end and self._room >= least:
            self._claiming = asyncio.create_task(self._claim(lease))

    async def _claim(self, lease: Lease) -> None:
        """Claim the next rows, and take those out who opted out meanwhile."""
        limit = max(1, min(self._room, round(self._pace.per_second)))
        now = time.time()
        rows = await self._in_store(
            self._store.campaign_senders.claim, lease, self._after, limit, now, self._schedule.open_zones(now)
        )
        if not rows:
            self._is_at_end = True
            return
        self._after = rows[-1].number
        suppressed = await self._in_store(
            self._store.suppressions.find_persons,
            [row.person for row in rows],
            marketing=may_be_marketing(self._campaign),
        )
        for row in rows:
            self._progress.change(RowState.PLANNED, RowState.INTENDED)
            if opt_out := suppressed.get(row.person):
                self._results.note(
                    Outcome(row.number, RowState.SUPPRESSED, reason=f"opted out ({opt_out.source})")
                )
            else:
                self._queue.append(row)

    async def _idle(self, lease: Lease) -> Ended | None:
        """There is nothing to claim: wait for what is being sent, or for what is due soon, or end."""
        if self._posting:
            await self._wait_for_response()
            return None
        await self._results.flush()
        self._after, self._is_at_end = -1, False
        left = await self._in_store(self._store.campaign_senders.next_due, lease)
        now = time.time()
        at = self._schedule.next_due(left, now)
        if at is None:
            return Ended(End.DONE)
        if at - now > _SHORT_WAIT_SECONDS:
            return Ended(End.DUE, at)
        await asyncio.sleep(min(max(at - now, _SHORTEST_POLL_SECONDS), _POLL_SECONDS))
        return None

    async def _may_post(self) -> bool:
        if len(self._posting) >= self._most_at_once:
            await self._wait_for_response()
            return False
        if not self._watch.is_fresh or time.monotonic() < self._outages.ends:
            await asyncio.sleep(_SHORTEST_POLL_SECONDS)
            return False
        try:
            has_turn = await self._pace.wait()
        except StoreUnavailableError as error:
            log.warning("No moment to send at can be leased, trying again: %s", error)
            await asyncio.sleep(_POLL_SECONDS)
            return False
        return has_turn and self._ended() is None

    async def _post(self, lease: Lease, row: DueRow) -> None:
        try:
            kind, outcome = await self._sent(lease, row)
        except Exception as error:  # noqa: BLE001 - it may be out
            self._failure = error
            kind, outcome = Kind.UNKNOWN, Outcome(row.number, RowState.UNKNOWN, reason=type(error).__name__)
        self._results.note(outcome)
        if kind is Kind.ACCEPTED:
            self._outages.forget()
        if kind is Kind.HELD and outcome.message_id is not None:
            self._watch.held[outcome.message_id] = time.time()
        reason = self._rules.record(kind)
        if kind is Kind.STOP:
            reason = outcome.reason
        if reason is not None and self._stop_reason is None:
            await self._stop(reason)

    async def _sent(self, lease: Lease, row: DueRow) -> tuple[Kind, Outcome]:
        try:
            intent = intent_of(self._campaign.key, row.number, lease.epoch)
            call = self._calls.call(row.payload, intent)
            return outcome_of_sent(row, await self._transport.aperform(call))
        except D360Error as error:
            problem = error
        verdict = verdict_on(problem, row.attempts)
        if verdict.kind is Kind.SLOW_DOWN:
            await self._pace.slow_down()
        if verdict.kind is Kind.OUTAGE:
            self._note_outage(problem)
        if problem.detail.condition is Condition.OPTED_OUT:
            to = str(json.loads(row.payload)[0])
            with suppress(StoreError):  # the next message to this person gets the same error
                await in_store(self._store.suppressions.add_refused, to, time.time())
        return verdict.kind, outcome_of_error(row, problem, verdict, time.time())

    def _note_response(self, task: asyncio.Task[None]) -> None:
        self._posting.discard(task)
        self._most_at_once = min(self._most_at_once + 1, _MOST_AT_ONCE)
        self._responded.set()

    async def _wait_for_response(self) -> None:
        """Wait until the next message that is being sent has ended, or for a moment."""
        self._responded.clear()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._responded.wait(), _POLL_SECONDS)

    def _note_outage(self, problem: D360Error) -> None:
        if wait := self._outages.record(time.monotonic()):
            log.warning("%s Waiting %.0f s.", problem, wait)
        if self._outages.are_too_many:
            self._failure = problem

    async def _stop(self, reason: str) -> None:
        """Stop the campaign for all who send it, by a rule."""
        self._stop_reason = reason
        log.error("The campaign stops: %s", reason)
        try:
            await asyncio.to_thread(self._store.campaigns.signal, self._campaign.id, "stop", reason)
        except StoreError as error:
            self._failure = error

    async def _log_always(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            log.info("Campaign %s: %s", self._campaign.id, self._progress.line(time.monotonic()))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Let an error of background work end the whole."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, sending must not go on without it
            self._failure = self._failure or error

    async def _in_store(self, work: Callable[..., T], *args: Any, **options: Any) -> T:
        try:
            return await in_store(work, *args, **options)
        except SupersededError:
            self._watch.is_superseded = True
            self._ended()
            raise

    async def _finish_posting(self) -> None:
        """Let what is being sent end: each request has its time limit."""
        while self._posting:
            await self._wait_for_response()

    async def _close(self) -> None:
        """Write what is known, return what was not begun, and end the lease."""
        for task in self._posting:
            task.cancel()  # its row is intended, and becomes unknown
        await asyncio.gather(*self._posting, return_exceptions=True)
        await self._pace.close()
        if self._claiming is not None:
            await asyncio.gather(self._claiming, return_exceptions=True)
        for row in self._queue:
            self._results.note(released(row))
        self._queue.clear()
        await self._results.close()
        log.info("Campaign %s: %s", self._campaign.id, self._progress.line(time.monotonic()))

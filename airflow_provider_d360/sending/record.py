"""Records one send in the ledger: the claim before it, the intent when it begins, the outcome after it."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_provider_d360.api.errors import (
    Condition,
    D360AmbiguousError,
    D360Error,
    D360UnavailableError,
    ErrorDetail,
)
from airflow_provider_d360.api.privacy import mask_number
from airflow_provider_d360.sending.identity import identity, next_position
from airflow_provider_d360.sending.once import Claim, Decision, Verdict, decide
from airflow_provider_d360.sending.state import TaskState
from airflow_provider_d360.store import StoreError
from airflow_provider_d360.store.entries import Entry, OldSender, State
from airflow_provider_d360.store.ledger import Ledger
from airflow_provider_d360.store.opt_outs import Suppression
from airflow_provider_d360.store.rate_leases import RateLeases
from airflow_provider_d360.store.secret import keyed_hash
from airflow_provider_d360.store.suppression import Suppressions

if TYPE_CHECKING:
    from airflow_provider_d360.api.endpoints.messages import Sent
    from airflow_provider_d360.sending.sender import Sender
    from airflow_provider_d360.transport.settings import ConnectionSettings

T = TypeVar("T")
log = logging.getLogger(__name__)

HELD = ("held_for_quality_assessment", "paused")
_STATE_KEY = "d360_message"


class SupersededError(Exception):
    """Another process has claimed the message just before this one wanted to send it."""


class _Book(Protocol):
    """A ledger, restricted to one scope."""

    def entries(self) -> list[Entry]: ...

    def change(self, decide: Callable[[list[Entry]], tuple[T, Sequence[Entry]]]) -> T: ...

    def conclude(self, token: str, state: State, message_id: str | None, reason: str | None) -> None: ...


class _StoreBook:
    def __init__(self, ledger: Ledger, scope: str, old: OldSender | None) -> None:
        self._ledger, self._scope, self._old = ledger, scope, old

    def entries(self) -> list[Entry]:
        return self._ledger.entries(self._scope, self._old)

    def change(self, decide: Callable[[list[Entry]], tuple[T, Sequence[Entry]]]) -> T:
        return self._ledger.change(self._scope, decide, self._old)

    def conclude(self, token: str, state: State, message_id: str | None, reason: str | None) -> None:
        self._ledger.conclude(token, state, message_id, reason)


class OptOutsOfOne:
    """
    The list of opt-outs, restricted to one recipient.

    :param suppressions: The list.
    :param recipient: The recipient.
    """

    def __init__(self, suppressions: Suppressions, recipient: str) -> None:
        self._suppressions, self._recipient = suppressions, recipient

    def find(self) -> Suppression | None:
        """Return the opt-out, from marketing or from everything; None without one."""
        return self._suppressions.find([self._recipient], marketing=True).get(self._recipient)

    def add(self) -> None:
        """Record that WhatsApp refused a message because this person stopped marketing messages."""
        self._suppressions.add_refused(self._recipient, time.time())


class SendRecord:
    """
    The record of one send. Its methods block; it is passed to the transport as the call's ``attempts``.

    :ivar token: Names this send, and travels with the message.
    :ivar is_pending: An intent is written without an outcome: the message may be on its way.
    :param claim: What is sent, by whom.
    :param books: Where entries are looked up, the one that knows best first.
    :ivar rate_leases: Where the turns of all processes are leased, if there is such a place.
    :param opt_outs: Whether the recipient is on the list of opt-outs; None if there is no such list.
    :param is_new: Each send is a message of its own: there is nothing to look up.
    :param required: Send nothing while the ledger cannot be used.
    """

    def __init__(
        self,
        claim: Claim,
        books: Sequence[_Book],
        opt_outs: OptOutsOfOne | None,
        rate_leases: RateLeases | None,
        *,
        is_new: bool,
        required: bool,
    ) -> None:
        self.token = claim.token
        self.is_pending = self._has_begun = False
        self._claim, self._books, self._is_new, self._required = claim, books, is_new, required
        self._opt_outs = opt_outs
        self.rate_leases = rate_leases

    def find_opt_out(self) -> Suppression | None:
        """
        Return the recipient's opt-out, from marketing or from everything; None without one.

        :raises D360UnavailableError: when the list cannot be read.
        """
        return self._use(self._opt_outs.find, None) if self._opt_outs else None

    def look(self, *, patient: bool = True) -> Decision:
        """
        Look the message up, and claim its entry if it need not be sent.

        :param patient: Whether to wait for another process that is sending it.
        :raises D360UnavailableError: when the ledger cannot be read.
        """
        claim = replace(self._claim, resend_unknown=False)  # first, somebody looks for a proof
        claim = claim if patient else replace(claim, patience_seconds=0.0)
        send = Decision(Verdict.SEND, self._claim.sender)
        # A status may have settled an earlier attempt of this very send.
        is_unknown = self._is_new and not self._has_begun
        return send if is_unknown else self._use(partial(self._look, claim, send), send)

    def begin(self) -> None:
        """
        Write the intent: the connection is open, and the message is about to be sent.

        :raises SupersededError: when another process was faster.
        :raises D360UnavailableError: when the ledger cannot be written. Nothing was sent.
        """
        self._has_begun = True
        self._use(self._begin, None)

    def _look(self, claim: Claim, send: Decision) -> Decision:
        for book in self._books:
            decision, changed = decide(book.entries(), claim, time.time())
            if decision.verdict is Verdict.KNOWN and changed:
                decision = book.change(partial(decide, claim=claim, now=time.time()))
            if decision.verdict is not Verdict.SEND:
                return decision
        return send

    def _begin(self) -> None:
        for book in reversed(self._books):  # the store last: it is fast, and the first byte follows
            decision = book.change(partial(decide, claim=self._claim, now=time.time()))
            self.is_pending = decision.verdict is Verdict.SEND
            if not self.is_pending:
                raise SupersededError

    def stopped(self, error: Exception) -> None:
        """
        Record that the message failed before its intent.

        Without this entry, a *Clear* of this task instance alone would take the entry of another message.

        :param error: Why.
        """
        is_suppressed = is_opted_out(error)
        if not self._has_begun and (is_suppressed or not self._is_new):
            state = State.SUPPRESSED if is_suppressed else State.REFUSED
            with contextlib.suppress(Exception):  # the task fails with the error itself
                for book in self._books:
                    book.change(partial(self._stop, state, _reason(error)))

    def _stop(self, state: State, reason: str, entries: list[Entry]) -> tuple[None, list[Entry]]:
        _, changed = decide(entries, self._claim, time.time())
        new = [entry for entry in changed if entry.id == self._claim.sender.id and entry.intent == self.token]
        return None, [replace(entry, state=state, reason=reason) for entry in new]

    def proof(self) -> str | None:
        """Return the message's id if a status has proved that it was accepted; None if none has, so far."""
        with contextlib.suppress(StoreError):
            for book in self._books:
                for entry in book.entries():
                    if entry.intent == self.token and entry.state is State.ACCEPTED:
                        return entry.message_id
        return None

    def failed(self, error: D360Error) -> None:
        """
        Write that an attempt failed.

        :param error: Its error. Unless it is ambiguous, nothing was accepted.
        """
        if not self.is_pending:
            return
        state = State.UNKNOWN if isinstance(error, D360AmbiguousError) else State.REFUSED
        self.is_pending = state is State.UNKNOWN
        self._settle(state, None, _reason(error))
        if self._opt_outs and is_opted_out(error):
            with contextlib.suppress(StoreError):  # WhatsApp refuses the next message as well
                self._opt_outs.add()

    def accepted(self, sent: Sent) -> None:
        """
        Write that the message was accepted, or is held.

        :param sent: The response.
        """
        self.is_pending = False
        state = State.HELD if sent.message_status in HELD else State.ACCEPTED
        self._settle(state, sent.message_id, sent.message_status if state is State.HELD else None)

    def _use(self, work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except StoreError as error:
            problem = error
        if self._required:
            raise _unusable(problem)
        log.warning("The message is sent without the ledger. The store cannot be used: %s", problem)
        return otherwise

    def _settle(self, state: State, message_id: str | None, reason: str | None) -> None:
        for book in self._books:
            try:
                book.conclude(self.token, state, message_id, reason)
            except Exception as problem:  # noqa: BLE001 - of the database or of Airflow; the message is out
                # An error here would make Airflow retry the task. The next look finds the intent.
                log.warning("The outcome of the message could not be recorded: %s", type(problem).__name__)


def new_record(
    sender: Sender, settings: ConnectionSettings, to: str, content: object, ledger: Ledger | None
) -> SendRecord:
    """
    Begin to record a send.

    :param sender: Who sends.
    :param settings: The settings of the connection.
    :param to: The recipient, as :func:`~airflow_provider_d360.api.recipients.canonical` returns it.
    :param content: Anything that names the message's content.
    :param ledger: The ledger, if there is one.
    """
    place = sender.place
    state = place.state if place else None
    what = identity(sender.conn_id, settings.base_url, to, place, sender.key, own_key=sender.own_key)
    token = secrets.token_hex(16)
    hash_by_key = partial(keyed_hash, settings.api_key.encode())  # of what is written into Airflow's state
    hash_ = ledger.hash if ledger else hash_by_key
    scope = what.scope if what else ("new", token)
    hashed_scope = hash_(*scope)
    # An operator sends one message; a task's own code may send several.
    is_several = sender.key is None and sender.source != "task"
    position = next_position(place, scope) if place and is_several else 0
    entry = Entry(
        id=token,
        scope=hashed_scope,
        content=None,
        state=State.INTENDED,
        source=sender.source,
        conn_id=sender.conn_id,
        dag_id=place.dag_id if place else "",
        run_id=place.run_id if place else "",
        task_id=place.task_id if place else "",
        map_index=place.map_index if place else -1,
        try_number=place.try_number if place else 0,
        recipient=mask_number(to),
        recipient_hash=hash_("recipient", to),
        intent=None,
        message_id=None,
        at=0.0,
        kept=what is not None and what.kept,
    )
    claim = Claim(
        sender=entry,
        content=hash_("content", content),
        round=place.round if place else "outside",
        place=f"{place.stage if place else ''}/{position}",
        single=what is None or what.single,
        resend=sender.resend,
        resend_unknown=sender.resend_unknown,
        patience_seconds=settings.timeout_seconds,
    )
    books: list[_Book] = []
    if ledger is not None:
        old = None
        if place and sender.source == "task":
            old = OldSender(place.dag_id, place.run_id, place.task_id, place.map_index, entry.recipient)
        books.append(_StoreBook(ledger, hashed_scope, old))
    if state is not None and what is not None:
        key = _STATE_KEY if sender.source == "task" else f"d360_{hash_by_key(*scope)}"
        store_id = ledger.hash("store") if ledger else ""
        contents = content, claim.content
        books.append(TaskState(state, key, hash_by_key, scope, contents, store_id, entry))
    opt_outs = OptOutsOfOne(ledger.suppressions, to) if ledger else None
    rate_leases = ledger.rate_leases if ledger else None
    return SendRecord(claim, books, opt_outs, rate_leases, is_new=what is None, required=sender.required)


def is_opted_out(error: Exception) -> bool:
    """
    Return whether an error says that the recipient opted out.

    :param error: Any error.
    """
    return isinstance(error, D360Error) and error.detail.condition is Condition.OPTED_OUT


def _reason(error: Exception) -> str:
    """Explain an error in our own words; the text of others may hold private values."""
    name = type(error).__name__
    return f"{name}: {error.detail.title}" if isinstance(error, D360Error) else name


def _unusable(error: StoreError) -> D360UnavailableError:
    return D360UnavailableError(
        ErrorDetail(
            f"The ledger cannot be used, so nothing was sent: {error}",
            "Make the store available, and try again: only it knows whether this message went out.",
        )
    )

"""
The rule by which a message goes out once. Pure: entries of the ledger in, a decision and entries out.

Several messages to one person in one task are legitimate, such as two orders of one customer. So each send
claims one entry. The rule, its limits and its reasons are in ``docs/once.md``; a simulation proves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from airflow_provider_d360.store.entries import Entry, State


class Verdict(Enum):
    """What to do with a message."""

    SEND = "send it"
    KNOWN = "it went out, or another message that counts as the same"
    WAIT = "another process is sending it"
    UNKNOWN = "it may have gone out"


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A send that wants an entry.

    :param sender: A new entry with the fields that name the sender and the recipient. Its id names this send:
        it travels with the message, so that a status proves acceptance.
    :param content: A hash of the message.
    :param round: See :class:`~airflow_provider_d360.sending.identity.Place`.
    :param place: Where among the sends of its task to this person: stage and position.
    :param single: The scope is one message, so any entry is this message.
    :param resend: Send again, once a round, what went out in an earlier round.
    :param resend_unknown: Send again what may have gone out.
    :param patience_seconds: How long an intent of another process counts as being sent.
    """

    sender: Entry
    content: str
    round: str
    place: str
    single: bool
    resend: bool = False
    resend_unknown: bool = False
    patience_seconds: float = 30.0

    @property
    def token(self) -> str:
        """The name of this send, which nobody else has."""
        return self.sender.id

    @property
    def index(self) -> int:
        """The mapped index of the task; -1 without mapping."""
        return self.sender.map_index

    @property
    def try_number(self) -> int:
        """The try of the task."""
        return self.sender.try_number

    def owns(self, entry: Entry) -> bool:
        """
        Return whether an entry was claimed in this round at this very place, in this try or an earlier one.

        :param entry: The entry.
        """
        return (entry.claim_round, entry.claim_index, entry.claim_place) == (
            self.round,
            self.index,
            self.place,
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """
    The decision on a claim.

    :param verdict: What to do.
    :param entry: The entry that the claim got.
    :param exact: Whether the entry has the very content of the claim.
    """

    verdict: Verdict
    entry: Entry
    exact: bool = True


def decide(entries: Sequence[Entry], claim: Claim, now: float) -> tuple[Decision, list[Entry]]:
    """
    Decide on a claim. Return the decision, and the entries to write with it.

    :param entries: The entries of the claim's scope, oldest first.
    :param claim: The claim.
    :param now: The time, in Unix seconds.
    """
    unsent = [entry for entry in entries if entry.state is State.WITHHELD]
    withheld = next((entry for entry in unsent if claim.single or claim.owns(entry)), None)
    slots = [entry for entry in entries if entry.state is not State.WITHHELD]
    entry = _match(slots, claim)
    verdict = Verdict.SEND if entry is None else _verdict(entry, claim, now)
    if entry is None or verdict is Verdict.SEND:
        chosen = _intended(entry or withheld or claim.sender, claim, now)
        return Decision(Verdict.SEND, chosen), [chosen, *_released(slots, chosen, claim)]
    exact = entry.content in (None, claim.content)
    if verdict is not Verdict.KNOWN:
        return Decision(verdict, entry, exact), []
    chosen = _claimed(entry, claim, exact)
    changed = [] if chosen == entry else [chosen]
    changed += _released(slots, chosen, claim)
    if not exact:
        withheld = _withheld(withheld or claim.sender, claim, now)
        changed += [withheld]
    return Decision(verdict, chosen, exact), changed


def _match(slots: Sequence[Entry], claim: Claim) -> Entry | None:
    """Return the entry that a claim gets, or None if it gets a new one."""
    if claim.single:
        # One that was refused stands beside another only if it was withheld, and then settled as not sent.
        return min(slots, key=lambda s: (not claim.owns(s), s.state is not State.REFUSED), default=None)
    exact = [slot for slot in slots if slot.content in (None, claim.content) and _is_open(slot, claim)]
    if exact:
        return min(exact, key=lambda s: (not claim.owns(s), _is_taken(s, claim), _index(s) != claim.index))
    own = next((slot for slot in slots if claim.owns(slot)), None)
    if own is not None:
        return own
    earlier = [slot for slot in slots if _is_earlier(slot, claim)]
    return min(
        earlier,
        key=lambda slot: (_index(slot) != claim.index, slot.state is not State.REFUSED),
        default=None,
    )


def _is_earlier(slot: Entry, claim: Claim) -> bool:
    """
    Return whether an entry is of an earlier round, or of an earlier try of this task instance.

    A retry may send from another place: a trigger's event differs, or a sensor succeeds sooner.
    """
    is_own = slot.claim_index == claim.index and (slot.claim_try or 0) < claim.try_number
    return slot.claim_round != claim.round or is_own


def _is_taken(slot: Entry, claim: Claim) -> bool:
    """Return whether another send of this round has claimed an entry: one that this one does not repeat."""
    if slot.claim_round != claim.round:
        return False
    is_other_task = slot.claim_index != claim.index
    return is_other_task or (slot.claim_try == claim.try_number and slot.claim_place != claim.place)


def _is_open(slot: Entry, claim: Claim) -> bool:
    """Return whether a claim may get an entry of its own content."""
    if not _is_taken(slot, claim) or not slot.claim_exact:
        return True
    # The same try sends the same again. What did not go out, or may have, is not sent as something new.
    is_accepted = slot.state in (State.ACCEPTED, State.HELD)
    return slot.claim_index == claim.index and not is_accepted


def _index(slot: Entry) -> int | None:
    return slot.map_index if slot.claim_round is None else slot.claim_index


def _verdict(entry: Entry, claim: Claim, now: float) -> Verdict:
    is_new_round = entry.sent_round != claim.round
    if entry.state in (State.REFUSED, State.SUPPRESSED):
        return Verdict.SEND
    if entry.state is State.INTENDED and entry.intent == claim.token:
        return Verdict.SEND  # the commit's response was lost, and it is tried again
    if entry.state is State.INTENDED and abs(now - entry.at) < claim.patience_seconds:  # a clock may be ahead
        return Verdict.WAIT
    if entry.state in (State.INTENDED, State.UNKNOWN):
        may_send = claim.resend_unknown or (claim.resend and is_new_round)
        return Verdict.SEND if may_send else Verdict.UNKNOWN
    return Verdict.SEND if is_new_round and (claim.resend or entry.failed) else Verdict.KNOWN


def _intended(entry: Entry, claim: Claim, now: float) -> Entry:
    """Return an entry that is about to be sent: by this sender, with this content."""
    sender = replace(
        claim.sender, id=entry.id, content=claim.content, state=State.INTENDED, intent=claim.token, at=now
    )
    return replace(_claimed(sender, claim, exact=True), sent_round=claim.round)


def _claimed(entry: Entry, claim: Claim, exact: bool) -> Entry:
    return replace(
        entry,
        claim_round=claim.round,
        claim_index=claim.index,
        claim_try=claim.try_number,
        claim_place=claim.place,
        claim_exact=exact,
    )


def _released(slots: Sequence[Entry], chosen: Entry, claim: Claim) -> list[Entry]:
    """Return the other entries that this place held: a place holds one entry in a round."""
    return [
        replace(slot, claim_round="", claim_exact=False)
        for slot in slots
        if slot.id != chosen.id and claim.owns(slot)
    ]


def _withheld(entry: Entry, claim: Claim, now: float) -> Entry:
    row = replace(claim.sender, id=entry.id, content=claim.content, state=State.WITHHELD, at=now)
    return _claimed(row, claim, exact=False)

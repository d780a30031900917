"""The ledger's table: who claims first, what settles an intent, and what it never holds."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import select, text

from airflow_provider_d360.api.events import Failure, StatusEvent
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.sending.once import Claim, Verdict, decide
from airflow_provider_d360.store import Entry, State, Store, StoreUnavailableError
from airflow_provider_d360.store.entries import LEDGER
from tests.programs import Program
from tests.store.entries import NUMBER, entry, record

NO_OUTCOME = [State.INTENDED, State.UNKNOWN]
LATER = time.time() + 1e9


def intent(state: State = State.INTENDED, **more: object) -> Entry:
    """Make an entry with an intent, and without a message id."""
    return entry(None, id="e", intent="intent", state=state, **more)


def find(store: Store, entry_id: str = "e") -> Entry:
    found = store.ledger.find(entry_id)
    assert found is not None
    return found


def claim(token: str) -> Claim:
    sender = entry(None, id=token)
    return Claim(sender, "content", "round", "/0", single=False, patience_seconds=1e9)


def test_of_all_who_claim_a_message_at_once_one_sends_it(url):
    scopes = [f"scope{number}" for number in range(50)]
    winners: dict[str, list[str]] = {scope: [] for scope in scopes}
    stores = [Store(url, retry_seconds=300.0) for _ in range(2)]
    start = threading.Barrier(16)

    def send(sender: int) -> None:
        for scope in scopes:
            token = f"{scope}-{sender}"
            start.wait()
            wanted = partial(decide, claim=claim(token), now=time.time())
            decision = stores[sender % 2].ledger.change(scope, wanted, None)
            if decision.verdict is Verdict.SEND:
                winners[scope].append(token)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(tokens) for tokens in winners.values()] == [1] * len(scopes)
    for scope in scopes:
        assert [one.intent for one in stores[0].ledger.entries(scope)] == winners[scope]
    for store in stores:
        store.close()


CLAIM_ALL = """
import os, sys
from dataclasses import replace
from airflow_provider_d360.store import Store
from tests.store.entries import entry

store = Store(sys.argv[1], retry_seconds=300.0)
for number in range(int(sys.argv[2])):
    scope, who = f"scope{number}", str(os.getpid())
    def decide(entries):
        both = [entry(None, id=f"{who}-{number}-{half}", intent=f"{who}-{number}-{half}") for half in (1, 2)]
        return (None, []) if entries else (None, both)
    store.ledger.change(scope, decide, None)
    print(flush=True)
"""


def test_processes_that_are_killed_leave_each_message_claimed_whole_by_one_of_them_or_not_at_all(url, store):
    scopes = 150
    store.count()

    running = [Program("-c", CLAIM_ALL, url, str(scopes)) for _ in range(3)]
    for program, lines in zip(running, (20, 60, 100), strict=True):
        for _ in range(lines):
            program.stdout.readline()
        program.kill()
        program.end()
    claimed = [store.ledger.entries(f"scope{number}") for number in range(scopes)]
    assert {len(entries) for entries in claimed} <= {0, 2}
    assert len([entries for entries in claimed if entries]) >= 100
    last = Program("-c", CLAIM_ALL, url, str(scopes))
    assert len(last.end(300).stdout.splitlines()) == scopes
    for number in range(scopes):
        both = store.ledger.entries(f"scope{number}")
        assert len({one.id.split("-")[0] for one in both}) == 1
        assert len(both) == 2


def test_a_status_that_comes_during_a_claim_is_not_lost(store):
    record(store, intent(State.UNKNOWN))
    receiver = threading.Thread(
        target=store.add, args=([StatusEvent("a", "sent", biz_opaque_callback_data="intent")], 1.0)
    )

    def claim_slowly(entries: list[Entry]) -> tuple[None, list[Entry]]:
        receiver.start()
        receiver.join(0.5)  # a correct store makes it wait
        return None, [replace(one, claim_round="mine") for one in entries]

    store.ledger.change("scope", claim_slowly, None)
    receiver.join()
    assert (find(store).state, find(store).message_id, find(store).claim_round) == (
        State.ACCEPTED,
        "a",
        "mine",
    )


def test_a_claim_that_fails_changes_nothing(store):
    record(store, intent())
    with pytest.raises(ZeroDivisionError):
        store.ledger.change("scope", lambda entries: ([replace(entries[0], at=9.0)], 1 // 0), None)
    assert find(store) == intent()


@pytest.mark.parametrize("state", NO_OUTCOME)
@pytest.mark.parametrize("status", ["sent", "delivered", "failed", "teleported"])
def test_a_status_settles_the_intent_that_it_carries(store, state, status):
    record(store, intent(state), entry(None, id="other", intent="other", state=state))
    store.add([StatusEvent("a", status, biz_opaque_callback_data="intent")], 1.0)
    assert find(store) == replace(intent(State.ACCEPTED), message_id="a")
    assert store.ledger.find(short_id("a")) == find(store)
    assert find(store, "other").state is state


@pytest.mark.parametrize("state", sorted(set(State) - set(NO_OUTCOME)))
def test_a_status_changes_no_outcome_that_is_known(store, state):
    before = replace(intent(state), message_id="first", reason="why")
    record(store, before)
    store.add([StatusEvent("a", "sent", biz_opaque_callback_data="intent")], 1.0)
    assert find(store) == before


def test_a_status_without_an_intent_or_with_a_strange_one_settles_nothing(store):
    record(store, intent(), entry(None, id="without", state=State.UNKNOWN))
    for strange in (None, "", "\0", "x" * 5000, "'; DROP TABLE d360_ledger; --"):
        store.add([StatusEvent("a", "sent", biz_opaque_callback_data=strange)], 1.0)
    assert [find(store, name).state for name in ("e", "without")] == NO_OUTCOME


def test_many_intents_are_settled_at_once(store):
    record(store, *(entry(None, id=f"e{n}", intent=f"i{n}", state=State.UNKNOWN) for n in range(1200)))
    store.add([StatusEvent(f"m{n}", "sent", biz_opaque_callback_data=f"i{n}") for n in range(1100)], 1.0)
    states = store._database.read(lambda c: c.execute(select(LEDGER.c.state, LEDGER.c.message_id)).all())
    assert sorted(states, key=str) == sorted(
        [("accepted", f"m{n}") for n in range(1100)] + [("unknown", None)] * 100, key=str
    )


def test_receivers_that_settle_the_same_in_different_orders_do_not_block_each_other(url, store):
    record(store, *(entry(None, id=f"e{n}", intent=f"i{n}", state=State.UNKNOWN) for n in range(100)))
    statuses = [StatusEvent(f"m{n}", "sent", biz_opaque_callback_data=f"i{n}") for n in range(100)]
    receivers = [Store(url, retry_seconds=60.0) for _ in range(4)]
    orders = [statuses, statuses[::-1], statuses[50:] + statuses[:50], statuses[::2]]
    threads = [
        threading.Thread(target=receiver.add, args=(order, 1.0))
        for receiver, order in zip(receivers, orders, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.ledger.unsettled(older_than=LATER) == []
    for receiver in receivers:
        receiver.close()


@pytest.mark.parametrize(
    ("before", "outcome", "message_id", "after"),
    [
        ("intended", "accepted", "a", "accepted"),
        ("intended", "held", "a", "held"),
        ("intended", "refused", None, "refused"),
        ("intended", "unknown", None, "unknown"),
        ("unknown", "accepted", "a", "accepted"),
        ("refused", "accepted", "a", "accepted"),  # settled by hand too early
        ("accepted", "held", "a", "held"),
        ("accepted", "unknown", None, "accepted"),  # a status was faster than the end of the connection
        ("accepted", "refused", None, "accepted"),
        ("held", "refused", None, "held"),
        ("held", "unknown", None, "held"),
    ],
)
def test_an_outcome_is_written_unless_more_is_known(store, before, outcome, message_id, after):
    record(store, intent(State(before)))
    store.ledger.conclude("intent", State(outcome), message_id, "why")
    reason = "why" if outcome == after else None
    assert find(store) == replace(intent(State(after)), message_id=message_id, reason=reason)


def test_an_outcome_without_a_message_id_keeps_the_one_that_is_known(store):
    record(store, replace(intent(), message_id="a"))
    store.ledger.conclude("intent", State.UNKNOWN, None, "why")
    assert find(store).message_id == "a"
    assert store.ledger.find(short_id("a")) == find(store)


def test_an_outcome_of_an_intent_that_nobody_wrote_changes_nothing(store):
    record(store, intent())
    store.ledger.conclude("another", State.ACCEPTED, "a", None)
    assert find(store) == intent()


def test_what_a_person_must_judge_is_listed_oldest_first(store):
    record(
        store,
        *(entry(None, id=state.value, state=state, at=float(at)) for at, state in enumerate(State)),
        entry(None, id="young", state=State.INTENDED, at=100.0),
        entry(None, id="elsewhere", state=State.UNKNOWN, at=50.0, dag_id="other"),
    )

    def listed(**filters: object) -> list[str]:
        return [one.id for one in store.ledger.unsettled(**{"older_than": 100.0, **filters})]

    assert listed() == ["intended", "unknown", "withheld", "elsewhere"]
    assert listed(older_than=101.0)[-1] == "young"
    assert listed(dag_ids=["other"]) == ["elsewhere"]
    assert listed(dag_ids=[]) == []


@pytest.mark.parametrize(("sent", "state"), [(True, State.ACCEPTED), (False, State.REFUSED)])
@pytest.mark.parametrize("before", [*NO_OUTCOME, State.WITHHELD])
def test_a_person_settles_one_message_once(store, before, sent, state):
    record(store, intent(before), entry(None, id="other", state=State.UNKNOWN))
    assert store.ledger.resolve("e", sent=sent, older_than=LATER)
    assert find(store).state is state
    assert "by hand" in (find(store).reason or "")
    assert [one.id for one in store.ledger.unsettled(older_than=LATER)] == ["other"]
    assert not store.ledger.resolve("e", sent=not sent, older_than=LATER)
    assert find(store).state is state


def test_what_is_being_sent_or_has_an_outcome_cannot_be_settled_by_hand(store):
    record(store, intent(at=100.0), entry("a"), entry(None, id="r", state=State.REFUSED))
    for name in ("e", "a", "r", "nobody"):
        assert not store.ledger.resolve(name, sent=True, older_than=100.0)
    assert find(store) == intent(at=100.0)


@pytest.mark.parametrize("status", ["sent", "failed"])
def test_a_message_failed_when_a_status_says_so(store, status):
    record(store, entry("a"), entry("b"))
    store.add([StatusEvent("a", status, failure=Failure(131026)), StatusEvent("a", "read")], 1.0)
    failed = [one.message_id for one in store.ledger.entries("scope") if one.failed]
    assert failed == (["a"] if status == "failed" else [])


def test_a_purge_keeps_what_a_user_has_named(store):
    record(store, entry("old", at=1.0), entry("named", at=1.0, kept=True), entry("new", at=9.0))
    assert store.purge(0.0, 5.0)["ledger"] == 1
    assert [one.id for one in store.ledger.entries("scope")] == ["named", "new"]


def test_the_file_holds_neither_number_nor_text(tmp_path):
    canary = "a canary that nobody else may read"
    with closing(Store(f"sqlite:///{tmp_path}/store.sqlite")) as store:
        scope, content = store.ledger.hash("task", NUMBER), store.ledger.hash("content", canary)
        row = entry("a", scope=scope, content=content, recipient_hash=store.ledger.hash("recipient", NUMBER))
        record(store, row)
        store.ledger.conclude("intent", State.ACCEPTED, "a", None)
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert scope.encode() in written
    for private in (NUMBER, NUMBER[2:], canary):
        assert private.encode() not in written


def test_a_hash_depends_on_the_store_and_on_nothing_else(url, store, tmp_path):
    parts = ("recipient", NUMBER, {"b": [1], "a": None}, "\ud800")
    with closing(Store(url)) as same, closing(Store(f"sqlite:///{tmp_path}/other.sqlite")) as other:
        assert same.ledger.hash(*parts) == store.ledger.hash(*parts)
        assert other.ledger.hash(*parts) != store.ledger.hash(*parts)
    assert store.ledger.hash("recipient", NUMBER) != store.ledger.hash("recipient", NUMBER[:-1])
    assert len(store.ledger.hash()) == 32


HASH = "import sys; from airflow_provider_d360.store import Store; print(Store(sys.argv[1], retry_seconds=60).ledger.hash())"


def test_processes_that_create_the_store_at_once_agree_on_its_secret(url):
    running = [Program("-c", HASH, url) for _ in range(4)]
    outputs = {program.end().stdout for program in running}
    assert len(outputs) == 1
    assert outputs != {""}


def test_threads_that_create_the_store_at_once_agree_on_its_secret(url):
    stores = [Store(url, retry_seconds=60.0) for _ in range(8)]
    hashes: list[str] = []
    threads = [
        threading.Thread(target=lambda store=store: hashes.append(store.ledger.hash())) for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hashes) == 8
    assert len(set(hashes)) == 1
    for store in stores:
        store.close()


def drop(store: Store, table: str) -> None:
    store._database.write(lambda connection: connection.execute(text(f"DROP TABLE {table}")))


def test_a_secret_that_was_dropped_is_written_again_by_whoever_knows_it(url, store, caplog):
    scope = store.ledger.hash("scope")
    record(store, entry("a", scope=scope))
    drop(store, "d360_secret")
    record(store, entry("b", scope=scope))
    assert "missing, and are made again, empty: d360_secret" in caplog.text
    with closing(Store(url)) as other:
        assert other.ledger.hash("scope") == scope


def test_a_secret_that_nobody_knows_any_more_is_replaced_and_that_is_logged(url, store, caplog):
    scope = store.ledger.hash("scope")
    drop(store, "d360_secret")
    with closing(Store(url)) as other:
        new = other.ledger.hash("scope")
        assert new != scope
        assert "missing, and are made again, empty: d360_secret" in caplog.text
        # Who hashed under the old secret would find nothing, and send again.
        with pytest.raises(StoreUnavailableError, match="replaced by another one"):
            record(store, entry("a", scope=scope))
        assert store.ledger.hash("scope") == new
        record(store, entry("a", scope=new))
        assert other.ledger.entries(new) != []


def test_a_ledger_that_was_dropped_is_made_again_empty_and_that_is_logged(store, caplog):
    record(store, entry("a"))
    drop(store, "d360_ledger")
    assert store.ledger.entries("scope") == []
    assert "missing, and are made again, empty: d360_ledger" in caplog.text
    record(store, entry("b"))
    assert [one.id for one in store.ledger.entries("scope")] == ["b"]

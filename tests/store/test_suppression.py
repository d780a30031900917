"""Who asked for no more messages: in whatever sequence their wishes come, the newest counts."""

from __future__ import annotations

import itertools
from contextlib import closing

import pytest
from sqlalchemy import event

from airflow_provider_d360.store import Scope, Store
from airflow_provider_d360.store.opt_outs import SUPPRESSIONS, Origin

NUMBER, OTHER = "4915123456789", "4915123456780"


def wish(store: Store, at: float, scope: Scope = Scope.MARKETING, *, active: bool = True) -> None:
    row = store.suppressions.row(NUMBER, Origin.PERSON, scope, "keyword", "STOP", at, active=active)
    store._database.write(lambda connection: store.suppressions.insert(connection, [row]))


def add(store: Store, *recipients: str, scope: Scope = Scope.ALL, at: float = 10.0) -> None:
    store.suppressions.add(recipients, scope=scope, source="cli", at=at, reason="by letter")


def found(store: Store) -> list[str]:
    """Return which messages this person does not get."""
    kinds = {"marketing": True, "other": False}
    return [
        kind for kind, marketing in kinds.items() if store.suppressions.find([NUMBER], marketing=marketing)
    ]


def test_an_opt_out_is_kept_whole(store):
    add(store, NUMBER)
    [kept] = store.suppressions.all()
    assert (kept.recipient, kept.scope, kept.origin, kept.source) == (NUMBER, Scope.ALL, Origin.OWN, "cli")
    assert (kept.reason, kept.at, kept.person) == ("by letter", 10.0, store.suppressions.key(NUMBER))
    assert NUMBER not in repr(kept)


def test_the_key_is_that_of_the_ledger(store):
    assert store.suppressions.key(NUMBER) == store.ledger.hash("recipient", NUMBER)


def test_both_numbers_of_a_person_are_one_person(store):
    add(store, "551161234567")
    assert list(store.suppressions.find(["5511961234567"], marketing=False)) == ["5511961234567"]


def test_an_opt_out_of_marketing_leaves_other_messages(store):
    add(store, NUMBER, scope=Scope.MARKETING)
    assert found(store) == ["marketing"]
    assert store.suppressions.find([OTHER], marketing=True) == {}


def test_a_narrower_opt_out_does_not_narrow_a_wider_one(store):
    add(store, NUMBER, scope=Scope.ALL)
    add(store, NUMBER, scope=Scope.MARKETING)
    assert found(store) == ["marketing", "other"]


def test_the_wider_one_of_two_origins_counts(store):
    wish(store, 1.0)
    add(store, NUMBER, scope=Scope.ALL)
    assert store.suppressions.find([NUMBER], marketing=True)[NUMBER].scope is Scope.ALL


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_wish_counts_in_any_sequence(store, order):
    wishes = [(1.0, True), (2.0, False), (3.0, True)]
    for i in order:
        wish(store, wishes[i][0], active=wishes[i][1])
    assert found(store) == ["marketing"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_a_late_copy_of_a_stop_does_not_undo_a_start(store, order):
    wishes = [(1.0, True), (2.0, False)]
    for i in (*order, 0):
        wish(store, wishes[i][0], active=wishes[i][1])
    assert found(store) == []


def test_a_stop_and_a_start_in_one_second_are_a_stop(store):
    wish(store, 1.0)
    wish(store, 1.0, active=False)
    assert found(store) == ["marketing"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_a_wish_for_marketing_does_not_lift_an_opt_out_of_everything(store, order):
    wishes = [(1.0, Scope.ALL, True), (2.0, Scope.MARKETING, False)]
    for i in order:
        at, scope, active = wishes[i]
        wish(store, at, scope, active=active)
    assert found(store) == ["marketing", "other"]


def test_what_a_person_sends_does_not_lift_what_we_decided(store):
    add(store, NUMBER, at=1.0)
    wish(store, 2.0, Scope.ALL, active=False)
    assert found(store) == ["marketing", "other"]


def test_removing_lifts_both_and_forgets_the_number(store):
    add(store, NUMBER, OTHER, at=99.0)
    wish(store, 98.0)
    assert store.suppressions.remove([NUMBER, "4930123456"], source="cli", at=50.0) == 1
    assert found(store) == []
    assert [one.recipient for one in store.suppressions.all()] == [OTHER]
    rows = store._database.read(lambda connection: connection.execute(SUPPRESSIONS.select()).all())
    assert [row.recipient for row in rows if not row.active] == [None, None]


def test_a_number_that_was_removed_stands_nowhere_in_the_file(tmp_path):
    with closing(Store(f"sqlite:///{tmp_path}/store.sqlite")) as store:
        add(store, NUMBER, OTHER)
        store.suppressions.remove([NUMBER], source="cli", at=20.0)
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert NUMBER.encode() not in content
    assert OTHER.encode() in content


def test_who_was_removed_can_be_added_again(store):
    add(store, NUMBER, at=10.0)
    store.suppressions.remove([NUMBER], source="cli", at=20.0)
    add(store, NUMBER, at=5.0)
    assert found(store) == ["marketing", "other"]


def test_a_late_copy_of_a_stop_does_not_undo_a_removal(store):
    wish(store, 1.0)
    store.suppressions.remove([NUMBER], source="cli", at=2.0)
    wish(store, 1.0)
    assert found(store) == []
    wish(store, 3.0)
    assert found(store) == ["marketing"]


def test_a_purge_leaves_opt_outs_and_deletes_what_was_lifted(store):
    add(store, NUMBER, OTHER, at=1.0)
    store.suppressions.remove([OTHER], source="cli", at=2.0)
    assert store.suppressions.purge(older_than=1e9, now=2e9) == 1
    assert [one.recipient for one in store.suppressions.all()] == [NUMBER]


def test_thousands_are_looked_up_in_one_query(store):
    numbers = [str(4915100000000 + i) for i in range(5_000)]
    add(store, *numbers[::2], numbers[0])
    assert len(list(store.suppressions.all())) == 2_500
    statements: list[str] = []
    engine = store._database._engine
    assert engine is not None
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert list(store.suppressions.find(numbers, marketing=False)) == numbers[::2]
    assert len([one for one in statements if "d360_suppressions" in one]) == 1


def test_nobody_is_found_without_a_question(store):
    assert store.suppressions.find([], marketing=True) == {}
    add(store)
    assert store.suppressions.remove([], source="cli", at=1.0) == 0


def test_a_text_that_no_database_takes_is_corrected(store):
    store.suppressions.add([NUMBER], scope=Scope.ALL, source="cli", at=1.0, reason="a\0b" + 600 * "x")
    [kept] = store.suppressions.all()
    assert kept.reason is not None
    assert kept.reason.startswith("a\N{REPLACEMENT CHARACTER}b")
    assert len(kept.reason) == 512

"""Leased moments are used in their sequence, and lost when they have passed."""

from __future__ import annotations

from airflow_provider_d360.sending.turns import Turns
from airflow_provider_d360.store.rate_leases import Lease


def lease(*moments: float, free_at: float = 99.0) -> Lease:
    return Lease(moments, lateness_seconds=0.05, free_at=free_at, messages_per_second=10.0)


def test_each_moment_is_taken_once_and_in_sequence():
    turns = Turns()
    turns.add(lease(1.0, 1.1))
    turns.add(lease(1.2))
    assert [turns.take(0.9), turns.take(1.1), turns.take(1.1)] == [
        (1.0, 1.05),
        (1.1, 1.15000000000000013),
        (1.2, 1.25),
    ]
    assert turns.take(1.1) is None


def test_a_moment_that_has_passed_is_lost():
    turns = Turns()
    turns.add(lease(1.0, 1.1, 1.2))
    turn = turns.take(1.16)
    assert turn is not None
    assert turn.at == 1.2


def test_no_moment_is_lost_where_two_leases_overlap():
    turns = Turns()
    turns.add(lease(1.0, 1.2, 1.4))
    turns.add(lease(1.1, 1.3))
    taken = [turns.take(now) for now in (1.0, 1.1, 1.2, 1.3, 1.4)]
    assert [turn and turn.at for turn in taken] == [1.0, 1.1, 1.2, 1.3, 1.4]


def test_the_next_lease_is_fetched_before_the_last_moment():
    turns = Turns()
    assert turns.lease_at(5.0) == 5.0
    turns.add(lease(6.0, 7.0))
    assert turns.lease_at(5.0) == 6.75


def test_without_a_moment_the_next_lease_is_fetched_when_one_can_begin():
    turns = Turns()
    turns.add(lease(free_at=9.0))
    assert turns.take(5.0) is None
    assert turns.lease_at(5.0) == 8.75
    turns.add(lease(9.0))
    assert turns.lease_at(9.0) == 8.75

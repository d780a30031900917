"""The tables of campaigns: who has which rows, what a status proves, and what fences a sender off."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import update

from airflow_provider_d360.api.events import Failure, StatusEvent
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.campaign_rows import Outcome, Part, RowState, intent_of
from airflow_provider_d360.store.campaign_senders import Lease, SupersededError
from airflow_provider_d360.store.campaigns import CAMPAIGNS, Campaign, ReplacedError

LONG = 1e6  # seconds


def campaign(campaign_id: str = "spring", content: str = "content", category: str | None = None) -> Campaign:
    return Campaign(
        0,
        campaign_id,
        "d360_default",
        "dag",
        "run",
        "task",
        False,
        {"type": "text"},
        content,
        category=category,
    )


def row(key: int, number: int, person: str | None = None, **values: object) -> dict[str, object]:
    names = ("label", "zone", "epoch", "due_at", "at", "message_id", "code", "reason")
    fixed = {"campaign": key, "number": number, "person": person or f"p{number}", "recipient": "49…89"}
    fixed |= {"payload": f'["4915100{number:06}",{{}}]', "state": "planned", "attempts": 0}
    return dict.fromkeys(names) | fixed | values


def planned(store: Store, count: int, campaign_id: str = "spring", **values: object) -> int:
    key = store.campaigns.begin(campaign(campaign_id, category="MARKETING")).key
    store.campaigns.add(key, [row(key, number, **values) for number in range(1, count + 1)])
    store.campaigns.finish(key, "audience", {}, {})
    return key


def take(store: Store, key: int, owner: str = "me", lease_seconds: float = LONG, **part: int) -> Lease:
    lease = store.campaign_senders.take(Part(key, **part), owner, lease_seconds)
    assert lease is not None
    return lease


def claim(
    store: Store, lease: Lease, limit: int = 100, after: int = -1, zones: tuple[int, ...] = ()
) -> list[int]:
    return [one.number for one in store.campaign_senders.claim(lease, after, limit, time.time(), zones)]


def counts(store: Store, key: int) -> dict[str, int]:
    return {state.value: count for state, count in store.campaign_results.counts(key).items()}


def status(
    key: int, number: int, name: str, epoch: int = 1, message_id: str | None = None, code: int | None = None
) -> StatusEvent:
    failure = None if code is None else Failure(code, "Something", "")
    return StatusEvent(
        message_id or f"wamid.{number}",
        name,
        time.time(),
        "4915100000001",
        None,
        intent_of(key, number, epoch),
        failure,
    )


def test_rows_are_claimed_once_however_many_threads_and_connections_claim(url):
    stores = [Store(url, retry_seconds=60.0) for _ in range(2)]
    key = planned(stores[0], 400)
    lease = take(stores[0], key)
    claimed: list[int] = []

    def send(number: int) -> None:
        while numbers := claim(stores[number % 2], lease, limit=7):
            claimed.extend(numbers)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert sorted(claimed) == list(range(1, 401))


def test_while_somebody_sends_nobody_else_does(store):
    key = planned(store, 3)
    lease = take(store, key)
    assert store.campaign_senders.take(lease.part, "other", LONG) is None
    store.campaign_senders.release(lease)
    assert take(store, key, "other").epoch == lease.epoch + 1


def test_shards_have_an_owner_each(store):
    key = planned(store, 9)
    leases = [take(store, key, f"owner {shard}", shard=shard, shards=3) for shard in range(3)]
    assert [claim(store, lease) for lease in leases] == [[3, 6, 9], [1, 4, 7], [2, 5, 8]]


def test_what_a_dead_sender_had_claimed_becomes_unknown_and_is_claimed_by_nobody(store):
    key = planned(store, 5)
    dead = take(store, key, "dead", shard=0, shards=2)
    alive = take(store, key, "alive", shard=1, shards=2)
    assert claim(store, dead) == [2, 4]
    assert claim(store, alive, limit=1) == [1]
    store._database.write(
        lambda connection: (
            connection.exec_driver_sql(
                "UPDATE d360_campaign_senders SET beat_at = 0 WHERE shard = '0/2'"
            ).rowcount
        )
    )
    next_one = take(store, key, "next", shard=0, shards=2)
    assert counts(store, key) == {"unknown": 2, "intended": 1, "planned": 2}
    assert claim(store, next_one) == []


def test_a_sender_that_was_replaced_can_neither_beat_nor_claim(store):
    key = planned(store, 5)
    old = take(store, key, "old")
    take(store, key, "new", lease_seconds=-1.0)
    with pytest.raises(SupersededError):
        store.campaign_senders.beat(old, None)
    with pytest.raises(SupersededError):
        claim(store, old)


def test_a_store_that_was_restored_from_a_copy_is_noticed(store):
    key = planned(store, 5)
    lease = take(store, key)
    beat = store.campaign_senders.beat(lease, None)
    store._database.write(
        lambda connection: (
            connection.exec_driver_sql("UPDATE d360_campaign_senders SET beat_at = beat_at - 60").rowcount
        )
    )
    with pytest.raises(SupersededError):
        store.campaign_senders.beat(lease, beat.at)


def test_outcomes_are_written_also_by_a_sender_that_was_replaced(store):
    key = planned(store, 2)
    old = take(store, key, "old")
    claim(store, old)
    take(store, key, "new", lease_seconds=-1.0)
    store.campaign_senders.conclude(old, [Outcome(1, RowState.ACCEPTED, "wamid.1")])
    assert counts(store, key) == {"accepted": 1, "unknown": 1}


@pytest.mark.parametrize("state", [RowState.UNKNOWN, RowState.REFUSED, RowState.PLANNED])
def test_what_a_status_has_proved_stays(store, state):
    key = planned(store, 1)
    lease = take(store, key)
    claim(store, lease)
    store.add([status(key, 1, "sent", lease.epoch)], time.time())
    store.campaign_senders.conclude(lease, [Outcome(1, state)])
    assert counts(store, key) == {"accepted": 1}


@pytest.mark.parametrize("state", [RowState.UNKNOWN, RowState.PLANNED, RowState.INTENDED])
def test_a_status_proves_that_a_message_was_accepted_whatever_was_known(store, state):
    key = planned(store, 2)
    lease = take(store, key)
    claim(store, lease)
    store.campaign_senders.conclude(lease, [Outcome(1, state), Outcome(2, state)])
    store.add([status(key, 1, "delivered"), status(key + 1, 2, "delivered")], time.time())
    assert counts(store, key) == {"accepted": 1, state.value: 1}


@pytest.mark.parametrize(
    "intent",
    ["campaign.1", "campaign.1.x.1", f"campaign.1.{2**31}.1", "", "campaign." + "9" * 40 + ".1.1", "0" * 32],
)
def test_intents_of_others_settle_nothing(store, intent):
    event = StatusEvent("wamid.1", "sent", 1.0, None, None, intent or None, None)
    store.add([event], time.time())
    assert store.count()["statuses"] == 1


def test_payloads_stay_as_long_as_a_row_may_be_sent_or_judged(store):
    key = planned(store, 6)
    lease = take(store, key)
    claim(store, lease)
    states = [
        RowState.ACCEPTED,
        RowState.HELD,
        RowState.REFUSED,
        RowState.UNKNOWN,
        RowState.POSTPONED,
        RowState.PLANNED,
    ]
    store.campaign_senders.conclude(lease, [Outcome(number, state) for number, state in enumerate(states, 1)])
    query = "SELECT state FROM d360_campaign_rows WHERE payload IS NOT NULL"
    kept = store._database.read(lambda connection: connection.exec_driver_sql(query).scalars().all())
    assert set(kept) == {"unknown", "postponed", "planned"}


def test_postponed_rows_are_claimed_at_their_time(store):
    key = planned(store, 2)
    lease = take(store, key)
    claim(store, lease)
    now = time.time()
    store.campaign_senders.conclude(
        lease,
        [Outcome(1, RowState.POSTPONED, due_at=now - 1), Outcome(2, RowState.POSTPONED, due_at=now + 900)],
    )
    assert store.campaign_senders.next_due(lease) == [(None, pytest.approx(now - 1))]
    assert claim(store, lease) == [1]
    assert store.campaign_senders.next_due(lease) == [(None, pytest.approx(now + 900))]


def test_rows_outside_of_their_window_are_left(store):
    key = store.campaigns.begin(campaign()).key
    store.campaigns.add(key, [row(key, 1, zone=0), row(key, 2, zone=1), row(key, 3)])
    store.campaigns.finish(key, "audience", {}, {})
    lease = take(store, key)
    assert claim(store, lease, zones=(1,)) == [2, 3]
    assert store.campaign_senders.next_due(lease) == [(0, None)]


def test_senders_share_the_rate_that_somebody_asked_for(store):
    key = planned(store, 9)
    store.campaigns.signal("spring", "run", None, 6.0)
    leases = [take(store, key, f"owner {shard}", shard=shard, shards=3) for shard in range(3)]
    assert [store.campaign_senders.beat(lease, None).rate for lease in leases] == [2.0, 2.0, 2.0]
    store.campaign_senders.release(leases[0])
    store._database.write(
        lambda connection: (
            connection.exec_driver_sql(
                "UPDATE d360_campaign_senders SET beat_at = 0 WHERE shard = '1/3'"
            ).rowcount
        )
    )
    assert store.campaign_senders.beat(leases[2], None).rate == 6.0


def test_a_heartbeat_reads_the_signal_and_new_failures_of_this_campaign(store):
    key, other = planned(store, 3), planned(store, 3, "other")
    lease = take(store, key)
    store.campaigns.signal("spring", "pause", "lunch", 5.0)
    store.add(
        [
            status(key, 1, "failed", code=132015),
            status(key, 2, "sent"),
            status(other, 3, "failed", code=132015),
        ],
        time.time(),
    )
    beat = store.campaign_senders.beat(lease, None)
    assert (beat.signal, beat.reason, beat.rate) == ("pause", "lunch", 5.0)
    assert [(one.message_id, one.error_code) for one in beat.failed] == [("wamid.1", 132015)]


def test_failures_from_before_a_resume_do_not_count_again(store):
    key = planned(store, 3)
    lease = take(store, key)
    store.add([status(key, 1, "failed", code=132015)], time.time() - 5)
    store.campaigns.signal("spring", "run", None)
    assert store.campaign_senders.beat(lease, None).failed == ()


def test_a_campaign_has_one_planner(store):
    first = store.campaigns.begin(campaign()).key
    store.campaigns.add(first, [row(first, 1)])
    second = store.campaigns.begin(campaign()).key
    with pytest.raises(ReplacedError):
        store.campaigns.add(first, [row(first, 2)])
    with pytest.raises(ReplacedError):
        store.campaigns.finish(first, "audience", {}, {})
    store.campaigns.add(second, [row(second, 1)])
    store.campaigns.finish(second, "audience", {}, {})
    assert counts(store, first) == {}
    assert store.campaigns.begin(campaign()).key == second


def test_a_planned_campaign_is_not_discarded(store):
    key = planned(store, 1)
    store.campaigns.discard(key)
    assert counts(store, key) == {"planned": 1}


def test_the_first_people_are_the_same_ones_for_everybody(store):
    key = store.campaigns.begin(campaign()).key
    states = ["planned", "suppressed", "planned", "skipped", "planned"]
    store.campaigns.add(key, [row(key, number, state=state) for number, state in enumerate(states, 1)])
    store.campaigns.finish(key, "audience", {}, {})
    assert [store.campaign_results.end_of_first(key, limit) for limit in range(5)] == [1, 3, 5, None, None]


def test_who_was_reached_by_marketing_is_known(store):
    key = planned(store, 4)
    lease = take(store, key)
    assert claim(store, lease, limit=3) == [1, 2, 3]
    store.campaign_senders.conclude(
        lease, [Outcome(1, RowState.ACCEPTED, "wamid.1"), Outcome(2, RowState.REFUSED)]
    )
    people = ["p1", "p2", "p3", "p4", "p5"]
    assert store.campaign_results.reached(people, time.time() - 60) == {"p1", "p3"}
    assert store.campaign_results.reached(people, time.time() + 60) == set()


def test_totals_and_people_join_the_statuses(store):
    key = planned(store, 5)
    lease = take(store, key)
    claim(store, lease, limit=4)
    accepted = [Outcome(number, RowState.ACCEPTED, f"wamid.{number}") for number in (1, 2)]
    store.campaign_senders.conclude(
        lease, [*accepted, Outcome(3, RowState.REFUSED, code=131026, reason="no")]
    )
    store.add(
        [
            status(key, 1, "sent"),
            status(key, 1, "delivered"),
            status(key, 2, "sent"),
            status(key, 2, "failed", code=131049),
        ],
        time.time(),
    )
    assert [(one.number, one.current, one.code) for one in store.campaign_results.people(key)] == [
        (4, "unknown", None),
        (1, "delivered", None),
        (2, "failed", 131049),
        (3, "refused", 131026),
        (5, "planned", None),
    ]
    totals = {(one.current, one.code): one.count for one in store.campaign_results.totals(key)}
    assert totals == {
        ("unknown", None): 1,
        ("delivered", None): 1,
        ("failed", 131049): 1,
        ("refused", 131026): 1,
        ("planned", None): 1,
    }


def test_a_purge_deletes_old_campaigns_with_their_rows(store):
    key = planned(store, 3)
    new = planned(store, 2, "new")
    statement = update(CAMPAIGNS).where(CAMPAIGNS.c.key == key).values(at=1000.0)
    store._database.write(lambda connection: connection.execute(statement).rowcount)
    assert store.purge(2000.0, 2000.0)["campaigns"] == 1
    assert (counts(store, key), counts(store, new)) == ({}, {"planned": 2})

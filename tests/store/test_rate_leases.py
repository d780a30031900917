"""One limit for all processes of a number: leases in the store."""

from __future__ import annotations

import itertools
import time

import pytest

from airflow_provider_d360.emulator import Emulator, EmulatorServer
from airflow_provider_d360.store import Store, StoreUnavailableError, rate_leases
from airflow_provider_d360.store.rate_leases import ClockReading, Lease
from airflow_provider_d360.store.timelines import LATENESS_SECONDS
from tests.programs import Program
from tests.store.test_timelines import most_in_a_second


def lease(store: Store, want: int = 1, holder: str = "", number: str = "one", **more: float) -> Lease:
    return store.rate_leases.lease(
        number, messages_per_second=84.0, incoming_share=0.0, want=want, holder=holder, **more
    )


def test_leases_of_several_processes_do_not_overlap(url):
    stores = [Store(url), Store(url)]
    before = time.monotonic()
    leases = [lease(stores[i % 2], want=7, within_seconds=60.0) for i in range(6)]
    for store in stores:
        store.close()
    moments = sorted(moment for one in leases for moment in one.moments)
    # Each process knows the difference of the clocks up to what shortens its time to be late.
    uncertain = max(LATENESS_SECONDS - one.lateness_seconds for one in leases)
    assert len(moments) == 42
    assert min(later - earlier for earlier, later in itertools.pairwise(moments)) >= 1 / 80 - uncertain - 1e-6
    assert moments[-1] - moments[0] >= 41 / 80 - uncertain - 1e-6
    assert moments[0] >= before


def test_numbers_do_not_wait_for_each_other(store):
    first = lease(store, want=80, holder="task")
    other = lease(store, want=80, holder="task", number="other")
    assert abs(first.moments[0] - other.moments[0]) < first.moments[-1] - first.moments[0]


def test_who_finds_everything_leased_is_told_when_to_come_again(store):
    lease(store, want=80, holder="task")
    again = lease(store, want=80, holder="task", within_seconds=0.0)
    assert again.moments == ()
    assert again.free_at > time.monotonic()


def test_a_slower_number_is_slower_for_all_processes(url):
    stores = [Store(url), Store(url)]
    assert lease(stores[0]).messages_per_second == pytest.approx(80.0)
    assert stores[0].rate_leases.slow_down("one") == 0.5
    assert stores[1].rate_leases.slow_down("one") == 0.5
    assert lease(stores[1]).messages_per_second == pytest.approx(40.0)
    assert lease(stores[1], number="other").messages_per_second == pytest.approx(80.0)
    for store in stores:
        store.close()


def test_a_number_is_named_by_its_key_and_holds_no_key(store):
    name = store.rate_leases.key("https://example.com", "secret")
    assert "secret" not in name
    assert name == store.rate_leases.key("https://example.com", "secret")
    assert name != store.rate_leases.key("https://example.com", "other")


def test_a_store_whose_clock_cannot_be_read_precisely_is_an_error(store, monkeypatch):
    monkeypatch.setattr(
        rate_leases, "_read_clock", lambda connection: ClockReading(100.0, 100.045, time.monotonic())
    )
    with pytest.raises(StoreUnavailableError, match="clock"):
        lease(store)


def test_one_slow_reading_of_the_clock_is_no_error(store, monkeypatch):
    readings = [
        ClockReading(100.0, 100.3, 1.0),
        ClockReading(99.9, 100.2, 1.1),
        ClockReading(100.1, 100.11, 1.2),
    ]
    monkeypatch.setattr(rate_leases, "_read_clock", lambda connection: readings.pop(0))
    assert lease(store).lateness_seconds == pytest.approx(LATENESS_SECONDS - 0.01, abs=1e-4)


def test_what_stays_uncertain_of_the_clock_shortens_the_time_to_be_late(store, monkeypatch):
    monkeypatch.setattr(
        rate_leases, "_read_clock", lambda connection: ClockReading(100.0, 100.02, time.monotonic())
    )
    assert lease(store).lateness_seconds == pytest.approx(LATENESS_SECONDS - 0.02)


def test_readings_of_the_clock_narrow_each_other():
    assert ClockReading(10.0, 10.05, 1.0).narrowed(ClockReading(9.98, 10.01, 1.0)) == ClockReading(
        10.0, 10.01, 1.0
    )


@pytest.mark.parametrize(
    "before",
    [None, ClockReading(10.02, 10.03, -60.0), ClockReading(7.0, 7.01, 1.0), ClockReading(12.0, 12.01, 1.0)],
)
def test_an_old_reading_and_one_of_another_clock_do_not_count(before):
    now = ClockReading(10.0, 10.05, 1.0)
    assert now.narrowed(before) == now


def test_clocks_that_drift_are_followed():
    reading = ClockReading(0.0, 0.001, 0.0)
    for i in range(1, 1000):
        true = i * 5e-5
        reading = ClockReading(true - 0.004, true + 0.004, float(i)).narrowed(reading)
        assert reading.least <= true <= reading.most


def test_processes_with_different_clocks_never_send_too_many_together(url):
    skews = (0.0, 5000.0, -300.0, 0.7)
    with EmulatorServer(Emulator(statuses=())) as server:
        senders = [
            Program("-m", "tests.store.leasing", url, server.url, f"task {i}", "60", str(skew))
            for i, skew in enumerate(skews)
        ]
        assert [sender.end(120).returncode for sender in senders] == [0, 0, 0, 0]
        moments = [float(sent.body["biz_opaque_callback_data"]) for sent in server.emulator.sent]
    assert len(moments) == 4 * 60
    assert most_in_a_second(moments) <= 72


def test_a_commit_that_takes_longer_than_a_message_may_be_late_is_allowed_for(store, monkeypatch):
    write = store._database.write

    def slow_write(work):
        result = write(work)
        time.sleep(0.2)
        return result

    monkeypatch.setattr(store._database, "write", slow_write)
    lease(store)
    again = lease(store)
    assert again.moments[0] + again.lateness_seconds > time.monotonic()

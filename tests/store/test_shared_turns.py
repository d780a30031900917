"""Each message of every process takes a turn of its number from the store that they share."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import replace

import pytest

from airflow_provider_d360.api.errors import D360RateLimitError
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer
from airflow_provider_d360.sending import rates
from airflow_provider_d360.sending.flows import send
from airflow_provider_d360.sending.sender import Sender
from airflow_provider_d360.sending.turns import Turns
from airflow_provider_d360.store import Store, StoreError
from airflow_provider_d360.store.ledger import Ledger
from airflow_provider_d360.transport.client import Transport
from airflow_provider_d360.transport.flows import Flow, Pause, Work
from airflow_provider_d360.transport.settings import ConnectionSettings
from tests.store.postgres import Postgres
from tests.store.test_timelines import most_in_a_second

SETTINGS = ConnectionSettings(
    CLOUD, CLOUD_KEY, "http://127.0.0.1:1", messages_per_second=100.0, incoming_share=0.0
)


@pytest.fixture(autouse=True)
def _no_history(monkeypatch):
    monkeypatch.setattr(rates, "_limiters", {})
    monkeypatch.setattr(rates, "_shared", {})


def wait(store: Store, recipient: str = "1", settings: ConnectionSettings = SETTINGS) -> None:
    """Wait for a turn as a driver does."""
    flow = rates.wait_for_turn(settings, recipient, store.rate_leases)
    step = next(flow)
    with suppress(StopIteration):
        while True:
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                step = flow.send(None)
                continue
            assert isinstance(step, Work)
            try:
                result = step.run()
            except StoreError as error:
                step = flow.throw(error)
            else:
                step = flow.send(result)


def test_turns_of_several_processes_fill_no_second(url, monkeypatch):
    stores: list[Store] = [Store(url), Store(url)]
    shared: list[dict[str, object]] = [{}, {}]
    moments: list[float] = []
    monkeypatch.setattr(rates._SharedTurns, "use", lambda self, now: moments.append(now))
    settings = replace(SETTINGS, messages_per_second=20.0)
    for i in range(50):
        monkeypatch.setattr(rates, "_limiters", {})
        monkeypatch.setattr(rates, "_shared", shared[i % 2])  # each process has its own
        wait(stores[i % 2], str(i), settings)
    for store in stores:
        store.close()
    assert len(moments) == 50
    assert most_in_a_second(moments) <= 20


def test_who_sends_much_leases_as_much_as_the_last_second_took():
    shared = rates._SharedTurns()
    assert shared.want(10.0) == 1
    for i in range(30):
        shared.use(10.0 + i / 100)
    assert shared.want(10.5) == 30
    assert shared.want(11.105) == 19
    assert shared.want(20.0) == 1


def test_a_turn_that_is_too_far_away_is_an_error_that_knows_how_long(store):
    settings = replace(SETTINGS, messages_per_second=0.01)
    wait(store, settings=settings)
    rates._limiters.clear()  # another process
    with pytest.raises(D360RateLimitError) as caught:
        wait(store, settings=settings)
    assert 60 < (caught.value.detail.retry_after_seconds or 0) <= 110


def test_a_store_that_is_always_too_late_is_an_error_and_no_endless_loop(store, monkeypatch):
    lease = store.rate_leases.lease
    monkeypatch.setattr(
        store.rate_leases,
        "lease",
        lambda *arguments, **more: replace(lease(*arguments, **more), lateness_seconds=-9.0),
    )
    monkeypatch.setattr(Turns, "take", lambda self, now: self._turns.popleft() if self._turns else None)
    with pytest.raises(D360RateLimitError, match=r"too slow|as much as WhatsApp accepts"):
        wait(store, settings=replace(SETTINGS, budget_seconds=0.3))


def test_without_a_readable_table_the_ledger_decides(tmp_path):
    file = tmp_path / "store.sqlite"
    with closing(Store(f"sqlite:///{file}")) as store:
        store.count()
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("ALTER TABLE d360_rates RENAME COLUMN timeline TO other")
        wait(store)


def test_machines_that_share_a_store_share_the_limit_and_processes_with_a_file_do_not(url, store):
    assert (store.ledger.rate_leases is None) == url.startswith("sqlite")
    assert store.rate_leases is not None


def test_a_send_with_a_shared_store_takes_a_turn(postgres: Postgres):
    def find_ledger() -> Flow[Ledger | None]:
        yield Pause(0.0)
        return store.ledger

    with closing(Store(postgres.new_schema())) as store, EmulatorServer(Emulator(statuses=())) as server:
        settings = replace(SETTINGS, base_url=server.url)
        transport = Transport(settings)
        for i in range(3):
            sender = Sender("d360_default", find_ledger)
            transport.run(send(settings, f"4915112345{i:03}", "Hello", sender=sender))
        number = store.rate_leases.key(server.url, CLOUD_KEY)
        assert rates._shared[number].want(time.monotonic()) >= 1
        timeline = store._database.read(
            lambda connection: connection.exec_driver_sql("SELECT number, timeline FROM d360_rates").one()
        )
    assert timeline.number == number
    assert len(server.emulator.sent) == 3

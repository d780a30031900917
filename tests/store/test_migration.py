"""A store of before the ledger becomes one with it, while processes of the old code write, and loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, select, text

from airflow_provider_d360.store import State, Store, StoreUnavailableError
from airflow_provider_d360.store.engines import with_driver
from airflow_provider_d360.store.entries import LEDGER, OldSender
from tests.store import old_code
from tests.store.entries import counts

STATUSES_OF_EACH = ("sent", "delivered", "read")


def wait_until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "size", [pytest.param(3_000, id="small"), pytest.param(300_000, id="whole", marks=pytest.mark.attack)]
)
def test_a_migration_under_load_loses_nothing_and_stops_old_processes(url, size):
    rows = [old_code.outbox_row(number) for number in range(size)]
    old_code.fill(url, rows, STATUSES_OF_EACH)
    with old_code.OldSender(url) as sender, old_code.OldReceiver(url) as receiver:
        wait_until(lambda: len(receiver.committed) > 50 and len(sender.committed) > 20)
        with closing(Store(url, retry_seconds=300.0)) as store:
            began = time.monotonic()
            store.ledger.entries("any")
            took = time.monotonic() - began
        for writer in (sender, receiver):  # each misses its table, and stops
            writer.join(60)
            assert not writer.is_alive()
    with closing(Store(url)) as store:
        assert receiver.committed - store.statuses.current(receiver.committed).keys() == set()
        columns = [LEDGER.c[name] for name in old_code.OUTBOX]
        kept = store._database.read(lambda c: set(map(tuple, c.execute(select(*columns)).all())))
        assert {tuple(row.values()) for row in rows} - kept == set()
        assert sender.committed - {row[0] for row in kept} == set()
        count = store.count()
        assert count["ledger"] == len(kept)
        assert count["statuses"] == 3 * size + len(receiver.committed)
        assert store.messages.counts(since=0.0) == {"read": size, "accepted": count["ledger"] - size}
    print(  # noqa: T201 - the figures of `make attack`
        f"{make_url(url).get_backend_name()}: {size} messages and {3 * size} statuses migrated in {took:.1f} s; "
        f"{len(receiver.committed)} statuses and {len(sender.committed)} messages committed by old processes; "
        f"{_size(url) / 1e6:.0f} MB"
    )


def _size(url: str) -> int:
    if url.startswith("sqlite"):
        return sum(
            file.stat().st_size for file in Path(str(make_url(url).database)).parent.glob("store.sqlite*")
        )
    engine = create_engine(with_driver(make_url(url)))
    tables = text(
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname LIKE 'd360_%' AND relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    )
    with engine.connect() as connection:
        return int(connection.execute(tables).scalar_one())


@pytest.mark.parametrize("table", ["outbox", "statuses"])
def test_what_an_old_process_commits_while_the_migration_begins_is_kept(url, table):
    old_code.fill(url, [old_code.outbox_row(1)], ["sent"])
    columns = ", ".join(old_code.OUTBOX)
    values = columns.replace("message_id", "'late'")
    late = {
        "outbox": f"INSERT INTO d360_outbox ({columns}) SELECT {values} FROM d360_outbox",  # noqa: S608
        "statuses": "INSERT INTO d360_statuses (message_id, status, rank, received_at, on_premise) "
        "SELECT 'late', status, rank, 1, on_premise FROM d360_statuses",
    }[table]
    engine = create_engine(with_driver(make_url(url)))
    with closing(Store(url, retry_seconds=60.0)) as store, engine.connect() as old_process:
        old_process.execute(text(late))
        migration = threading.Thread(target=store.count)
        migration.start()
        migration.join(0.5)  # by now, it waits
        old_process.commit()
        migration.join()
        assert store.count() == counts(
            statuses=2 if table == "statuses" else 1, ledger=2 if table == "outbox" else 1
        )
    engine.dispose()


def test_a_migration_gives_up_behind_somebody_who_reads_the_tables_for_hours(postgres, monkeypatch):
    monkeypatch.setattr("airflow_provider_d360.store.migrations.m0004_ledger._LOCK_TIMEOUT", "100ms")
    url = postgres.new_database()
    old_code.fill(url, [old_code.outbox_row(1)])
    engine = create_engine(with_driver(make_url(url)))
    with closing(Store(url, retry_seconds=0.1)) as store:
        with engine.connect() as dump:
            dump.execute(text("SELECT count(*) FROM d360_outbox"))
            with pytest.raises(StoreUnavailableError, match="lock timeout"):
                store.count()
        assert store.count()["ledger"] == 1
    engine.dispose()


@pytest.fixture
def migrated(url) -> Iterator[Store]:
    """Open a store that has nothing yet; what a test writes before its first use is from older code."""
    with closing(Store(url)) as store:
        yield store


def test_old_rows_are_found_by_task_and_masked_recipient_and_by_nothing_less(url, migrated):
    row = old_code.outbox_row(1, dag_id="dag", run_id="run", task_id="task", map_index=3, recipient="49…78")
    old_code.fill(url, [row])
    sender = OldSender("dag", "run", "task", 3, "49…78")
    [found] = migrated.ledger.entries("scope", sender)
    assert (found.message_id, found.state, found.scope, found.content) == (
        "wamid.1",
        State.ACCEPTED,
        None,
        None,
    )
    for other in (("x", "run", "task", 3, "49…78"), ("dag", "x", "task", 3, "49…78"),
                  ("dag", "run", "x", 3, "49…78"), ("dag", "run", "task", 4, "49…78"),
                  ("dag", "run", "task", 3, "49…79")):  # fmt: skip
        assert migrated.ledger.entries("scope", OldSender(*other)) == []
    assert migrated.ledger.entries("scope") == []


def test_an_old_row_that_was_claimed_belongs_to_its_scope_from_then_on(url, migrated):
    row = old_code.outbox_row(1, dag_id="dag", run_id="run", task_id="task", map_index=3, recipient="49…78")
    old_code.fill(url, [row])
    sender = OldSender("dag", "run", "task", 3, "49…78")
    migrated.ledger.change("scope", lambda entries: (None, entries), sender)
    assert [entry.message_id for entry in migrated.ledger.entries("scope")] == ["wamid.1"]
    assert migrated.ledger.entries("other", sender) == []


def test_a_status_of_an_old_message_says_that_it_failed(url, migrated):
    row = old_code.outbox_row(1, dag_id="dag", run_id="run", task_id="task", map_index=3, recipient="49…78")
    old_code.fill(url, [row], ["failed"])
    [found] = migrated.ledger.entries("scope", OldSender("dag", "run", "task", 3, "49…78"))
    assert found.failed


def test_old_rows_have_different_ids_that_say_nothing(url, migrated):
    old_code.fill(url, [old_code.outbox_row(number) for number in range(100)])
    ids = migrated._database.read(lambda c: c.execute(select(LEDGER.c.id)).scalars().all())
    assert len(set(ids)) == 100
    assert {len(name) for name in ids} == {32}
    assert all(set(name) <= set("0123456789abcdef") for name in ids)


def test_a_store_that_lost_its_version_keeps_all_it_has(url, migrated):
    old_code.fill(url, [old_code.outbox_row(number) for number in range(100)], ["sent"])
    secret = migrated.ledger.hash("x")
    old_code.execute(url, "DROP TABLE d360_schema")
    with closing(Store(url)) as again:
        assert again.count() == counts(statuses=100, ledger=100)
        assert again.ledger.hash("x") == secret
        tables = again._database.read(lambda c: c.dialect.get_table_names(c))
        assert {"d360_outbox", "d360_statuses"}.isdisjoint(tables)


def test_statuses_that_an_old_process_wrote_after_the_version_was_lost_are_kept(url, migrated):
    old_code.fill(url, [old_code.outbox_row(1)], ["sent"])
    migrated.count()
    old_code.execute(url, "DROP TABLE d360_schema")
    old_code.fill(url, [old_code.outbox_row(number) for number in (2, 3)], ["sent"])
    with closing(Store(url)) as again:
        assert again.count() == counts(statuses=3, ledger=3)


def test_a_migration_that_is_interrupted_changes_nothing(url, monkeypatch):
    from airflow_provider_d360.store import migrations

    old_code.fill(url, [old_code.outbox_row(number) for number in range(10)], ["sent"])

    def interrupt(connection):
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr(migrations.migrate, "__defaults__", ((*migrations.STEPS, interrupt),))
        with pytest.raises(SystemExit):
            Store(url).count()
    engine = create_engine(with_driver(make_url(url)))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM d360_outbox")).scalar() == 10
        assert connection.execute(text("SELECT version FROM d360_schema")).scalar() == 3
    engine.dispose()
    with closing(Store(url)) as store:
        assert store.count()["ledger"] == 10

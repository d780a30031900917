"""Opening, migrating, waiting, giving up."""

from __future__ import annotations

import sqlite3
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.store import Store, StoreUnavailableError
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.tables import is_current, migrate

SENT = StatusEvent("a", "sent", 1.0)


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}/store.sqlite"


def test_a_new_database_may_be_opened_by_many_at_once(url):
    barrier = threading.Barrier(8)

    def open_one(number: int) -> None:
        barrier.wait()
        store = Store(url, patience_seconds=20.0)
        store.add([StatusEvent(f"m{number}", "sent")], 1.0)
        store.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(open_one, range(8)))
    store = Store(url)
    assert store.count()["statuses"] == 8
    store.close()


def test_an_older_database_is_brought_up_to_date_once(url):
    database = Database(url, synchronous="NORMAL", patience_seconds=1.0)
    database.write(lambda connection: None)
    steps = [
        lambda connection: connection.execute(text("ALTER TABLE d360_inbox ADD COLUMN mood VARCHAR")),
        lambda connection: connection.execute(text("UPDATE d360_inbox SET mood = 'unknown'")),
    ]
    assert not database.read(lambda connection: is_current(connection, steps))
    database.write(lambda connection: migrate(connection, steps))
    database.write(lambda connection: migrate(connection, steps))
    columns = database.read(lambda connection: inspect(connection).get_columns("d360_inbox"))
    assert [column["name"] for column in columns].count("mood") == 1
    assert database.read(lambda connection: is_current(connection, steps))
    database.close()


def test_a_database_of_a_newer_version_is_left_alone(url):
    database = Database(url, synchronous="NORMAL", patience_seconds=1.0)
    database.write(lambda connection: connection.execute(text("UPDATE d360_schema SET version = 99")))
    with pytest.raises(StoreUnavailableError, match="version 99"):
        database.write(migrate)
    database.close()
    store = Store(url)
    with pytest.raises(StoreUnavailableError, match="version 99"):
        store.add([SENT], 1.0)


def test_only_the_owner_reads_the_file(tmp_path):
    store = Store(sqlite_url(tmp_path))
    store.add([SENT], 1.0)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    store.close()
    assert modes == {0o600}


@pytest.mark.parametrize(("synchronous", "number"), [("NORMAL", 1), ("FULL", 2)])
def test_a_commit_goes_as_far_as_was_asked_for(tmp_path, synchronous, number):
    database = Database(sqlite_url(tmp_path), synchronous=synchronous, patience_seconds=1.0)
    pragmas = ("synchronous", "journal_mode")
    got = database.read(lambda c: [c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas])
    database.close()
    assert got == [number, "wal"]


def test_a_lock_that_goes_away_in_time_is_waited_for(tmp_path):
    store = Store(sqlite_url(tmp_path), patience_seconds=10.0)
    store.ping()
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(1.5, lambda: other.execute("ROLLBACK")).start()
    store.add([SENT], 1.0)
    assert store.count()["statuses"] == 1
    store.close()
    other.close()


def test_a_lock_that_stays_is_reported(tmp_path):
    store = Store(sqlite_url(tmp_path), patience_seconds=0.1)
    store.ping()
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    start = time.monotonic()
    with pytest.raises(StoreUnavailableError, match="locked"):
        store.add([SENT], 1.0)
    assert time.monotonic() - start < 5.0
    assert store.status_of(["a"]) == {}, "reading goes on"
    other.execute("ROLLBACK")
    store.add([SENT], 1.0)
    store.close()
    other.close()


def test_a_transaction_that_fails_leaves_nothing(url):
    database = Database(url, synchronous="NORMAL", patience_seconds=1.0)

    def half(connection):
        connection.execute(
            text("INSERT INTO d360_inbox (message_id, type, received_at) VALUES ('a', 'text', 1)")
        )
        raise KeyError("the rest")

    with pytest.raises(KeyError):
        database.write(half)
    rows = database.read(lambda c: c.execute(text("SELECT count(*) FROM d360_inbox")).scalar())
    database.close()
    assert rows == 0


def test_a_server_that_is_not_there_is_reported_without_the_password(tmp_path):
    store = Store(f"postgresql://me:pass-word@/store?host={tmp_path}", patience_seconds=0.1)
    with pytest.raises(StoreUnavailableError) as caught:
        store.ping()
    assert "not available" in str(caught.value)
    assert "pass-word" not in str(caught.value)


def test_a_directory_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(StoreUnavailableError, match="No such file or directory"):
        Store(sqlite_url(tmp_path / "nowhere"), patience_seconds=0.1).ping()


def test_a_file_that_is_something_else_is_reported(tmp_path):
    (tmp_path / "store.sqlite").write_text("dear diary " * 1000)
    with pytest.raises(StoreUnavailableError, match="not a database"):
        Store(sqlite_url(tmp_path), patience_seconds=0.1).ping()


@pytest.mark.parametrize("url", ["mysql://me@there/store", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(url):
    with pytest.raises(ValueError, match="SQLite file or a PostgreSQL"):
        Store(url)


def test_an_unknown_way_to_synchronize_is_refused(tmp_path):
    with pytest.raises(ValueError, match="NORMAL or FULL"):
        Store(sqlite_url(tmp_path), synchronous="OFF; DROP TABLE")


def test_the_driver_is_named_whatever_sqlalchemy_would_take(postgres):
    for scheme in ("postgres", "postgresql", "postgresql+psycopg2"):
        store = Store(postgres.new_database().replace("postgresql", scheme, 1))
        store.ping()
        store.close()


def test_a_missing_driver_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg2", None)
    with pytest.raises(StoreUnavailableError, match=r"install airflow-provider-d360\[postgres\]"):
        Store("postgresql://me@/store").ping()


def test_the_tables_are_those_that_the_code_describes(url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from airflow_provider_d360.store.tables import METADATA

    Store(url).ping()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()

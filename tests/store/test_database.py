"""Opening, migrating, waiting, giving up."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2  # type: ignore[import-untyped]
import pytest
from sqlalchemy import create_engine, inspect, make_url, text

from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.store import Store, StoreUnavailableError
from airflow_provider_d360.store.database import Database, StoreBusyError
from airflow_provider_d360.store.migrations import STEPS, is_current, migrate
from tests.programs import Program
from tests.store.postgres import Postgres, find_programs

SENT = StatusEvent("a", "sent", 1.0)

OPEN = """
import sys
from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.store import Store
store = Store(sys.argv[1], retry_seconds=20)
print("ready", flush=True)
sys.stdin.readline()
store.add([StatusEvent(sys.argv[2], "sent")], 1.0)
"""


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}/store.sqlite"


def test_a_new_database_may_be_opened_by_many_at_once(url):
    barrier = threading.Barrier(8)

    def open_one(number: int) -> None:
        barrier.wait()
        store = Store(url, retry_seconds=20.0)
        store.add([StatusEvent(f"m{number}", "sent")], 1.0)
        store.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(open_one, range(8)))
    store = Store(url)
    assert store.count()["statuses"] == 8
    store.close()


def test_a_new_database_may_be_opened_by_several_processes_at_once(url):
    running = [Program("-c", OPEN, url, str(number)) for number in range(4)]
    for program in running:
        assert program.stdout.readline() == "ready\n"
    for program in running:
        program.stdin.close()
    assert [program.end().stderr for program in running] == [""] * 4
    store = Store(url)
    assert store.count()["statuses"] == 4
    store.close()


def test_an_older_database_is_brought_up_to_date_once(url):
    database = Database(url, synchronous="NORMAL", retry_seconds=1.0)
    database.write(lambda connection: None)
    steps = [
        *STEPS,
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
    database = Database(url, synchronous="NORMAL", retry_seconds=1.0)
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
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    store.close()
    assert modes == {f"store.sqlite{end}": 0o600 for end in ("", "-wal", "-shm")}


@pytest.mark.parametrize(("synchronous", "number"), [("NORMAL", 1), ("FULL", 2)])
def test_a_commit_goes_as_far_as_was_asked_for(tmp_path, synchronous, number):
    database = Database(sqlite_url(tmp_path), synchronous=synchronous, retry_seconds=1.0)
    pragmas = ("synchronous", "journal_mode")
    got = database.read(lambda c: [c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas])
    database.close()
    assert got == [number, "wal"]


def test_a_lock_that_goes_away_in_time_is_waited_for(tmp_path):
    store = Store(sqlite_url(tmp_path), retry_seconds=10.0)
    store.check_writable()
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(1.5, lambda: other.execute("ROLLBACK")).start()
    store.add([SENT], 1.0)
    assert store.count()["statuses"] == 1
    store.close()
    other.close()


def test_a_lock_that_stays_is_reported(tmp_path):
    store = Store(sqlite_url(tmp_path), retry_seconds=0.1)
    store.check_writable()
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    start = time.monotonic()
    with pytest.raises(StoreUnavailableError, match=f"locked .*{tmp_path}/store.sqlite"):
        store.add([SENT], 1.0)
    assert time.monotonic() - start < 45.0
    assert store.statuses.current(["a"]) == {}, "reading goes on"
    other.execute("ROLLBACK")
    store.add([SENT], 1.0)
    store.close()
    other.close()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_was_removed_or_replaced_takes_no_more_events_with_it(tmp_path, replaced):
    store, reader = Store(sqlite_url(tmp_path)), Store(sqlite_url(tmp_path))
    store.add([SENT], 1.0)
    assert reader.statuses.current(["a"])
    for file in tmp_path.iterdir():
        file.unlink()
    if replaced:
        other = Store(sqlite_url(tmp_path))
        other.check_writable()
        other.close()
    store.add([StatusEvent("b", "sent")], 2.0)
    assert reader.statuses.current(["a", "b"]).keys() == {"b"}
    again = Store(sqlite_url(tmp_path))
    assert again.statuses.current(["a", "b"]).keys() == {"b"}
    for one in (store, reader, again):
        one.close()


def test_after_a_fork_parent_and_child_go_separate_ways(url):
    database = Database(url, synchronous="NORMAL", retry_seconds=1.0)

    def connection_id(connection):
        return id(connection.connection.dbapi_connection)

    mine = database.read(connection_id)
    child = os.fork()
    if not child:
        try:
            theirs = database.read(connection_id)
            database.write(lambda c: c.execute(text("INSERT INTO d360_schema (version) VALUES (1)")))
            database.close()
            os._exit(0 if theirs != mine else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert database.read(connection_id) == mine
    assert database.read(lambda c: c.execute(text("SELECT count(*) FROM d360_schema")).scalar()) == 2
    database.close()


def test_a_full_disk_is_reported_and_gone_when_there_is_space_again(tmp_path):
    store = Store(sqlite_url(tmp_path), retry_seconds=0.1)
    store.check_writable()
    many = [StatusEvent(f"m{number}", "sent") for number in range(2000)]
    store._database.read(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=1"))
    with pytest.raises(StoreUnavailableError, match="full"):
        store.add(many, 1.0)
    store._database.read(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=100000"))
    assert store.count()["statuses"] == 0
    store.add(many, 1.0)
    assert store.count()["statuses"] == 2000
    store.close()


def test_a_transaction_that_fails_leaves_nothing(url):
    database = Database(url, synchronous="NORMAL", retry_seconds=1.0)

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
    store = Store(f"postgresql://me:pass-word@/store?host={tmp_path}", retry_seconds=0.1)
    with pytest.raises(StoreUnavailableError) as caught:
        store.check_writable()
    assert "not available" in str(caught.value)
    assert "pass-word" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_postgresql_that_cannot_keep_every_text_is_refused(postgres, encoding):
    name = f"in_{encoding.lower()}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    with pytest.raises(
        StoreUnavailableError, match=f"encoding {encoding}.*TEMPLATE template0 ENCODING 'UTF8'"
    ):
        Store(postgres.url(name)).add([SENT], 1.0)


def test_a_postgresql_that_hangs_is_reported_in_time(postgres):
    url = postgres.new_database()
    store = Store(f"{url}&options=-c%20statement_timeout%3D1000", retry_seconds=0.1)
    store.check_writable()
    other = psycopg2.connect(url)
    other.cursor().execute("LOCK TABLE d360_message_statuses IN ACCESS EXCLUSIVE MODE")
    start = time.monotonic()
    for work in (
        lambda: store.add([SENT], 1.0),
        lambda: store.statuses.current(["a"]),
        lambda: store.purge(2.0, 2.0),
    ):
        with pytest.raises(StoreUnavailableError, match="statement timeout"):
            work()
    assert time.monotonic() - start < 45.0
    other.rollback()
    other.close()
    store.add([SENT], 1.0)
    assert store.count()["statuses"] == 1
    store.close()


def test_no_statement_runs_for_ever_unless_somebody_wants_it(postgres):
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "client_encoding")

    def limits(url):
        database = Database(url, synchronous="NORMAL", retry_seconds=1.0)
        with pytest.raises(ZeroDivisionError):
            database.write(lambda connection: 1 // 0)  # what was set must outlive a transaction that fails
        found = database.read(lambda c: [c.exec_driver_sql(f"SHOW {name}").scalar() for name in names])
        database.close()
        return found

    url = postgres.new_database()
    assert limits(url) == ["15s", "15s", "UTF8"]
    assert limits(f"{url}&options=-c%20statement_timeout%3D7s") == ["7s", "15s", "UTF8"]
    assert limits(f"{url}&options=-c%20statement_timeout%3D0") == ["0", "15s", "UTF8"]
    postgres.execute(f"ALTER DATABASE {make_url(url).database} SET statement_timeout = '9s'")
    assert limits(url) == ["9s", "15s", "UTF8"]


def test_a_migration_may_take_its_time(postgres):
    database = Database(postgres.new_database(), synchronous="NORMAL", retry_seconds=1.0)
    found: list[object] = []
    steps = [*STEPS, lambda c: found.append(c.exec_driver_sql("SHOW statement_timeout").scalar())]
    database.write(lambda connection: migrate(connection, steps))
    database.close()
    assert found == ["0"]


def test_several_servers_may_be_named(postgres):
    url = make_url(postgres.new_database())
    store = Store(url.set(query={"host": ["/nowhere:5432", f"{postgres.home}:5432"]}))
    store.add([SENT], 1.0)
    assert store.count()["statuses"] == 1
    store.close()


def test_a_directory_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(StoreUnavailableError, match=f"No such file or directory: '{tmp_path}/nowhere/"):
        Store(sqlite_url(tmp_path / "nowhere"), retry_seconds=0.1).check_writable()


def test_a_file_that_is_something_else_is_reported(tmp_path):
    (tmp_path / "store.sqlite").write_text("dear diary " * 1000)
    with pytest.raises(StoreUnavailableError, match="not a database"):
        Store(sqlite_url(tmp_path), retry_seconds=0.1).check_writable()


@pytest.mark.parametrize("url", ["mysql://me@there/store", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(url):
    with pytest.raises(ValueError, match=r"SQLite file .* or a PostgreSQL"):
        Store(url)


def test_an_unknown_way_to_synchronize_is_refused(tmp_path):
    with pytest.raises(ValueError, match="NORMAL or FULL"):
        Store(sqlite_url(tmp_path), synchronous="OFF; DROP TABLE")


def test_the_driver_is_named_whatever_sqlalchemy_would_take(postgres):
    for scheme in ("postgres", "postgresql", "postgresql+psycopg2"):
        store = Store(postgres.new_database().replace("postgresql", scheme, 1))
        store.check_writable()
        store.close()


def test_a_missing_driver_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg2", None)
    with pytest.raises(StoreUnavailableError, match=r"install airflow-provider-d360\[postgres\]"):
        Store("postgresql://me@/store").check_writable()


def test_the_tables_are_those_that_the_code_describes(url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from airflow_provider_d360.store.migrations import METADATA

    Store(url).check_writable()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_each_table_of_the_code_is_made_by_a_step(url):
    """Without one, the first process that meets the table says that it was dropped, and makes it again."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from airflow_provider_d360.store.migrations import METADATA

    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.begin() as connection:
        for step in STEPS:
            step(connection)
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


@pytest.fixture
def full(request: pytest.FixtureRequest) -> Iterator[tuple[Postgres, list[Any]]]:
    """A PostgreSQL with no connection left, and who has them."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: run `make system-packages` as root, or install it")
    with Postgres(programs, settings=["max_connections=4", "max_wal_senders=0", "fsync=off"]) as server:
        url = make_url(server.url("postgres")).set(drivername="postgresql+psycopg2")
        others = [create_engine(url).connect() for _ in range(3)]  # and one is the server's own
        yield server, others
        for other in others:
            other.close()
            other.engine.dispose()


def test_a_postgresql_without_a_free_connection_is_not_pestered(full: tuple[Postgres, list[Any]]) -> None:
    server, _ = full
    with closing(Store(server.url("postgres"), retry_seconds=3.0)) as store:
        began = time.monotonic()
        with pytest.raises(StoreBusyError, match="too many clients"):
            store.alerts.count()
    assert time.monotonic() - began < 10
    refused = (server.home / "log").read_text().count("too many clients")
    assert 4 <= refused <= 12


def test_a_connection_that_becomes_free_is_used(full: tuple[Postgres, list[Any]]) -> None:
    server, others = full
    with closing(Store(server.url("postgres"), retry_seconds=30.0)) as store:
        timer = threading.Timer(1.0, others[0].invalidate)
        timer.start()
        assert store.alerts.count() == 0
        timer.join()

"""What is acknowledged can be read, whatever somebody does to the files and tables meanwhile."""

from __future__ import annotations

import itertools
import os
import re
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from airflow_provider_d360.api.events import MessageEvent, StatusEvent
from airflow_provider_d360.api.notices import Level, NoticeEvent
from airflow_provider_d360.store import Store, StoreError, StoreUnavailableError
from airflow_provider_d360.store.database import Database
from airflow_provider_d360.store.sqlite_file import SqliteFile
from tests.store.entries import counts, entry, record

NOTICE = NoticeEvent("template", "t", "status", "PAUSED", Level.FAILED)
SENT = StatusEvent("a", "sent", 1.0)
TABLES = (
    "d360_message_statuses",
    "d360_inbox",
    "d360_ledger",
    "d360_notices",
    "d360_secret",
    "d360_alert_groups",
    "d360_held_alerts",
    "d360_due_alerts",
    "d360_health",
    "d360_schema",
)


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as connection:
        for statement in statements:
            result = connection.execute(statement).fetchone()
            if "wal_checkpoint" in statement:
                assert result == (0, 0, 0)  # or a reader kept the log from being emptied


def truncated(path: Path) -> None:
    os.truncate(path, 0)


def cut_in_half(path: Path) -> None:
    execute(path, "PRAGMA wal_checkpoint(TRUNCATE)")  # or nobody reads what is cut off
    os.truncate(path, path.stat().st_size // 2)


def overwritten(path: Path) -> None:
    execute(path, "PRAGMA wal_checkpoint(TRUNCATE)")  # or nobody reads what is overwritten
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))


def replaced_by_a_text(path: Path) -> None:
    path.write_text("dear diary " * 100)


def removed(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink(missing_ok=True)  # a store may have renamed it meanwhile


def removed_without_its_log(path: Path) -> None:
    path.unlink()


def robbed_of_its_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def robbed_of_its_index(path: Path) -> None:
    Path(f"{path}-shm").unlink()


def replaced_by_a_store(path: Path) -> None:
    removed(path)
    with closing(Store(f"sqlite:///{path}")) as other:
        other.check_writable()


def replaced_by_another_database(path: Path) -> None:
    path.rename(path.with_name("moved"))
    execute(path, "CREATE TABLE notes (text)")


def statuses_dropped(path: Path) -> None:
    execute(path, "DROP TABLE d360_message_statuses")


def all_dropped(path: Path) -> None:
    execute(path, *(f"DROP TABLE {table}" for table in TABLES))


def vacuumed(path: Path) -> None:
    execute(path, "DELETE FROM d360_message_statuses", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")


ATTACKS = [
    (truncated, "is made again|made again|truncated|replaced"),
    (cut_in_half, "truncated or overwritten"),
    (overwritten, "truncated or overwritten"),
    (replaced_by_a_text, "truncated or overwritten|is made again|removed or replaced"),
    (removed, "removed or replaced"),
    (removed_without_its_log, "removed or replaced"),
    (robbed_of_its_log, "removed or replaced|truncated or overwritten"),
    (robbed_of_its_index, "removed or replaced"),
    (replaced_by_a_store, "removed or replaced"),
    (replaced_by_another_database, "removed or replaced"),
    (statuses_dropped, "missing, and are made again, empty: d360_message_statuses"),
    (all_dropped, "dropped; it is made again"),
    (vacuumed, "^$"),
]


@pytest.mark.parametrize(("attack", "logged"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
def test_what_is_acknowledged_after_an_attack_under_load_can_be_read(tmp_path, caplog, attack, logged):
    path = tmp_path / "store.sqlite"
    stores = [Store(f"sqlite:///{path}", retry_seconds=2.0) for _ in range(2)]
    stores[0].add([StatusEvent(f"old{number}", "sent") for number in range(2000)], 1.0)
    execute(path, "PRAGMA wal_checkpoint(TRUNCATE)")  # or the attacks may hit what the log holds as well
    acknowledged: list[tuple[float, str]] = []
    over = threading.Event()

    def load(store: Store, name: str) -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                store.add([StatusEvent(f"{name}{number}", "sent")], 1.0)
            except StoreError:
                continue  # the delivery will come again
            acknowledged.append((time.monotonic(), f"{name}{number}"))

    threads = [threading.Thread(target=load, args=pair) for pair in zip(stores, "ab", strict=True)]
    for thread in threads:
        thread.start()
    # Both have opened it: a store that opens it later finds a new one, or none, and nothing to report.
    wait_until(lambda: {name[0] for _, name in acknowledged[20:]} == {"a", "b"}, seconds=60)
    attack(path)
    attacked_at = time.monotonic()

    def acknowledged_by(name: str, since: float) -> int:
        return sum(at > since and other[0] == name for at, other in list(acknowledged))

    # The first of each may have begun before the attack.
    wait_until(lambda: all(acknowledged_by(name, attacked_at) > 1 for name in "ab"), seconds=60)
    both_noticed_at = time.monotonic()
    wait_until(lambda: all(acknowledged_by(name, both_noticed_at) > 20 for name in "ab"), seconds=60)
    over.set()
    for thread in threads:
        thread.join()
    stores[0].check_writable()
    for store in stores:
        store.close()
    promised = {name for at, name in acknowledged if at > both_noticed_at}
    with closing(Store(f"sqlite:///{path}")) as fresh:
        assert promised - fresh.statuses.current(promised).keys() == set()
    assert {name[0] for name in promised} == {"a", "b"}
    errors = " ".join(record.message for record in caplog.records if record.levelname == "ERROR")
    assert re.search(logged, errors), errors


@pytest.mark.parametrize("attack", [truncated, cut_in_half, overwritten, replaced_by_a_text])
def test_without_load_a_damaged_file_is_noticed_by_the_check_and_kept_aside(tmp_path, attack):
    path = tmp_path / "store.sqlite"
    with closing(Store(f"sqlite:///{path}")) as store:
        store.add([StatusEvent(f"old{number}", "sent") for number in range(2000)], 1.0)
        execute(path, "PRAGMA wal_checkpoint(TRUNCATE)")
        attack(path)
        store.check_writable()
        store.add([SENT], 1.0)
        assert store.statuses.current(["a", "old1"]).keys() == {"a"}
    aside = [file for file in tmp_path.iterdir() if ".damaged-" in file.name]
    assert bool(aside) or attack is truncated
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_a_removed_file_left_beside_it_is_kept_but_not_written_into_the_new_one(tmp_path, caplog):
    path = tmp_path / "store.sqlite"
    with closing(Store(f"sqlite:///{path}")) as old, closing(Store(f"sqlite:///{path}")) as new:
        old.add([StatusEvent(f"old{number}", "sent") for number in range(100)], 1.0)
        removed_without_its_log(path)
        new.add([StatusEvent("new", "sent")], 1.0)
        assert new.count()["statuses"] == 1
        old.add([StatusEvent("old", "sent")], 1.0)
        assert set(new.statuses.current(["old", "old1", "new"])) == {"old", "new"}
    (log,) = tmp_path.glob("store.sqlite.left-*-wal")
    assert log.stat().st_size > 0
    assert f"that is now {log}, and a new store begins" in caplog.text


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_file_that_is_removed_while_the_store_is_opened_is_noticed(tmp_path, monkeypatch, suffix):
    path, opened = tmp_path / "store.sqlite", Database._opened
    robbed: list[str] = []

    def opened_and_robbed(database: Database) -> Engine:
        engine = opened(database)
        if not robbed:
            Path(f"{path}{suffix}").unlink()
            robbed.append(suffix)
        return engine

    monkeypatch.setattr(Database, "_opened", opened_and_robbed)
    with closing(Store(f"sqlite:///{path}")) as store, closing(Store(f"sqlite:///{path}")) as other:
        store.add([SENT], 1.0)
        assert set(other.statuses.current(["a"])) == {"a"}


def test_a_file_that_is_replaced_again_and_again_is_an_error_in_time(tmp_path, monkeypatch):
    numbers = itertools.count(1)
    monkeypatch.setattr(SqliteFile, "identity", lambda file: 6 * (next(numbers),))
    store = Store(f"sqlite:///{tmp_path}/store.sqlite", retry_seconds=0.2)
    with closing(store), pytest.raises(StoreUnavailableError, match="replaced again and again"):
        store.add([SENT], 1.0)


def test_a_file_that_was_never_ours_is_not_renamed(tmp_path):
    path = tmp_path / "store.sqlite"
    path.write_text("dear diary " * 100)
    store = Store(f"sqlite:///{path}", retry_seconds=0.1)
    for work in (store.check_writable, lambda: store.add([SENT], 1.0), store.count):
        with pytest.raises(StoreUnavailableError, match=r"not a database.*Move the file away"):
            work()
    assert [file.name for file in tmp_path.iterdir()] == ["store.sqlite"]
    path.unlink()
    store.add([SENT], 1.0)
    assert store.count()["statuses"] == 1
    store.close()


def test_a_file_that_replaces_the_store_and_is_none_is_not_renamed_either(tmp_path):
    path = tmp_path / "store.sqlite"
    store = Store(f"sqlite:///{path}", retry_seconds=0.1)
    store.add([SENT], 1.0)
    (tmp_path / "diary").write_text("dear diary " * 100)
    removed_files = [file for file in tmp_path.iterdir() if file.name.startswith("store")]
    for file in removed_files:
        file.unlink()
    (tmp_path / "diary").rename(path)
    with pytest.raises(StoreUnavailableError, match="not a database"):
        store.add([SENT], 1.0)
    assert path.read_text().startswith("dear diary")
    store.close()


@pytest.mark.parametrize("table", TABLES)
def test_a_dropped_table_is_made_again_and_logged(store, caplog, table):
    uses: list[Callable[[], object]] = [
        lambda: store.add([SENT, MessageEvent("m", "text"), NOTICE], 1.0),
        lambda: record(store, entry("a")),
        lambda: store.ledger.hash("a"),
        lambda: store.alerts.take("x", 1.0),
        store.check_writable,
    ]
    for use in uses:
        use()
    store._database.write(lambda connection: connection.execute(text(f"DROP TABLE {table}")))
    store._health._valid_until = 0.0
    for use in uses:
        use()
    assert store.count() == counts(statuses=1, inbox=1, ledger=1, notices=1)
    if table != "d360_schema":  # which only opening reads
        assert f"missing, and are made again, empty: {table}" in caplog.text
    store.close()
    store.check_writable()


def test_reading_finds_a_dropped_table_again_too(store):
    store.add([SENT], 1.0)
    store._database.write(lambda connection: connection.execute(text("DROP TABLE d360_message_statuses")))
    assert store.statuses.current(["a"]) == {}


def test_a_dropped_database_is_away_and_used_again_when_it_is_back(postgres):
    url = postgres.new_database()
    name = str(make_url(url).database)
    store = Store(url, retry_seconds=0.1)
    store.add([SENT], 1.0)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
    with pytest.raises(StoreUnavailableError):
        store.add([SENT], 1.0)
    postgres.execute(f"CREATE DATABASE {name}")
    store.add([SENT], 1.0)
    assert store.count()["statuses"] == 1
    store.close()


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o777])
def test_files_that_others_could_read_are_closed_to_them_and_that_is_logged(tmp_path, caplog, mode):
    path = tmp_path / "store.sqlite"
    with closing(Store(f"sqlite:///{path}")) as first:
        first.add([SENT], 1.0)
        for file in tmp_path.iterdir():
            file.chmod(mode)
        with closing(Store(f"sqlite:///{path}")) as second:
            second.add([SENT], 1.0)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {f"store.sqlite{end}": 0o600 for end in ("", "-wal", "-shm")}
    for end in ("", "-wal", "-shm"):
        assert f"Other users could read the store's file {path}{end}; its mode was {mode:o}" in caplog.text


def test_a_file_of_somebody_else_that_others_can_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "store.sqlite"
    path.touch(0o644)
    path.chmod(0o644)

    def forbidden(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", forbidden)
    with pytest.raises(StoreUnavailableError, match="Operation not permitted"):
        Store(f"sqlite:///{path}").check_writable()


def test_opening_a_store_leaves_the_locks_of_another_in_this_process_alone(tmp_path):
    path = tmp_path / "store.sqlite"
    first = Store(f"sqlite:///{path}", retry_seconds=0.1)
    first.add([SENT], 1.0)
    before = open("/proc/locks").read() if Path("/proc/locks").exists() else ""  # noqa: PTH123, SIM115
    inode = path.stat().st_ino
    held = [line for line in before.splitlines() if f":{inode} " in line]
    with closing(Store(f"sqlite:///{path}")) as second:
        second.check_writable()
    after = open("/proc/locks").read() if Path("/proc/locks").exists() else ""  # noqa: PTH123, SIM115
    assert len([line for line in after.splitlines() if f":{inode} " in line]) >= len(held)
    first.close()

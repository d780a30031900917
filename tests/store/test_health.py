"""Healthy means that a delivery can be committed, and asking costs little, whatever the database does."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import event, text

from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.store import Store, StoreError, StoreFaultError, StoreUnavailableError
from airflow_provider_d360.store import health as health_module
from airflow_provider_d360.store.health import Health
from tests import programs

SENT = StatusEvent("a", "sent", 1.0)

FULL = """
import os, resource, sys
from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.store import Store, StoreUnavailableError

def fails(work):
    try:
        work()
    except StoreUnavailableError:
        return True
    return False

store = Store(sys.argv[1], retry_seconds=0.1)
store.add([StatusEvent(f"m{number}", "sent") for number in range(50)], 1.0)
wal = os.path.getsize(sys.argv[1].removeprefix("sqlite:///") + "-wal")
resource.setrlimit(resource.RLIMIT_FSIZE, (wal, resource.RLIM_INFINITY))  # as a disk that is full from now on
full = fails(store.check_writable), fails(lambda: store.add([StatusEvent("a", "sent")], 1.0))
readable = store.statuses.current(["m1", "a"]).keys() == {"m1"}
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store._health._valid_until = 0
print(full, readable, fails(store.check_writable), fails(lambda: store.add([StatusEvent("a", "sent")], 1.0)))
"""

READ_ONLY = """
import os, sys
from airflow_provider_d360.store import Store, StoreUnavailableError
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
try:
    Store(sys.argv[1], retry_seconds=0.1).check_writable()
except StoreUnavailableError as error:
    print(error)
"""


def run(program: str, url: str) -> str:
    ended = programs.run("-c", program, url)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def commits(store, monkeypatch):
    """Count the health check's transactions."""
    writes: list[float] = []
    write = store._database.write

    def counted(work):
        writes.append(time.monotonic())
        return write(work)

    monkeypatch.setattr(store._database, "write", counted)
    return writes


def test_a_check_commits_a_row_of_its_own_and_keeps_only_the_newest(store):
    for _ in range(3):
        store.check_writable()
        store._health._valid_until = 0.0
    rows = store._database.read(lambda c: c.execute(text("SELECT at FROM d360_health")).scalars().all())
    assert len(rows) == 1
    assert abs(rows[0] - time.time()) < 60
    assert set(store.count().values()) == {0}


def test_a_full_disk_is_unhealthy_until_there_is_space_again(tmp_path):
    assert run(FULL, f"sqlite:///{tmp_path}/store.sqlite") == "(True, True) True False False\n"


def test_a_database_that_may_not_grow_is_unhealthy(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/store.sqlite", retry_seconds=0.1)
    store.add([StatusEvent(f"m{number}", "sent") for number in range(500)], 1.0)
    store._database.read(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=1"))
    with pytest.raises(StoreUnavailableError, match="full"):
        store.check_writable()
    store.close()


def test_a_file_that_may_only_be_read_is_unhealthy(tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "store.sqlite"
    store = Store(f"sqlite:///{path}")
    store.add([SENT], 1.0)
    store.close()
    if os.geteuid() == 0:  # root may write everything, so somebody else tries
        for parent in path.parents[:4]:
            parent.chmod(0o755)
        os.chown(path, 65534, 65534)
    path.chmod(0o400)
    assert "The store is not available: " in run(READ_ONLY, f"sqlite:///{path}")


def test_a_commit_that_fails_is_unhealthy_although_the_write_succeeded(store):
    store.check_writable()
    engine = store._database._open()

    @event.listens_for(engine, "commit")
    def refuse(connection):
        raise sqlite3.OperationalError("database or disk is full")

    store._health._valid_until = 0.0
    with pytest.raises(StoreUnavailableError, match="full"):
        store.check_writable()


def test_a_table_that_lacks_a_column_is_unhealthy_and_called_a_fault(store):
    store.add([SENT], 1.0)
    store._database.write(lambda c: c.execute(text("ALTER TABLE d360_message_statuses DROP COLUMN category")))
    with pytest.raises(StoreFaultError, match=r"category|UndefinedColumn"):
        store.check_writable()
    with pytest.raises(StoreFaultError, match=r"category|UndefinedColumn"):
        store.add([SENT], 1.0)


def test_many_who_ask_while_a_result_is_valid_cost_one_commit(store, commits, monkeypatch):
    monkeypatch.setattr(health_module, "_CACHED_SECONDS", 600.0)
    with ThreadPoolExecutor(40) as threads:
        list(threads.map(lambda _: store.check_writable(), range(400)))
    assert len(commits) == 1


def test_a_result_is_used_for_one_second(store, commits):
    store.check_writable()
    store.check_writable()
    assert len(commits) == 1
    time.sleep(1.1)
    store.check_writable()
    assert len(commits) == 2


def test_while_the_database_hangs_callers_do_not_pile_up(store):
    go_on = threading.Event()
    running: list[int] = []

    class Stuck:
        def write(self, work):
            running.append(1)
            assert go_on.wait(120)

        def verify(self):
            pass

    health = Health(Stuck())

    def ask(_):
        with pytest.raises(StoreError, match=r"nothing within 0\.5 seconds"):
            health.check(3600.0)

    with pytest.raises(StoreError, match=r"nothing within 0\.5 seconds"):
        health.check(0.5)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(ask, range(200)))
    assert not go_on.is_set(), "only the one who came first waits"
    go_on.set()
    assert len(running) == 1


def test_after_a_failed_check_others_do_not_wait_for_the_next_one(store):
    began, go_on = threading.Event(), threading.Event()

    class Away:
        tries = 0

        def write(self, work):
            self.tries += 1
            if self.tries > 1:
                began.set()
                assert go_on.wait(120)
            raise StoreUnavailableError("away")

    health = Health(Away())
    with pytest.raises(StoreUnavailableError, match="away"):
        health.check(5.0)
    health._valid_until = 0.0
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(health.check, 3600.0)
        assert began.wait(60)
        with pytest.raises(StoreUnavailableError, match="away"):
            health.check(3600.0)
        assert not go_on.is_set()
        go_on.set()
        with pytest.raises(StoreUnavailableError, match="away"):
            first.result(60)


def test_a_child_does_not_wait_for_the_check_of_its_parent(store):
    store.check_writable()
    store._health._check, store._health._began = Future(), time.monotonic()  # one that runs, in the parent
    child = os.fork()
    if not child:
        try:
            store.check_writable()
            os._exit(0)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_postgresql_that_stops_is_unhealthy_and_healthy_again_after_its_restart(tmp_path):
    from tests.store.postgres import serve

    for server in serve():
        store = Store(server.new_database(), retry_seconds=0.1)
        store.check_writable()
        server.stop()
        store._health._valid_until = 0.0
        with pytest.raises(StoreUnavailableError):
            store.check_writable()
        with pytest.raises(StoreUnavailableError):
            store.add([SENT], 1.0)
        server.start()
        store._health._valid_until = 0.0
        store.check_writable()
        store.add([SENT], 1.0)
        assert store.count()["statuses"] == 1
        store.close()

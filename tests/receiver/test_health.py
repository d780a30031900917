"""What load balancers are told, however many ask, and whatever the store does."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_d360.receiver.app import create_app
from airflow_provider_d360.store import Store, StoreUnavailableError
from tests.receiver.doors import LOGIN, post, served


class _Database:
    """Stands in a store for the database, and takes as long as a test wants."""

    def __init__(self) -> None:
        self.writes = 0
        self.go_on = threading.Event()
        self.error: Exception | None = None

    def write(self, work: object) -> None:
        self.writes += 1
        assert self.go_on.wait(60)
        if self.error:
            raise self.error

    def verify(self) -> None:
        pass


@pytest.fixture
def database(monkeypatch):
    database = _Database()
    yield database
    database.go_on.set()


@pytest.fixture
def checked(tmp_path, database):
    """A store that waits for a commit for a second at most."""
    store = Store(f"sqlite:///{tmp_path}/store.sqlite", retry_seconds=0.0)
    store._health._database = database
    return store


def health(port: int) -> int:
    return post(port, b"", {}, "/health", "GET")


def test_forty_requests_while_the_store_hangs_leave_the_servers_threads_alone(checked, database):
    app = create_app(checked, [LOGIN])
    app.router.routes.append(Route("/other", lambda request: Response()))  # in the thread pool
    with served(app) as port, ThreadPoolExecutor(40) as callers:
        responses = [callers.submit(health, port) for _ in range(40)]
        assert post(port, b"", {}, "/other", "GET") == 200
        assert {response.result() for response in responses} == {503}
    assert database.writes == 1


async def test_those_who_wait_take_no_thread(checked, database):
    before = threading.active_count()
    waiting = [asyncio.create_task(checked._health.acheck(60.0)) for _ in range(40)]
    await asyncio.sleep(0)
    assert threading.active_count() <= before + 1
    database.go_on.set()
    await asyncio.gather(*waiting)
    assert database.writes == 1


async def test_a_request_that_is_cancelled_leaves_the_check_to_the_others(checked, database):
    gone, stays = (asyncio.create_task(checked._health.acheck(60.0)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    database.go_on.set()
    await stays
    assert database.writes == 1


async def test_after_the_first_one_nobody_waits_for_a_store_that_hangs(checked):
    with pytest.raises(StoreUnavailableError, match="committed nothing"):
        await checked._health.acheck(0.01)
    with pytest.raises(StoreUnavailableError, match="committed nothing"):
        await asyncio.wait_for(checked._health.acheck(3600.0), 60)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(StoreUnavailableError("disk full"), "disk full"), (KeyError("4915112345678"), "KeyError")],
)
def test_any_failure_is_answered_503_and_logged_with_its_reason_once_a_minute(
    checked, database, caplog, error, reason
):
    database.go_on.set()
    with served(create_app(checked, [LOGIN])) as port:
        assert health(port) == 200
        database.error = error
        for _ in range(3):
            checked._health._valid_until = 0.0
            assert health(port) == 503
        database.error = None
        checked._health._valid_until = 0.0
        assert health(port) == 200
    [line] = [record.getMessage() for record in caplog.records if "health" in record.getMessage()]
    assert line == f"Answered 503 to 1 health checks: {reason}"


def test_tasks_and_the_receiver_share_one_result(checked, database):
    database.go_on.set()
    with served(create_app(checked, [LOGIN])) as port:
        checked._health._valid_until = 0.0
        assert health(port) == 200
        checked._health._valid_until = float("inf")
        checked.check_writable()
        assert health(port) == 200
    assert database.writes == 1

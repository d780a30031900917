"""Password guessing: slowed down, logged with its address, and without effect on valid deliveries."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_d360.receiver import logins
from airflow_provider_d360.receiver.app import create_app
from airflow_provider_d360.receiver.logins import FailedLogins, caller_address
from airflow_provider_d360.store import Store
from tests.receiver.doors import LOGIN, post, served, statuses, wait_until

WRONG = {"Authorization": "Basic ZDM2MDpndWVzcw=="}


class Delays:
    """Stand in for the delays: keep their lengths, and last until they are over."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.are_over = threading.Event()
        self.are_over.set()

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        while not self.are_over.is_set():  # noqa: ASYNC110 - tests set it in another thread
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def delays(monkeypatch):
    delays = Delays()
    monkeypatch.setattr(logins, "asyncio", delays)
    yield delays
    delays.are_over.set()


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    yield store
    store.close()


def test_guessing_is_slowed_down_more_and_more(store, delays):
    with served(create_app(store, [LOGIN])) as port:
        assert {post(port, {}, WRONG) for _ in range(10)} == {401}
    assert delays.seconds == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_the_response_comes_after_the_delay(store, delays):
    with served(create_app(store, [LOGIN])) as port, ThreadPoolExecutor(1) as attacker:
        for _ in range(3):
            post(port, {}, WRONG)
        delays.are_over.clear()
        guess = attacker.submit(post, port, {}, WRONG)
        wait_until(lambda: delays.seconds)
        assert post(port, statuses(("a", "sent"))) == 200
        assert not guess.done()
        delays.are_over.set()
        assert guess.result() == 401


def test_valid_deliveries_are_not_delayed_whatever_comes_from_the_same_address(store, delays):
    delays.are_over.clear()
    with served(create_app(store, [LOGIN])) as port, ThreadPoolExecutor(40) as attackers:
        guesses = [attackers.submit(post, port, {}, WRONG) for _ in range(200)]
        wait_until(lambda: len(delays.seconds) == 4)
        assert {post(port, statuses(("a", "sent"))) for _ in range(20)} == {200}
        assert not all(guess.done() for guess in guesses), "the delays last until the next line"
        delays.are_over.set()
        assert {guess.result() for guess in guesses} == {401, 429}


def test_guesses_at_once_do_not_pile_up(store, delays):
    with served(create_app(store, [LOGIN])) as port, ThreadPoolExecutor(30) as attackers:
        for _ in range(6):
            post(port, {}, WRONG)
        delays.are_over.clear()
        guesses = [attackers.submit(post, port, {}, WRONG) for _ in range(30)]
        wait_until(lambda: sum(guess.done() for guess in guesses) == 26)
        delays.are_over.set()
        assert [guess.result() for guess in guesses].count(401) == 4


def test_the_log_names_the_address_once_a_minute(store, caplog):
    with served(create_app(store, [LOGIN], address_header="X-Real-IP")) as port:
        for _ in range(3):
            post(port, {}, {**WRONG, "X-Real-IP": "198.51.100.7"})
    lines = [record.getMessage() for record in caplog.records if "credentials" in record.getMessage()]
    assert lines == [
        "Rejected 1 deliveries without valid credentials or signature, the last one from 198.51.100.7"
    ]


def test_a_header_that_is_not_configured_is_not_trusted(store, caplog, delays):
    headers = {
        **WRONG,
        "X-Real-IP": "198.51.100.7",
        "X-Forwarded-For": "198.51.100.7",
        "Forwarded": "for=198.51.100.7",
    }
    with served(create_app(store, [LOGIN]), proxy_headers=False) as port:
        for number in range(5):
            assert post(port, {}, {**headers, "X-Forwarded-For": f"198.51.100.{number}"}) == 401
    assert len(delays.seconds) == 2, "another address for each guess makes no difference"
    assert "from 127.0.0.1" in caplog.text
    assert "198.51.100" not in caplog.text


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ([b"198.51.100.7"], "198.51.100.7"),
        ([b"198.51.100.7:5000"], "198.51.100.7"),
        ([b"10.9.9.9, 198.51.100.7"], "198.51.100.7"),
        ([b"10.9.9.9", b"198.51.100.7"], "198.51.100.7"),
        ([b"2001:DB8::7"], "2001:db8::7"),
        ([b"[2001:db8::7]:443"], "2001:db8::7"),
        ([b"198.51.100.7\nfake log line"], "192.0.2.1"),
        ([b"unknown"], "192.0.2.1"),
        ([b""], "192.0.2.1"),
        ([b"\xff\xfe"], "192.0.2.1"),
        ([b"9" * 10_000], "192.0.2.1"),
        ([], "192.0.2.1"),
    ],
)
def test_the_address_is_the_last_one_in_the_configured_header(values, address):
    scope = {"client": ("192.0.2.1", 1), "headers": [(b"x-real-ip", value) for value in values]}
    assert caller_address(scope, b"x-real-ip") == address


@pytest.mark.parametrize("client", [None, ("", 0)])
def test_a_unix_socket_has_no_address(client):
    assert caller_address({"client": client, "headers": []}, None) == "unknown"


async def test_memory_is_bounded_whatever_addresses_are_used():
    failed = FailedLogins()
    for number in range(3000):
        assert await failed.delay(f"10.0.{number // 250}.{number % 250}")
    assert len(failed._failures) == 1000
    assert failed._waiting == {}


async def test_addresses_of_one_ipv6_network_count_as_one():
    failed = FailedLogins()
    for number in range(10):
        await failed.delay(f"2001:db8::{number}")
    assert list(failed._failures) == ["2001:db8::/64"]
    await failed.delay("::ffff:192.0.2.1")
    assert list(failed._failures)[-1] == "192.0.2.1"


async def test_an_address_starts_anew_after_a_while(monkeypatch, delays):
    failed = FailedLogins()
    for _ in range(4):
        await failed.delay("192.0.2.1")
    monkeypatch.setattr(logins, "_FORGET_AFTER_SECONDS", -1.0)
    assert await failed.delay("192.0.2.1")
    assert len(delays.seconds) == 1


async def test_many_addresses_together_hold_no_more_than_some_responses(delays):
    failed = FailedLogins()
    delays.are_over.clear()
    tasks = []
    for host in range(100):
        for _ in range(3):
            await failed.delay(f"192.0.2.{host}")
        tasks.append(asyncio.create_task(failed.delay(f"192.0.2.{host}")))
    await asyncio.sleep(0)
    assert sum(task.done() for task in tasks) == 36
    delays.are_over.set()
    assert (await asyncio.gather(*tasks)).count(True) == 64
    assert failed._waiting == {}

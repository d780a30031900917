"""Rate limits: one limiter for each number in a process, and no worker that sleeps for minutes."""

import asyncio
from types import SimpleNamespace

import pytest

from airflow_provider_d360.api.errors import D360RateLimitError
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.sending import rates
from airflow_provider_d360.transport.client import Transport


@pytest.fixture
def slept(monkeypatch):
    """Note the waits in place of sleeping, begin with no history, and let no time pass."""
    waits = []

    async def asleep(seconds):
        waits.append(seconds)

    monkeypatch.setattr(rates, "_limiters", {})
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    monkeypatch.setitem(Transport.__init__.__kwdefaults__, "sleep", waits.append)
    monkeypatch.setitem(Transport.__init__.__kwdefaults__, "asleep", asleep)
    return waits


def test_two_hooks_of_one_number_share_its_rate_limit(d360_emulator, monkeypatch, slept):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(messages_per_second=0.1))
    D360Hook().send("4915112345689", "Hello")
    asyncio.run(D360Hook().asend("4930000000001", "Hello"))
    assert slept[0] == 0
    assert 9 < slept[1] <= 10


def test_a_person_who_got_45_messages_at_once_waits_and_others_do_not(d360_emulator, slept):
    hook = D360Hook()
    for _ in range(46):
        hook.send("4915112345689", "Hello")
    hook.send("4930000000001", "Hello")
    assert max(slept[:45]) < 1
    assert 4 < slept[45] <= 6.01
    assert slept[46] < 1


def test_each_writing_of_a_number_is_the_same_person(d360_emulator, slept):
    hook = D360Hook()
    for _ in range(45):
        hook.send("4915112345689", "Hello")
    hook.send("+49 151 123456-89", "Hello")
    assert 4 < slept[45] <= 6.01


def test_a_wait_of_more_than_a_minute_is_an_error_that_knows_how_long(d360_emulator, monkeypatch, slept):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(messages_per_second=0.01))
    hook = D360Hook()
    hook.send("4915112345689", "Hello")
    with pytest.raises(D360RateLimitError) as caught:
        hook.send("4915112345689", "Hello")
    assert 60 < (caught.value.detail.retry_after_seconds or 0) <= 100
    assert len(d360_emulator.sent) == 1

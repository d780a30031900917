"""Readers of the inbox, on the command line."""

import time

import pytest

from airflow_provider_d360 import cli
from airflow_provider_d360.cli.cursors import NOT_THERE
from airflow_provider_d360.cli.stores import NO_STORE
from tests.provider.inboxes import ANN, arrive

pytestmark = pytest.mark.usefixtures("client")


def run(capsys, *arguments):
    code = cli.main(["cursors", *arguments])
    out, error = capsys.readouterr()
    assert ANN not in out + error
    return code, out, error


def test_the_list_says_what_each_has_not_read(store, capsys):
    for name in ("orders", "support"):
        store.cursors.ensure(name, time.time())
    arrive(store, "one", received_at=time.time() - 60)
    store.cursors.acknowledge(
        "orders", {one.message_id: one.received_at for one in store.inbox.unread("orders")}, 1.0
    )
    code, out, _ = run(capsys)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "orders: 0 messages unread"
    assert lines[1].startswith("support: 1 messages unread, the oldest of 20")


def test_a_cursor_is_forgotten_once(store, capsys):
    store.cursors.ensure("orders", time.time())
    assert run(capsys, "--forget", "orders")[:2] == (
        0,
        "Forgotten: orders. The next purge keeps nothing for it.\n",
    )
    code, _, error = run(capsys, "--forget", "orders")
    assert (code, error) == (NOT_THERE, "There is no cursor 'orders'\n")
    assert run(capsys)[1].startswith("There is no cursor in the store sqlite:///")


def test_a_store_that_cannot_be_used_has_an_exit_code(monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", "/no/such/place/d360.sqlite")
    code, _, error = run(capsys)
    assert code == NO_STORE
    assert "The store cannot be used" in error

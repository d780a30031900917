"""A key that has expired silences those on call: they are told by another way, once."""

from __future__ import annotations

import json
import time
from contextlib import closing

import pytest

from airflow_provider_d360 import cli
from airflow_provider_d360.alerts.deliverer import deliver_due
from airflow_provider_d360.api.errors import D360AuthError
from airflow_provider_d360.notifications.d360 import D360Notifier
from airflow_provider_d360.store import Store
from tests.provider.test_notifier import TO, of_a_task
from tests.provider.test_notifier import store as store_path

__all__ = ["store_path"]

SAID = (
    "WhatsApp reports: Connection d360_default: key REJECTED. 360dialog rejects the API key: it has expired"
)


@pytest.fixture
def open_store(store_path):
    return lambda: Store(f"sqlite:///{store_path}")


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """What another service was told."""
    file = tmp_path / "pages.txt"
    monkeypatch.setenv("AIRFLOW__D360__NOTICE_NOTIFIER", "tests.receiver.pager.Pager")
    kwargs = {"path": str(file), "text": "{{ notice }}"}
    monkeypatch.setenv("AIRFLOW__D360__NOTICE_NOTIFIER_KWARGS", json.dumps(kwargs))
    return lambda: file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def set_key(d360_emulator, monkeypatch):
    good = json.loads(d360_emulator.connection())

    def set_to(key):
        monkeypatch.setenv(
            "AIRFLOW_CONN_D360_DEFAULT", json.dumps({**good, "password": key or good["password"]})
        )

    return set_to


def fail(run_id):
    with pytest.raises(D360AuthError):
        D360Notifier(to=TO)(of_a_task(run_id))


def notices(open_store):
    with closing(open_store()) as store:
        return [notice.describe() for notice in store.notices.current(time.time())]


def test_an_expired_key_is_announced_once_at_the_first_alert(open_store, pages, set_key):
    set_key("expired")
    fail("run_A")
    fail("run_B")
    (line,) = pages()
    assert line.startswith(SAID)
    assert "expired-" not in line
    assert len(notices(open_store)) == 1


def test_after_a_good_key_the_next_bad_one_is_announced_again(open_store, pages, set_key):
    set_key("expired")
    fail("run_A")
    set_key(None)
    D360Notifier(to=TO)(of_a_task("run_B"))
    assert notices(open_store) == []
    set_key("expired")
    fail("run_C")
    assert len(pages()) == 2


def test_whoever_delivers_later_announces_what_could_not_be_announced(
    open_store, pages, set_key, monkeypatch, tmp_path, caplog
):
    (tmp_path / "pages.txt").mkdir()  # the other service is out, too
    set_key("expired")
    fail("run_A")
    assert "could not be announced: IsADirectoryError. It is tried again in five minutes" in caplog.text
    assert str(tmp_path) not in caplog.text.partition("could not be announced")[2]
    (tmp_path / "pages.txt").rmdir()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 301)
    with closing(open_store()) as store:
        deliver_due(store, time.monotonic() + 60)
    assert len(pages()) == 1


def test_other_errors_say_nothing_about_the_key(d360_emulator, open_store, pages):
    d360_emulator.reject(131042)  # the account cannot pay
    fail("run_A")
    assert pages() == notices(open_store) == []


@pytest.mark.usefixtures("open_store")
def test_the_check_shows_a_rejected_key_until_it_is_mended(
    open_store, set_key, capsys, monkeypatch, d360_emulator
):
    set_key("expired")
    fail("run_A")
    assert cli.main(["check"]) == 4
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", d360_emulator.connection())
    assert cli.main(["check", "--conn-id", "other"]) == 0
    assert "! notices     Connection d360_default: key REJECTED" in capsys.readouterr().out
    set_key(None)
    assert cli.main(["check"]) == 0
    assert notices(open_store) == []

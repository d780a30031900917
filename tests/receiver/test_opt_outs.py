"""What people wish fills the list of opt-outs, in the transaction in which it is received."""

from __future__ import annotations

import time

import pytest

from airflow_provider_d360.receiver.settings import SettingsError, configured_keywords
from airflow_provider_d360.store import Scope, Store
from tests.core.deliveries import NUMBER, USER, change_value, cloud, failed, message
from tests.receiver.doors import post


def written(text: str, at: int = 1700000002, **more: object) -> dict[str, object]:
    body = message("text", message_id=f"{text}-{at}", text={"body": text}, **more) | {"timestamp": str(at)}
    return cloud(change_value(messages=[body]))


def preference(value: str, at: int) -> dict[str, object]:
    item = {"wa_id": NUMBER, "category": "marketing_messages", "value": value, "timestamp": at}
    return cloud(change_value(user_preferences=[item]), field="user_preferences")


def scope(store: Store, recipient: str = NUMBER) -> Scope | None:
    found = store.suppressions.find([recipient], marketing=True)
    return found[recipient].scope if recipient in found else None


@pytest.mark.parametrize(
    ("body", "source", "reason"),
    [
        (preference("stop", 1700000001), "user_preferences", None),
        (failed(code=131050), "131050", None),
        (written("STOP"), "keyword", "stop"),
    ],
)
def test_who_opts_out_is_on_the_list_when_the_response_comes(port, store, body, source, reason):
    assert post(port, body) == 200
    [kept] = store.suppressions.all()
    assert (kept.recipient, kept.scope, kept.source, kept.reason) == (NUMBER, Scope.MARKETING, source, reason)
    assert kept.at == pytest.approx(1700000001.5, abs=1.0)


def test_a_person_is_known_by_number_and_user_id(port, store):
    assert post(port, written("stop", from_user_id=USER)) == 200
    assert scope(store) is scope(store, USER) is Scope.MARKETING


def test_the_newest_wish_counts_in_whatever_sequence_deliveries_come(port, store):
    for body in (preference("stop", 1700000001), written("start", 1700000003), written("stop", 1700000002)):
        assert post(port, body) == 200
    assert scope(store) is None
    assert post(port, preference("stop", 1700000004)) == 200
    assert scope(store) is Scope.MARKETING


def test_wishes_of_one_delivery_are_all_read(port, store):
    messages = [
        message("text", "a", text={"body": "stop"}),
        {**message("text", "b", text={"body": "stop"}), "from": "4915100000001"},
    ]
    statuses = [
        {"id": "s", "status": "failed", "recipient_id": "4915100000002", "errors": [{"code": 131050}]}
    ]
    assert post(port, cloud(change_value(messages=messages, statuses=statuses))) == 200
    assert {one.recipient for one in store.suppressions.all()} == {NUMBER, "4915100000001", "4915100000002"}


def test_a_wish_from_the_future_does_not_outlast_what_follows(port, store):
    assert post(port, written("stop", int(time.time()) + 86_400)) == 200
    assert scope(store) is Scope.MARKETING
    assert post(port, written("start", int(time.time()) + 2)) == 200
    assert scope(store) is None


def test_the_words_are_configured(monkeypatch):
    assert "abmelden" in configured_keywords().stop
    assert configured_keywords().stops_everything is False
    monkeypatch.setenv("AIRFLOW__D360__STOP_WORDS", "Genug, default")
    monkeypatch.setenv("AIRFLOW__D360__START_WORDS", "Doch")
    monkeypatch.setenv("AIRFLOW__D360__STOP_SCOPE", "ALL")
    words = configured_keywords()
    assert {"genug", "abmelden"} <= words.stop
    assert words.start == {"doch"}
    assert words.stops_everything is True
    monkeypatch.setenv("AIRFLOW__D360__STOP_WORDS", "")
    assert configured_keywords().stop == frozenset()


def test_an_unknown_scope_is_an_error_that_names_the_option(monkeypatch):
    monkeypatch.setenv("AIRFLOW__D360__STOP_SCOPE", "some")
    with pytest.raises(SettingsError, match="stop_scope must be marketing or all"):
        configured_keywords()

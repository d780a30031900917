"""Nobody who asked for no more messages gets one, whoever sends it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from sqlalchemy import event

from airflow_provider_d360.api.errors import (
    Condition,
    D360RecipientError,
    D360RequestError,
    D360UnavailableError,
)
from airflow_provider_d360.compat import AirflowFailException, AirflowSkipException
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.hooks import ledgers
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.hooks.suppression import suppress, unsuppress
from airflow_provider_d360.messages import document, template
from airflow_provider_d360.notifications.d360 import D360Notifier
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.operators.suppression import D360SuppressOperator
from airflow_provider_d360.store import Scope, Store
from airflow_provider_d360.store.configured import configured_store

TO, OTHER = "4915112345689", "4930000000001"
OFFER = template("offer", language="en_US")


@pytest.fixture
def store(d360_emulator):
    with closing(configured_store()) as store:
        yield store


def add(store: Store, scope: Scope = Scope.ALL, *people: str) -> None:
    store.suppressions.add(people or [TO], scope=scope, source="cli", at=1_780_000_000.0)


def send_blocking(*arguments, **options):
    return D360Hook().send(*arguments, **options)


def send_async(*arguments, **options):
    async def work():
        hook = D360Hook()
        try:
            return await hook.asend(*arguments, **options)
        finally:
            await hook.aclose()

    return asyncio.run(work())


both = pytest.mark.parametrize("send", [send_blocking, send_async])


def offer(emulator, category="MARKETING"):
    """Let the template be there, in this category."""
    emulator.templates.add(
        {"name": "offer", "language": "en_US", "category": category, "components": []}, status="approved"
    )


@both
def test_the_hook_sends_nothing_to_somebody_who_opted_out(d360_emulator, store, send):
    add(store)
    with pytest.raises(D360RecipientError, match="asked for no more messages") as error:
        send(f"+{TO}", "Hello")
    assert error.value.detail.condition is Condition.OPTED_OUT
    assert "since 2026-05-28, source cli" in str(error.value)
    assert TO not in str(error.value)
    assert send(OTHER, "Hello").message_id
    assert [message.to for message in d360_emulator.sent] == [OTHER]


def test_nothing_is_uploaded_for_somebody_who_opted_out(d360_emulator, store, tmp_path):
    add(store)
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.4")
    with pytest.raises(D360RecipientError):
        send_blocking(TO, document(path=str(path)))
    assert d360_emulator.requests == []


def test_what_is_not_sent_is_recorded_as_suppressed(d360_emulator, store):
    add(store)
    with pytest.raises(D360RecipientError):
        send_blocking(TO, "Hello")
    with pytest.raises(D360RecipientError):
        send_blocking(TO, "Hello", idempotency_key="invoice 17")
    with closing(sqlite3.connect(store.url.database)) as file:
        rows = file.execute("SELECT state, reason, kept FROM d360_ledger").fetchall()
    reason = "D360RecipientError: The recipient asked for no more messages"
    assert sorted(rows) == [("suppressed", reason, 0), ("suppressed", reason, 1)]


def test_a_suppressed_message_is_sent_once_the_person_is_off_the_list(d360_emulator, store):
    add(store)
    with pytest.raises(D360RecipientError):
        send_blocking(TO, "Hello", idempotency_key="invoice 17")
    store.suppressions.remove([TO], source="cli", at=1_780_000_001.0)
    sent = send_blocking(TO, "Hello", idempotency_key="invoice 17")
    add(store)
    again = send_blocking(TO, "Hello", idempotency_key="invoice 17")
    assert again.message_id == sent.message_id  # it went out before
    assert len(d360_emulator.sent) == 1


@both
def test_an_opt_out_of_marketing_leaves_texts_and_alerts(d360_emulator, store, send):
    add(store, Scope.MARKETING)
    send(TO, "Your parcel is here")
    with pytest.raises(D360RecipientError, match="no more marketing messages"):
        send(TO, "Everything must go", marketing=True)
    assert len(d360_emulator.sent) == 1


@both
@pytest.mark.parametrize(
    ("category", "goes"), [("MARKETING", False), ("UTILITY", True), ("AUTHENTICATION", True)]
)
def test_a_template_is_what_its_category_says(d360_emulator, store, send, category, goes):
    add(store, Scope.MARKETING)
    offer(d360_emulator, category)
    if goes:
        send(TO, OFFER)
    else:
        with pytest.raises(D360RecipientError, match="marketing"):
            send(TO, OFFER)
    assert len(d360_emulator.sent) == goes


def test_a_category_that_is_known_is_not_looked_up(d360_emulator, store):
    add(store, Scope.MARKETING)
    offer(d360_emulator, "MARKETING")
    send_blocking(TO, OFFER, marketing=False)
    with pytest.raises(D360RecipientError):
        send_blocking(TO, OFFER, marketing=True)
    assert [request.path for request in d360_emulator.requests] == ["/messages"]


def test_nobody_elses_message_costs_another_request(d360_emulator, store):
    offer(d360_emulator)
    send_blocking(TO, OFFER)
    assert [request.path for request in d360_emulator.requests] == ["/messages"]


def test_a_template_that_is_not_there_counts_as_marketing(d360_emulator, store):
    add(store, Scope.MARKETING)
    with pytest.raises(D360RecipientError):
        send_blocking(TO, OFFER)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(faults.any_response(403, {}), D360RecipientError), (faults.server_error(), D360UnavailableError)],
)
def test_a_category_that_cannot_be_read_lets_nothing_out(d360_emulator, store, monkeypatch, fault, error):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(max_attempts=1))
    add(store, Scope.MARKETING)
    offer(d360_emulator, "UTILITY")
    d360_emulator.fail_next(fault, times=10)
    with pytest.raises(error):
        send_blocking(TO, OFFER)
    assert d360_emulator.sent == []


def test_marketing_must_be_a_boolean(d360_emulator):
    with pytest.raises(D360RequestError, match="marketing must be a boolean"):
        send_blocking(TO, "Hello", marketing="false")


@both
def test_a_list_that_cannot_be_read_lets_nothing_out(d360_emulator, store, send):
    add(store)
    with closing(sqlite3.connect(store.url.database)) as file:
        file.execute("ALTER TABLE d360_suppressions RENAME COLUMN active TO inactive")
    with pytest.raises(D360UnavailableError, match="nothing was sent"):
        send(OTHER, "Hello")
    assert d360_emulator.sent == []


def test_whoever_whatsapp_refuses_for_an_opt_out_is_put_on_the_list(d360_emulator, store):
    d360_emulator.reject(131050, to=TO)
    for marketing in (None, True):
        with pytest.raises(D360RecipientError):
            send_blocking(TO, OFFER, marketing=marketing)
    [kept] = store.suppressions.all()
    assert (kept.recipient, kept.scope, kept.source) == (TO, Scope.MARKETING, "131050")
    assert len([request for request in d360_emulator.requests if request.path == "/messages"]) == 1


def send(**options):
    return D360SendMessageOperator(task_id="send", to=TO, message="Hello", **options)


def test_a_task_fails_at_once_or_is_skipped(d360_emulator, store):
    add(store)
    with pytest.raises(AirflowFailException, match="asked for no more messages"):
        send().execute({})
    with pytest.raises(AirflowSkipException, match="asked for no more messages"):
        send(on_suppressed="skip").execute({})
    assert d360_emulator.sent == []


def test_a_task_knows_whether_it_is_marketing(d360_emulator, store):
    add(store, Scope.MARKETING)
    with pytest.raises(AirflowSkipException):
        send(on_suppressed="skip", marketing=True).execute({})
    send(on_suppressed="skip", marketing=False).execute({})
    assert len(d360_emulator.sent) == 1


def test_skipping_is_for_opt_outs_only(d360_emulator):
    d360_emulator.reject(131026, to=TO)
    with pytest.raises(AirflowFailException):
        send(on_suppressed="skip").execute({})
    with pytest.raises(ValueError, match="on_suppressed"):
        send(on_suppressed="ignore")


def alert(to):
    with DAG("etl", schedule=None):
        task = BaseOperator(task_id="load")
    instance = RuntimeTaskInstance.model_construct(
        id="1", task=task, task_id="load", dag_id="etl", run_id="run", state="failed", try_number=1, max_tries=0,
        map_index=-1,
    )  # fmt: skip
    D360Notifier(to=to, message="Hi")({**instance.get_template_context(), "exception": ValueError("x")})


def test_an_alert_goes_to_whoever_opted_out_of_marketing_alone(d360_emulator, store):
    add(store, Scope.MARKETING, TO)
    add(store, Scope.ALL, OTHER)
    with pytest.raises(D360RecipientError):
        alert([TO, OTHER])
    assert [message.to for message in d360_emulator.sent] == [TO]


def test_people_are_added_and_removed_by_the_hook(d360_emulator, store):
    hook = D360Hook()
    assert hook.run(suppress, [f"+{TO}", TO, OTHER], scope="marketing", reason="by letter") == 2
    kept = {one.recipient: one for one in store.suppressions.all()}
    assert kept.keys() == {TO, OTHER}
    assert (kept[TO].scope, kept[TO].source, kept[TO].reason) == (Scope.MARKETING, "hook", "by letter")
    assert hook.run(unsuppress, TO) == 1
    assert hook.run(unsuppress, TO) == 0
    assert [one.recipient for one in store.suppressions.all()] == [OTHER]


def test_people_are_added_without_blocking_the_event_loop(d360_emulator, store):
    assert asyncio.run(D360Hook().arun(suppress, TO)) == 1
    assert [one.scope for one in store.suppressions.all()] == [Scope.ALL]


def test_of_a_list_with_a_wrong_number_nobody_is_added(d360_emulator, store):
    with pytest.raises(D360RequestError, match="letters"):
        D360Hook().run(suppress, [TO, "nobody"])
    with pytest.raises(D360RequestError, match="scope"):
        D360Hook().run(suppress, TO, scope="some")
    assert list(store.suppressions.all()) == []


def test_without_a_store_nobody_can_be_added(d360_emulator, monkeypatch, tmp_path):
    monkeypatch.delenv("AIRFLOW__D360__STORE_PATH")
    monkeypatch.setattr("airflow_provider_d360.store.configured.AIRFLOW_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(D360UnavailableError, match="no store"):
        D360Hook().run(suppress, TO)
    assert send_blocking(TO, "Hello").message_id


def test_people_are_added_and_removed_by_a_task(d360_emulator, store, caplog):
    with DAG("dag", schedule=None):
        operator = D360SuppressOperator(task_id="t", to="{{ to }}", reason="{{ why }}", scope="marketing")
    context: Any = {"to": TO, "why": "asked by letter"}
    operator.render_template_fields(context)
    assert TO not in str(operator.to)
    assert "letter" not in str(operator.reason)
    assert operator.execute({}) == 1
    [kept] = store.suppressions.all()
    assert (kept.recipient, kept.scope, kept.source, kept.reason) == (
        TO,
        Scope.MARKETING,
        "operator",
        "asked by letter",
    )
    assert D360SuppressOperator(task_id="t", to=[TO, OTHER], action="remove").execute({}) == 1
    assert list(store.suppressions.all()) == []
    assert TO not in caplog.text


def test_a_task_without_people_fails(d360_emulator, store):
    with pytest.raises(AirflowFailException, match="to is empty"):
        D360SuppressOperator(task_id="t", to="").execute({})
    for wrong in ({"action": "keep"}, {"scope": "some"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            D360SuppressOperator(task_id="t", to=TO, **wrong)


def test_a_send_asks_the_list_once(d360_emulator, store):
    statements: list[str] = []
    send_blocking(OTHER, "Hello")  # opens the store
    [used] = [one for one in ledgers._open_stores.values() if one.url == store.url]
    engine = used._database._engine
    assert engine is not None
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    send_blocking(TO, "Hello")
    assert len([one for one in statements if "d360_suppressions" in one]) == 1

"""One message, whatever Airflow does: over retries, kills and *Clears*, with a store and with Airflow's state."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
import types
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from airflow.sdk import DAG

from airflow_provider_d360.api.errors import D360AmbiguousError, D360RequestError, D360UnavailableError
from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.compat import AirflowFailException, AirflowRuntimeError, AirflowTaskTimeout
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.hooks import ledgers
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.hooks.place import place_of
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.sending import identity
from airflow_provider_d360.sending.record import SendRecord
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.transport.client import Transport

TO = "4915112345689"
OTHER = "4930000000001"
HELD = {
    "messaging_product": "whatsapp",
    "contacts": [{"input": TO, "wa_id": TO}],
    "messages": [{"id": "wamid.1", "message_status": "held_for_quality_assessment"}],
}


class StateStore(dict):
    """Airflow's task state store, as one task instance sees it; ``broken`` breaks calls."""

    broken = False

    def set(self, key, value):
        if self.broken:
            raise OSError("supervisor gone")
        self[key] = json.loads(json.dumps(value))

    def delete(self, key):
        self.pop(key, None)


@pytest.fixture
def without_store(d360_emulator, monkeypatch, tmp_path):
    """Let the default store be unusable, and none be configured."""
    monkeypatch.delenv("AIRFLOW__D360__STORE_PATH")
    monkeypatch.setattr("airflow_provider_d360.store.configured.AIRFLOW_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(ledgers, "_warnings", set())


@pytest.fixture
def state(without_store):
    """Give a task Airflow's state, and no store."""
    return StateStore()


def context(clear_number=0, state=None, started=1, **fields):
    place = {"dag_id": "dag", "run_id": "run", "task_id": "send", "map_index": -1, "try_number": 1}
    run_fields = {
        "clear_number": clear_number,
        "logical_date": datetime(2026, 7, 1, tzinfo=timezone.utc),
        "start_date": datetime(2026, 7, started, tzinfo=timezone.utc),
    }
    instance = types.SimpleNamespace(**{**place, "max_tries": 2 + 3 * clear_number, **fields})
    return {"ti": instance, "dag_run": types.SimpleNamespace(**run_fields), "task_state_store": state}


def run(to=TO, message="Hello", where=None, **arguments):
    operator = D360SendMessageOperator(task_id="send", to=to, message=message, **arguments)
    return operator.execute(where or context())


def cleared(number=1, **fields):
    return context(clear_number=number, **fields)


def ledger():
    with closing(configured_store()) as store, store._database._open().connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM d360_ledger ORDER BY at").mappings()
        return [dict(row) for row in rows]


def states():
    return [row["state"] for row in ledger()]


def interrupt(emulator, **fields):
    """Leave what a worker leaves that is killed after the message was accepted."""

    class Killed(BaseException):
        pass

    def killed(self, sent):
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_d360.sending.record.SendRecord.accepted", killed)
        with pytest.raises(Killed):
            run(where=context(**fields))
    assert emulator.sent
    age_intents()


def age_intents():
    """Let what was about to be sent be older than any request may take."""
    with closing(configured_store()) as store, store._database._open().begin() as connection:
        connection.exec_driver_sql("UPDATE d360_ledger SET at = at - 3600 WHERE state = 'intended'")


def test_the_intent_stands_before_the_message_goes_and_the_outcome_after(d360_emulator, monkeypatch):
    before = []
    monkeypatch.setattr(d360_emulator, "on_change", lambda sent: before.append(states()))
    message_id = run()
    assert before[0] == ["intended"]
    (row,) = ledger()
    assert (row["state"], row["message_id"], row["source"]) == ("accepted", message_id, "task")


def test_the_intent_travels_with_the_message_and_says_nothing(d360_emulator):
    run()
    (row,) = ledger()
    assert d360_emulator.sent[0].body["biz_opaque_callback_data"] == row["intent"]
    assert TO not in row["intent"]


@pytest.mark.parametrize(
    "again", [{}, {"try_number": 2}, {"clear_number": 1}], ids=["same", "retry", "clear"]
)
@pytest.mark.parametrize("message", ["Hello", "Hello of 10:00:07"])
def test_what_was_sent_is_not_sent_again(d360_emulator, again, message):
    first = run()
    assert run(message=message, where=context(**again)) == first
    assert len(d360_emulator.sent) == 1
    assert states() == (["accepted"] if message == "Hello" else ["accepted", "withheld"])


def test_a_message_that_changed_since_is_withheld_and_the_log_says_so(d360_emulator, caplog):
    run()
    for _ in range(2):
        run(message="Hello again", where=cleared())
    assert "has changed since. It is recorded as withheld" in caplog.text
    assert states() == ["accepted", "withheld"]


def send_list(recipients, where=context, **fields):
    for index, (to, message) in enumerate(recipients):
        run(to=to, message=message, where=where(map_index=index, **fields))


def test_a_list_in_another_order_sends_nothing_again(d360_emulator):
    people = [(f"49151000{number:05}", "Hello") for number in range(10)]
    send_list(people)
    for number, shuffled in enumerate(([*people[5:], *people[:5]], [("4915199999999", "New"), *people]), 1):
        send_list(shuffled, cleared, number=number)
    assert sorted(sent.to for sent in d360_emulator.sent) == sorted(
        [*(to for to, _ in people), "4915199999999"]
    )


def test_a_recipient_that_alternates_gets_one_message(d360_emulator):
    for number, to in enumerate([TO, OTHER, TO, OTHER]):
        run(to=to, where=cleared(number))
    assert [sent.to for sent in d360_emulator.sent] == [TO, OTHER]


def test_two_orders_of_one_customer_are_two_messages_and_stay_two(d360_emulator):
    orders = [(TO, "Order 1"), (TO, "Order 2")]
    send_list(orders)
    send_list(reversed(orders), cleared)
    assert [sent.body["text"]["body"] for sent in d360_emulator.sent] == ["Order 1", "Order 2"]
    assert states() == ["accepted", "accepted"]


def test_a_run_that_was_deleted_and_is_run_again_sends_nothing_again(d360_emulator):
    send_list([(TO, "A"), (OTHER, "B")])
    send_list([(OTHER, "B"), (TO, "A")], started=2, run_id="backfill")
    assert len(d360_emulator.sent) == 2


def test_another_run_and_another_task_are_other_messages(d360_emulator):
    run()
    other_day = context(run_id="other")
    other_day["dag_run"].logical_date = datetime(2026, 7, 2, tzinfo=timezone.utc)
    run(where=other_day)
    run(where=context(task_id="send_again"))
    assert len(d360_emulator.sent) == 3


def test_a_new_api_key_makes_no_message_go_out_twice(d360_emulator, monkeypatch):
    first = run()
    d360_emulator.numbers["new-key"] = replace(d360_emulator.numbers["cloud-key"], key="new-key")
    changed = d360_emulator.connection().replace("cloud-key", "new-key")
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", changed)
    assert run(where=context(try_number=2)) == first


def test_another_writing_of_the_same_number_is_the_same_recipient(d360_emulator):
    assert run() == run(to="+49 151 12345689", where=cleared())


def test_a_key_of_the_users_own_counts_across_dags_and_runs(d360_emulator):
    first = run(idempotency_key="invoice 17")
    other = context(dag_id="other", run_id="other", task_id="other")
    assert run(message="Invoice 17 again", idempotency_key="invoice 17", where=other) == first
    assert D360Hook().send(TO, "Invoice 17", idempotency_key="invoice 17").message_id == first
    run(idempotency_key="invoice 18")
    run(to=OTHER, idempotency_key="invoice 17")
    assert len(d360_emulator.sent) == 3


@pytest.mark.parametrize("key", ["", "  ", "None", "nan", True, 1.5, ["invoice"]])
def test_a_key_that_names_nothing_sends_nothing(d360_emulator, key):
    with pytest.raises(AirflowFailException, match="idempotency_key is empty or no text"):
        run(idempotency_key=key)
    with pytest.raises(D360RequestError, match="idempotency_key is empty or no text"):
        D360Hook().send(TO, "Hello", idempotency_key=key)
    assert d360_emulator.sent == []


def test_the_ledger_holds_neither_number_nor_text(d360_emulator):
    run(message="a canary text", idempotency_key="canary-key")
    text = str(ledger())
    for private in (TO, "canary", "cloud-key"):
        assert private not in text


# Interrupted and lost


def test_a_try_after_a_kill_fails_and_says_what_to_do(d360_emulator):
    interrupt(d360_emulator)
    with pytest.raises(AirflowFailException, match=r'An earlier try was interrupted.*"airflow d360 unknown"'):
        run(where=context(try_number=2), ambiguity_wait_seconds=0)
    assert len(d360_emulator.sent) == 1


def test_a_try_after_a_kill_sends_again_only_when_the_policy_says_so(d360_emulator):
    interrupt(d360_emulator)
    for try_number in (2, 3):
        run(where=context(try_number=try_number), on_ambiguous="resend", ambiguity_wait_seconds=0)
    assert len(d360_emulator.sent) == 2


def test_a_kill_before_the_connection_is_open_leaves_nothing(d360_emulator, monkeypatch):
    def killed(self, exchange):
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "_exchange", killed)
        with pytest.raises(SystemExit):
            run()
    assert ledger() == []
    run(where=context(try_number=2))
    assert len(d360_emulator.sent) == 1


def test_a_status_settles_a_lost_response_at_once_or_later(d360_emulator):
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    with pytest.raises(AirflowFailException, match="D360AmbiguousError"):
        run(ambiguity_wait_seconds=0)
    assert states() == ["unknown"]
    (row,) = ledger()
    with closing(configured_store()) as store:
        store.add([StatusEvent("wamid.1", "sent", biz_opaque_callback_data=row["intent"])], 1.0)
    assert states() == ["accepted"]
    assert run(where=context(try_number=2)) == "wamid.1"
    assert len(d360_emulator.sent) == 1


def test_a_status_that_comes_while_the_task_waits_for_it_lets_it_succeed(d360_emulator):
    def come(sent):
        event = StatusEvent("wamid.1", "sent", biz_opaque_callback_data=sent.body["biz_opaque_callback_data"])
        with closing(configured_store()) as store:
            store.add([event], 1.0)

    d360_emulator.fail_next(faults.accepted_and_cut_off())
    d360_emulator.on_change = lambda sent: threading.Timer(1.0, come, [sent]).start()
    assert run() == "wamid.1"


def test_a_stored_proof_beats_the_policy_to_send_again(d360_emulator):
    interrupt(d360_emulator)
    (row,) = ledger()
    with closing(configured_store()) as store:
        store.add([StatusEvent("wamid.1", "sent", biz_opaque_callback_data=row["intent"])], 1.0)
    assert run(on_ambiguous="resend", where=context(try_number=2)) == "wamid.1"
    assert len(d360_emulator.sent) == 1


def test_a_lost_response_is_not_waited_for_when_no_status_can_carry_its_proof(d360_emulator, monkeypatch):
    def forbidden(seconds):
        raise AssertionError("it waits for nothing")

    d360_emulator.fail_next(faults.accepted_and_cut_off())
    monkeypatch.setattr("airflow_provider_d360.sending.recorded.Pause", forbidden)
    own = {"type": "text", "text": {"body": "Hi"}, "biz_opaque_callback_data": "mine"}
    with pytest.raises(AirflowFailException, match="D360AmbiguousError"):
        run(message=own)
    assert d360_emulator.sent[0].body["biz_opaque_callback_data"] == "mine"


@pytest.mark.parametrize("code", [131047, 130429])
def test_after_a_clear_refusal_the_next_try_sends(d360_emulator, code, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(max_attempts=1))
    d360_emulator.reject(code, times=1)
    with pytest.raises(Exception, match=str(code)):
        run()
    (row,) = ledger()
    assert row["state"] == "refused"
    assert row["reason"]
    run(where=context(try_number=2))
    assert len(d360_emulator.sent) == 1
    assert states() == ["accepted"]


def test_who_is_killed_while_a_rate_limit_is_waited_out_has_sent_nothing(d360_emulator, monkeypatch):
    standing = []

    def killed(seconds):
        if seconds:  # not the turn of this number, which has come
            standing.extend(states())
            raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setitem(Transport.__init__.__kwdefaults__, "sleep", killed)
        d360_emulator.fail_next(faults.too_many_requests())
        with pytest.raises(SystemExit):
            run()
    assert standing == ["refused"]
    run(where=context(try_number=2))
    assert len(d360_emulator.sent) == 1


def test_a_timeout_during_the_wait_after_a_rate_limit_is_left_to_retries(d360_emulator, monkeypatch):
    def expire(seconds):
        if seconds:
            raise AirflowTaskTimeout("Timeout")

    with monkeypatch.context() as patch:
        patch.setitem(Transport.__init__.__kwdefaults__, "sleep", expire)
        d360_emulator.fail_next(faults.too_many_requests())
        with pytest.raises(AirflowTaskTimeout):
            run()
    run(where=context(try_number=2))
    assert len(d360_emulator.sent) == 1


def test_without_any_record_a_timeout_fails_for_good(without_store, monkeypatch):
    def expire(*arguments):
        raise AirflowTaskTimeout("Timeout")

    monkeypatch.setattr(Transport, "_exchange", expire)
    with pytest.raises(AirflowFailException, match="may be on its way"):
        run()
    with pytest.raises(AirflowTaskTimeout):
        run(on_ambiguous="resend")


def test_a_second_process_waits_for_the_first(d360_emulator):
    d360_emulator.fail_next(faults.slow(1.5))
    ids = []
    threads = [threading.Thread(target=lambda: ids.append(run())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(d360_emulator.sent) == 1
    assert ids == 3 * [d360_emulator.sent[0].message_id]


# Resend and failed messages


def test_resend_sends_once_after_each_clear(d360_emulator):
    first = run()
    assert run(where=cleared()) == first
    second = run(resend=True, where=cleared())
    assert second != first
    assert run(resend=True, where=cleared(try_number=2)) == second


@pytest.mark.parametrize(
    ("written", "sends"),
    [("True", 2), ("yes", 2), ("1", 2), (1, 2), ("False", 1), ("no", 1), ("0", 1), (False, 1)],
)
def test_resend_may_come_out_of_a_template(d360_emulator, written, sends):
    run()
    run(resend=written, where=cleared())
    assert len(d360_emulator.sent) == sends


@pytest.mark.parametrize("written", ["maybe", "", "None", None, "on", "{{ params.resend }}", 0.5])
def test_a_resend_that_is_neither_true_nor_false_sends_nothing(d360_emulator, written):
    with pytest.raises(AirflowFailException, match=r"resend is .*; it can be true or false"):
        run(resend=written)
    assert d360_emulator.sent == []


def test_after_clear_with_resend_a_lost_response_is_not_settled_by_the_first_message(d360_emulator):
    first = run()
    (row,) = ledger()
    d360_emulator.fail_next(faults.reset())
    with pytest.raises(AirflowFailException, match="D360AmbiguousError"):
        run(resend=True, ambiguity_wait_seconds=0, where=cleared())
    with closing(configured_store()) as store:
        store.add([StatusEvent(first, "delivered", biz_opaque_callback_data=row["intent"])], 1.0)
    assert states() == ["unknown"]


def test_a_message_that_failed_goes_out_again_after_a_clear(d360_emulator):
    first = run()
    with closing(configured_store()) as store:
        store.add([StatusEvent(first, "failed")], 1.0)
    assert run(where=context(try_number=2)) == first
    assert run(where=cleared()) != first


def test_a_held_message_is_not_accepted_and_not_sent_again(d360_emulator, caplog):
    d360_emulator.fail_next(faults.any_response(200, HELD))
    assert [run(), run(where=context(try_number=2)), run(where=cleared())] == 3 * ["wamid.1"]
    assert "is not accepted yet: WhatsApp says held_for_quality_assessment" in caplog.text
    (row,) = ledger()
    assert (row["state"], row["reason"]) == ("held", "held_for_quality_assessment")
    assert d360_emulator.sent == []


# The hook


@pytest.fixture
def in_task(monkeypatch):
    """Let the hook find itself in a task; returns what sets its context."""
    current = [context()]
    monkeypatch.setattr("airflow_provider_d360.hooks.d360.current_place", lambda: place_of(current[0]))

    def enter(**fields):
        current[0] = context(**fields)

    return enter


def hook_send(*arguments, **options):
    return D360Hook().send(*arguments, **options).message_id


def hook_asend(*arguments, **options):
    async def send():
        hook = D360Hook()
        try:
            return (await hook.asend(*arguments, **options)).message_id
        finally:
            await hook.aclose()

    return asyncio.run(send())


both = pytest.mark.parametrize("send", [hook_send, hook_asend], ids=["sync", "async"])


@both
def test_a_lost_response_in_a_task_with_retries_leaves_one_copy(d360_emulator, in_task, send):
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    for try_number in (1, 2, 3):
        in_task(try_number=try_number)
        with pytest.raises(D360AmbiguousError):
            send(TO, "Hello")
    assert len(d360_emulator.sent) == 1


@both
def test_a_loop_in_a_task_sends_all_its_messages_once(d360_emulator, in_task, send):
    for fields in ({}, {"try_number": 2}, {"clear_number": 1}):
        in_task(**fields)
        for to, message in ((TO, "A"), (TO, "B"), (OTHER, "A"), (TO, "A")):
            send(to, message)
    assert [(sent.to, sent.body["text"]["body"]) for sent in d360_emulator.sent] == [
        (TO, "A"),
        (TO, "B"),
        (OTHER, "A"),
        (TO, "A"),
    ]


@both
def test_after_a_deferral_the_same_text_is_another_message_and_begun_anew_it_is_not(
    d360_emulator, in_task, send
):
    resumed = types.SimpleNamespace(next_method="resume", next_kwargs={"event": 1}, task_reschedule_count=0)
    for server in (None, resumed, resumed):
        in_task(_ti_context_from_server=server)
        send(TO, "Reminder")
        identity._counted_for.clear()  # a new process has counted nothing
    assert [sent.to for sent in d360_emulator.sent].count(TO) == 2


@both
def test_outside_a_task_each_call_sends_and_is_recorded(d360_emulator, send):
    assert send(TO, "Hello") != send(TO, "Hello")
    assert [(row["state"], row["source"], row["dag_id"]) for row in ledger()] == 2 * [
        ("accepted", "hook", "")
    ]


@both
def test_a_status_of_an_attempt_that_was_refused_ends_its_send_outside_a_task(
    d360_emulator, send, monkeypatch
):
    """A proxy refused it after it was accepted. The next attempt is not sent, and nobody looks for ever."""

    def come(self, error, failed=SendRecord.failed):
        failed(self, error)
        event = StatusEvent("wamid.1", "sent", biz_opaque_callback_data=self.token)
        with closing(configured_store()) as store:
            store.add([event], 1.0)

    looks = []

    def look(self, *, patient=True, look=SendRecord.look):
        looks.append(patient)
        assert len(looks) < 10, "it looks for ever"
        return look(self, patient=patient)

    monkeypatch.setattr(SendRecord, "failed", come)
    monkeypatch.setattr(SendRecord, "look", look)
    d360_emulator.reject(130429, times=1)
    assert send(TO, "Hello") == "wamid.1"
    assert d360_emulator.sent == []


# The store is away, and Airflow's state


def lock(path):
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def test_with_a_configured_store_that_is_away_nothing_is_sent_and_the_task_can_be_retried(
    d360_emulator, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", "/nowhere/at/all.sqlite")
    with pytest.raises(
        D360UnavailableError, match="The configured store cannot be used, so nothing was sent"
    ):
        run()
    monkeypatch.delenv("AIRFLOW__D360__STORE_PATH")
    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "no_such_connection")
    with pytest.raises(D360UnavailableError, match="The configured store cannot be used"):
        run()
    assert d360_emulator.sent == []


def test_a_store_that_is_locked_when_the_intent_is_due_stops_the_message(d360_emulator, monkeypatch):
    run(to=OTHER)
    with closing(configured_store()) as store:
        path = store.url.database
    with closing(lock(path)), pytest.raises(D360UnavailableError, match="so nothing was sent"):
        run()
    assert [sent.to for sent in d360_emulator.sent] == [OTHER]
    run(where=context(try_number=2))
    assert len(d360_emulator.sent) == 2


def test_a_message_that_is_out_counts_even_when_its_outcome_cannot_be_written(
    d360_emulator, monkeypatch, caplog
):
    def broken(*arguments):
        raise OSError("disk gone")

    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_d360.store.ledger.Ledger.conclude", broken)
        assert run() == d360_emulator.sent[0].message_id
    assert "could not be recorded: OSError" in caplog.text
    assert states() == ["intended"]


def test_a_default_store_that_cannot_be_opened_is_one_warning_and_stops_nothing(
    d360_emulator, without_store, caplog
):
    run()
    run(to=OTHER)
    assert len(d360_emulator.sent) == 2
    assert caplog.text.count("The default store cannot be used") == 1


@pytest.mark.parametrize("again", [{"try_number": 2}, {"clear_number": 1}], ids=["retry", "clear"])
def test_airflows_state_alone_prevents_second_copies(d360_emulator, state, again):
    first = run(where=context(state=state))
    assert run(message="Hello of 10:00:07", where=context(state=state, **again)) == first
    assert len(d360_emulator.sent) == 1


def test_a_mapped_index_that_goes_to_somebody_else_is_another_message_in_airflows_state(d360_emulator, state):
    for number, to in enumerate((TO, OTHER, TO)):
        run(to=to, where=cleared(number, state=state))
    assert [sent.to for sent in d360_emulator.sent] == [TO, OTHER]


def test_airflows_state_counts_where_the_default_store_is_another_machines(
    d360_emulator, monkeypatch, tmp_path, caplog
):
    monkeypatch.delenv("AIRFLOW__D360__STORE_PATH")
    state, ids = StateStore(), []
    for machine in ("one", "two"):
        (tmp_path / machine).mkdir()
        monkeypatch.setattr("airflow_provider_d360.store.configured.AIRFLOW_HOME", str(tmp_path / machine))
        ids.append(run(where=context(state=state)))
    assert ids[0] == ids[1]
    assert len(d360_emulator.sent) == 1
    assert "has changed since" not in caplog.text


def test_an_intent_in_airflows_state_is_overruled_by_the_store_beside_it(
    d360_emulator, monkeypatch, tmp_path
):
    """It is written first, so a worker that was killed between the two has sent nothing."""
    monkeypatch.delenv("AIRFLOW__D360__STORE_PATH")
    monkeypatch.setattr("airflow_provider_d360.store.configured.AIRFLOW_HOME", str(tmp_path))
    state = StateStore()

    def killed(*arguments):
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_d360.store.ledger.Ledger.change", killed)
        patch.setattr("airflow_provider_d360.transport.bodies.Exception", BaseException, raising=False)
        with pytest.raises(BaseException, match="137"):
            run(where=context(state=state))
    assert state
    run(where=context(state=state, try_number=2))
    assert len(d360_emulator.sent) == 1


def test_nothing_is_sent_when_the_state_cannot_be_written(d360_emulator, state):
    state.broken = True
    with pytest.raises(OSError, match="supervisor gone"):
        run(where=context(state=state))
    assert d360_emulator.sent == []


def test_a_new_api_key_does_not_hide_what_airflows_state_knows(d360_emulator, state, monkeypatch):
    first = run(where=context(state=state))
    d360_emulator.numbers["new-key"] = replace(d360_emulator.numbers["cloud-key"], key="new-key")
    changed = d360_emulator.connection().replace("cloud-key", "new-key")
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", changed)
    assert run(where=context(state=state, try_number=2)) == first


def test_two_threads_of_a_task_lose_no_entry_in_airflows_state(d360_emulator, in_task, state):
    """Both read the entries before one of them writes, unless they take turns."""

    class SlowStateStore(StateStore):
        def get(self, key, default=None):
            value = super().get(key, default)
            time.sleep(0.05)
            return value

    slow = SlowStateStore()
    in_task(state=slow)
    threads = [threading.Thread(target=hook_send, args=(TO, text)) for text in "ABC"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (value,) = slow.values()
    assert [entry["state"] for entry in value["entries"]] == 3 * ["accepted"]


def test_airflows_state_keeps_what_several_tries_in_another_order_have_released(
    d360_emulator, in_task, state
):
    for try_number, texts in enumerate(("ABC", "B", "C", "BCA"), 1):
        in_task(state=state, try_number=try_number)
        for text in texts:
            hook_send(TO, text)
    assert sorted(sent.body["text"]["body"] for sent in d360_emulator.sent) == ["A", "B", "C"]


def test_a_strange_entry_in_airflows_state_is_no_entry(d360_emulator, state):
    for number, strange in enumerate(["something else", {}, {"entries": [{"id": 1}, 7]}], start=1):
        state["d360_message"] = strange
        run(where=context(state=state))
        assert len(d360_emulator.sent) == number


def test_airflows_state_holds_neither_number_nor_text(d360_emulator, state):
    run(message="a canary text", where=context(state=state))
    assert TO not in str(state)
    assert "canary" not in str(state)


def test_airflows_own_failure_to_store_an_outcome_fails_no_task(d360_emulator, state, monkeypatch):
    class Error(AirflowRuntimeError):
        def __init__(self):
            Exception.__init__(self, "not stored")

    def fail(*arguments):
        raise Error

    monkeypatch.setattr("airflow_provider_d360.sending.state.TaskState.conclude", fail)
    assert run(where=context(state=state)) == d360_emulator.sent[0].message_id


# Arguments


@pytest.mark.parametrize("choice", [{"on_ambiguous": "retry"}, {"on_newline": "keep"}])
def test_a_choice_that_does_not_exist_breaks_the_dag_file_at_once(choice):
    (name,) = choice
    with DAG("dag", schedule=None), pytest.raises(ValueError, match=f"{name} is '.*'; it can be"):
        D360SendMessageOperator(task_id="send", to=TO, message="Hello", **choice)


def test_a_failure_before_the_sending_is_recorded_without_its_text(d360_emulator, tmp_path):
    missing = {"type": "document", "document": {"path": str(tmp_path / "nowhere.pdf")}}
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            run(message=missing)
    (row,) = ledger()
    assert (row["state"], row["reason"]) == ("refused", "FileNotFoundError")


# Failed before the intent


@pytest.mark.parametrize("second", ["Order 1", "Order 2"])
def test_of_two_orders_the_one_that_failed_before_it_was_sent_goes_out_when_it_alone_is_cleared(
    d360_emulator, second, monkeypatch
):
    run(message="Order 1", where=context(map_index=0))
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_d360.sending.rates._LONGEST_WAIT_SECONDS", -1.0)
        with pytest.raises(Exception, match="as much as"):
            run(message=second, where=context(map_index=1))
    run(message=second, where=cleared(map_index=1))
    assert len(d360_emulator.sent) == 2


@both
@pytest.mark.parametrize("written", ["false", "true", 0, None])
def test_a_preflight_that_is_no_boolean_sends_nothing(d360_emulator, send, written):
    with pytest.raises(D360RequestError, match="preflight must be a boolean, not"):
        send(TO, "Hello", preflight=written)
    assert d360_emulator.sent == []


def test_a_budget_that_is_no_number_makes_no_hook():
    with pytest.raises(ValueError, match="budget_seconds is no number"):
        D360Hook(budget_seconds=float("nan"))


def test_a_key_that_holds_a_number_is_shown_to_nobody(d360_emulator):
    operator = D360SendMessageOperator(
        task_id="send", to=TO, message="Hello", idempotency_key="{{ phone }}-17"
    )
    operator.render_template_fields({"phone": TO})  # type: ignore[typeddict-unknown-key]
    assert TO not in str(operator.idempotency_key)
    operator.execute(context())
    operator.execute(context(run_id="other", dag_id="other"))
    assert len(d360_emulator.sent) == 1

"""One task instance, one message: over retries, kills and Clear, with Airflow 3.3's state for each task."""

import time
import types
from dataclasses import replace

import pytest
from airflow.sdk import DAG

from airflow_provider_d360.compat import AirflowFailException, AirflowRuntimeError, AirflowTaskTimeout
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.transport import Transport

TO = "4915112345689"


class StateStore(dict):
    """Airflow's task state store, as one task instance sees it; ``fails`` names calls that break."""

    fails = ()

    def set(self, key, value):
        if "set" in self.fails or (value["sent"] and "set after" in self.fails):
            raise OSError("supervisor gone")
        self[key] = value

    def delete(self, key):
        if "delete" in self.fails:
            raise OSError("supervisor gone")
        self.pop(key, None)


@pytest.fixture
def store():
    return StateStore()


def ti(**fields):
    place = {
        "dag_id": "dag",
        "run_id": "run",
        "task_id": "send",
        "map_index": -1,
        "max_tries": 2,
        "try_number": 1,
    }
    return types.SimpleNamespace(**{**place, **fields})


def run(store, to=TO, message="Hello", max_tries=2, try_number=1, **arguments):
    operator = D360SendMessageOperator(task_id="send", to=to, message=message, **arguments)
    instance = ti(max_tries=max_tries, try_number=try_number)
    return operator.execute({"ti": instance, "task_state_store": store})


def interrupt(d360_emulator, store):
    """Leave what a worker leaves that is killed after the message was accepted."""
    run(store)
    (entry,) = store.values()
    entry.update(sent=False)
    entry.pop("message_id")


def test_the_intent_stands_before_the_message_goes_and_the_id_after(d360_emulator, store, monkeypatch):
    before = []
    monkeypatch.setattr(d360_emulator, "on_change", lambda sent: before.append(store["d360_message"]["sent"]))
    message_id = run(store)
    assert before[0] is False
    assert store["d360_message"]["sent"] is True
    assert store["d360_message"]["message_id"] == message_id


def test_the_intent_travels_with_the_message_and_is_the_same_for_each_try(d360_emulator):
    for _ in range(2):
        run(StateStore())
    first, second = (sent.body["biz_opaque_callback_data"] for sent in d360_emulator.sent)
    assert first == second
    assert TO not in first


def test_a_try_after_success_returns_the_known_id_without_sending(d360_emulator, store):
    assert run(store) == run(store)
    assert len(d360_emulator.sent) == 1


def test_a_try_after_a_kill_fails_and_says_what_to_do(d360_emulator, store):
    interrupt(d360_emulator, store)
    with pytest.raises(AirflowFailException, match=r"An earlier try was interrupted.*resend=True"):
        run(store)
    assert len(d360_emulator.sent) == 1


def test_a_try_after_a_kill_sends_again_only_when_the_policy_says_so(d360_emulator, store):
    interrupt(d360_emulator, store)
    run(store, on_ambiguous="resend")
    run(store, on_ambiguous="resend")
    assert len(d360_emulator.sent) == 2


def test_a_try_after_a_lost_answer_fails_like_one_after_a_kill(d360_emulator, store):
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    for _ in range(2):
        with pytest.raises(AirflowFailException, match="D360AmbiguousError"):
            run(store)
    assert len(d360_emulator.sent) == 1


def test_a_lost_answer_is_left_to_retries_when_the_policy_says_so(d360_emulator, store):
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    with pytest.raises(Exception, match="may be on its way") as caught:
        run(store, on_ambiguous="resend")
    assert type(caught.value).__name__ == "D360AmbiguousError"
    run(store, on_ambiguous="resend")
    assert len(d360_emulator.sent) == 2


@pytest.mark.parametrize("code", [131047, 130429])
def test_after_a_clear_refusal_the_next_try_sends(d360_emulator, store, code, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(max_attempts=1))
    d360_emulator.refuse(code, times=1)
    with pytest.raises(Exception, match=str(code)):
        run(store)
    run(store)
    assert len(d360_emulator.sent) == 1


def test_a_clear_refusal_is_told_even_when_the_state_cannot_be_cleaned(d360_emulator, store):
    store.fails = ("delete",)
    d360_emulator.refuse(131047)
    with pytest.raises(AirflowFailException, match="131047"):
        run(store)


def test_nothing_is_sent_when_the_intent_cannot_be_written(d360_emulator, store):
    store.fails = ("set",)
    with pytest.raises(OSError, match="supervisor gone"):
        run(store)
    assert d360_emulator.sent == []


def test_a_message_that_is_out_counts_even_when_its_id_cannot_be_stored(d360_emulator, store):
    store.fails = ("set after",)
    assert run(store) == d360_emulator.sent[0].message_id


def test_airflows_own_failure_to_store_counts_the_same(d360_emulator, store, monkeypatch):
    class Error(AirflowRuntimeError):
        def __init__(self):
            Exception.__init__(self, "not stored")

    def fail(key, value):
        if value["sent"]:
            raise Error

    monkeypatch.setattr(store, "set", fail)
    assert run(store) == d360_emulator.sent[0].message_id


CLEARED = {"max_tries": 5}


def test_a_cleared_task_returns_the_known_id_unless_asked_to_send_again(d360_emulator, store):
    first = run(store)
    assert run(store, **CLEARED) == first
    second = run(store, resend=True, **CLEARED)
    assert second != first
    assert run(store, resend=True, **CLEARED) == second  # a retry after that sends once all the same


@pytest.mark.parametrize(
    ("written", "sends"), [("True", 2), ("yes", 2), ("1", 2), ("False", 1), ("", 1), ("None", 1)]
)
def test_resend_may_come_out_of_a_template(d360_emulator, store, written, sends):
    run(store)
    run(store, resend=written, **CLEARED)
    assert len(d360_emulator.sent) == sends


def test_an_interrupted_send_may_be_sent_again_after_clear_with_resend(d360_emulator, store):
    interrupt(d360_emulator, store)
    run(store, resend=True, **CLEARED)
    assert len(d360_emulator.sent) == 2


def test_a_mapped_index_that_goes_to_somebody_else_after_clear_sends_to_them(d360_emulator, store):
    run(store)
    run(store, to="4930000000001", **CLEARED)
    assert [sent.to for sent in d360_emulator.sent] == [TO, "4930000000001"]


def test_another_writing_of_the_same_number_is_the_same_recipient(d360_emulator, store):
    first = run(store)
    assert run(store, to="+49 151 12345689", **CLEARED) == first


def change_the_key(emulator, monkeypatch):
    emulator.numbers["new-key"] = replace(emulator.numbers["cloud-key"], key="new-key")
    changed = emulator.connection().replace("cloud-key", "new-key")
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", changed)


@pytest.mark.parametrize("cycle", [{}, CLEARED], ids=["retry", "clear"])
def test_a_new_api_key_makes_no_message_go_out_twice(d360_emulator, store, monkeypatch, cycle):
    first = run(store)
    change_the_key(d360_emulator, monkeypatch)
    assert run(store, **cycle) == first
    run(store, resend=True, **CLEARED)
    assert len(d360_emulator.sent) == 2


def test_a_new_api_key_leaves_an_interrupted_send_as_unknown_as_it_was(d360_emulator, store, monkeypatch):
    interrupt(d360_emulator, store)
    change_the_key(d360_emulator, monkeypatch)
    with pytest.raises(AirflowFailException, match="An earlier try was interrupted"):
        run(store)


def test_a_retry_sends_to_nobody_else_when_the_recipient_has_changed_meanwhile(d360_emulator, store):
    first = run(store)
    assert run(store, to="4930000000001") == first


def test_a_message_that_changed_since_is_not_sent_and_the_log_says_so(d360_emulator, store, caplog):
    first = run(store)
    assert run(store, message="Hello again", **CLEARED) == first
    assert "The message, or the API key, has changed since it was sent" in caplog.text


def test_who_is_killed_while_a_rate_limit_is_waited_out_has_sent_nothing(d360_emulator, store, monkeypatch):
    standing = []

    def killed(seconds):
        standing.append(dict(store))
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setitem(Transport.__init__.__kwdefaults__, "sleep", killed)
        d360_emulator.fail_next(faults.too_many_requests())
        with pytest.raises(SystemExit):
            run(store)
    assert standing == [{}]
    run(store)
    assert len(d360_emulator.sent) == 1


def test_the_intent_stands_again_after_such_a_wait(d360_emulator, store, monkeypatch):
    monkeypatch.setitem(Transport.__init__.__kwdefaults__, "sleep", lambda seconds: None)
    before = []
    monkeypatch.setattr(d360_emulator, "on_change", lambda sent: before.append(store["d360_message"]["sent"]))
    d360_emulator.fail_next(faults.too_many_requests())
    run(store)
    assert before[0] is False


def test_a_timeout_before_the_sending_is_left_to_retries(d360_emulator, store, monkeypatch):
    def expire(*arguments, **more):
        raise AirflowTaskTimeout("Timeout")

    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_d360.hooks.d360.upload_paths", expire)
        with pytest.raises(AirflowTaskTimeout):
            run(store)
    assert store == {}
    run(store)
    assert len(d360_emulator.sent) == 1


def test_a_timeout_after_the_sending_fails_for_good_where_nothing_is_remembered(d360_emulator, monkeypatch):
    def expire(*arguments, **more):
        raise AirflowTaskTimeout("Timeout")

    monkeypatch.setattr("airflow_provider_d360.operators.messages.record_sent", expire)
    with pytest.raises(AirflowFailException, match="may be on its way"):
        run(None)


def test_before_33_a_try_that_airflow_runs_twice_sends_once(d360_emulator, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "d360.sqlite"))
    assert run(None) == run(None)
    assert len(d360_emulator.sent) == 1


def test_before_33_a_retry_returns_what_the_message_store_knows(d360_emulator, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "d360.sqlite"))
    first = run(None)
    assert run(None, try_number=2) == first
    assert run(None, max_tries=5, try_number=3) != first  # cleared: to send again
    assert len(d360_emulator.sent) == 2


def test_before_33_a_retry_of_what_never_went_out_sends_at_once(d360_emulator, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "d360.sqlite"))
    began = time.monotonic()
    run(None, try_number=2)
    assert len(d360_emulator.sent) == 1
    assert time.monotonic() - began < 10


def test_without_a_store_every_try_sends(d360_emulator):
    run(None)
    run(None)
    assert len(d360_emulator.sent) == 2


def test_a_strange_entry_is_no_entry(d360_emulator, store):
    for number, strange in enumerate(["something else", {}, {"intent": 1, "cycle": 2}], start=1):
        store["d360_message"] = strange
        run(store)
        assert len(d360_emulator.sent) == number


def test_what_is_stored_holds_neither_number_nor_text(d360_emulator, store):
    run(store, message="a canary text")
    assert TO not in str(store)
    assert "canary" not in str(store)


def test_a_timeout_while_sending_is_left_to_retries_when_the_policy_says_so(
    d360_emulator, store, monkeypatch
):
    def expire(*arguments, **more):
        raise AirflowTaskTimeout("Timeout")

    monkeypatch.setattr("airflow_provider_d360.transport.Transport.perform", expire)
    with pytest.raises(AirflowTaskTimeout):
        run(store, on_ambiguous="resend")
    assert store["d360_message"]["sent"] is False


@pytest.mark.parametrize("choice", [{"on_ambiguous": "retry"}, {"on_newline": "keep"}])
def test_a_choice_that_does_not_exist_breaks_the_dag_file_at_once(choice):
    (name,) = choice
    with DAG("dag", schedule=None), pytest.raises(ValueError, match=f"{name} is '.*'; it can be"):
        D360SendMessageOperator(task_id="send", to=TO, message="Hello", **choice)


def test_after_clear_with_resend_a_lost_answer_is_not_settled_by_the_first_message(
    d360_emulator, store, monkeypatch, tmp_path
):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "d360.sqlite"))
    run(store)
    d360_emulator.fail_next(faults.reset())
    with pytest.raises(AirflowFailException, match="D360AmbiguousError"):
        run(store, resend=True, ambiguity_wait_seconds=0, **CLEARED)


def test_a_failure_before_the_sending_leaves_nothing_behind(d360_emulator, store, tmp_path):
    missing = {"type": "document", "document": {"path": str(tmp_path / "nowhere.pdf")}}
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            run(store, message=missing)
    assert store == {}


def test_a_setting_that_airflow_cannot_read_never_fails_a_message_that_is_out(
    d360_emulator, store, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_ENABLED", "perhaps")
    assert run(store) == d360_emulator.sent[0].message_id

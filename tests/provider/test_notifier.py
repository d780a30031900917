"""The notifier, with contexts as Airflow makes them, over a real socket."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sqlite3
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import aiohttp
import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.definitions.deadline import (  # type: ignore[attr-defined]  # there on every Airflow 3
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
)
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.sdk.log import redact  # type: ignore[attr-defined]  # there on every Airflow 3

from airflow_provider_d360.api.errors import D360AmbiguousError, D360Error, D360RecipientError
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.messages import image, template
from airflow_provider_d360.notifications.d360 import D360Notifier, send_d360_notification
from airflow_provider_d360.sending import rates
from airflow_provider_d360.transport.client import Transport
from tests.programs import Program

TO = "4915112345689"
OTHER = "33612345678"
ERROR = ValueError("no rows")


class HurriedNotifier(D360Notifier):
    budget_seconds = 1.0


class UnhurriedNotifier(D360Notifier):
    budget_seconds = 6.0  # a busy machine reaches everybody in that time, and it is far from 20


class ShortNotifier(D360Notifier):
    budget_seconds = 6.0


def of_a_task(run_id="run_A", state="failed", error=ERROR, dag_options=None, operator=BaseOperator, **more):
    """Build the context that a task's callback gets; of the instance, what Airflow's parts fill in."""
    with DAG("etl", schedule=None, **(dag_options or {})):
        task = operator(task_id="load")
    known = {"try_number": 1, "max_tries": 0, "map_index": -1, "start_date": datetime.now(timezone.utc)}
    ti = RuntimeTaskInstance.model_construct(
        id=uuid.uuid4(), task=task, task_id="load", dag_id="etl", run_id=run_id, state=state, **{**known, **more}
    )  # fmt: skip
    context = ti.get_template_context()
    context["exception"] = error
    return context


def of_a_deadline(run_id="run_A"):
    run = {"dag_id": "etl", "dag_run_id": run_id, "state": "running"}
    return {"dag_run": run, "deadline": {"id": "1", "deadline_time": "2026-07-01T12:02:00+02:00"}}


def texts(emulator):
    return [message.body["text"]["body"] for message in emulator.sent]


def values(message):
    return [value["text"] for value in message.body["template"]["components"][0]["parameters"]]


def logged(caplog, capsys):
    return caplog.text + capsys.readouterr().out  # libraries log the one way, tasks the other


def call(notifier, context):
    notifier(context)


def wait_for(notifier, context):
    """Do what the triggerer does with a deadline's callback."""

    async def awaited():
        copy = type(notifier)(**_arguments(notifier), context=context)
        await copy

    asyncio.run(awaited())


def _arguments(notifier):
    names = (*notifier.template_fields, "cooldown_seconds", "only_final_try", "only_after_failure")
    durations = {
        "delivered_within": notifier.delivered_within_seconds,
        "expires_after": notifier.expires_seconds,
    }
    return {name: getattr(notifier, name) for name in names} | durations


both = pytest.mark.parametrize("alert", [call, wait_for], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def store(monkeypatch, store_path):
    monkeypatch.setattr(rates, "_limiters", {})  # nobody in these tests waits for what the one before sent
    return store_path


def test_the_alias_is_the_notifier():
    assert send_d360_notification is D360Notifier


@both
def test_without_a_message_the_alert_says_what_happened(d360_emulator, alert):
    alert(D360Notifier(to=TO), of_a_task(try_number=2, max_tries=1))
    assert texts(d360_emulator) == [
        "🔴 Task failed\nDAG: etl\nTask: load\nRun: run_A\nTry: 2 of 2\nValueError: no rows\n"
        "http://localhost:8080/dags/etl/runs/run_A/tasks/load?try_number=2"
    ]


def test_the_second_runs_alert_says_nothing_of_the_first(d360_emulator):
    notifier = D360Notifier(to="{{ params.to }}", message="{{ run_id }} failed: {{ exception }}")
    before = dict(vars(notifier))
    for run_id in ("run_A", "run_B"):
        notifier(of_a_task(run_id, dag_options={"params": {"to": TO}}))
    assert texts(d360_emulator) == ["run_A failed: no rows", "run_B failed: no rows"]
    assert {name: vars(notifier)[name] for name in before} == before


@both
def test_other_callbacks_find_the_context_as_it_was(d360_emulator, alert):
    context = of_a_task()
    before = dict(context)
    alert(D360Notifier(to=TO, message="{{ run_id }}"), context)
    assert context == before
    assert set(D360Notifier.template_fields).isdisjoint(context)


@pytest.mark.parametrize("message", ["007", "{{ 1 + 1 }}", "[1, 2]", "{{ double(4) }} {{ 'a' | twice }}"])
def test_a_message_stays_a_text_where_the_dag_renders_native_objects(d360_emulator, message):
    options = {
        "render_template_as_native_obj": True,
        "user_defined_macros": {"double": lambda value: value * 2},
        "user_defined_filters": {"twice": lambda value: value * 2},
    }
    D360Notifier(to="{{ " + TO + " }}", message=message)(of_a_task(dag_options=options))
    expected = {"007": "007", "{{ 1 + 1 }}": "2", "[1, 2]": "[1, 2]"}.get(message, "8 aa")
    assert [(sent.to, sent.body["text"]["body"]) for sent in d360_emulator.sent] == [(TO, expected)]


@both
@pytest.mark.parametrize(
    "to", [[f"+{TO}", OTHER, OTHER], f"+{TO}, {OTHER}\n", "{{ ['%s', '%s'] | join(';') }}"]
)
def test_everybody_gets_one(d360_emulator, alert, to):
    alert(D360Notifier(to=to % (TO, OTHER) if "%s" in to else to, message="Hi"), of_a_task())
    assert sorted(message.to for message in d360_emulator.sent) == [OTHER, TO]


@both
def test_one_failure_keeps_nobody_else_from_the_alert_and_is_one_line_in_the_log(
    d360_emulator, caplog, capsys, alert
):
    caplog.set_level(logging.DEBUG)
    d360_emulator.reject(131026, to=TO)
    with pytest.raises(D360RecipientError):
        alert(D360Notifier(to=[TO, OTHER], message="canary text"), of_a_task())
    assert [message.to for message in d360_emulator.sent] == [OTHER]
    log = logged(caplog, capsys)
    assert log.count("The alert did not reach all recipients. 49…89: 131026") == 1
    assert "has an old app or has not accepted its terms" in log
    assert "Alert accepted for 33…78: message m" in log
    for private in (TO, OTHER, "canary", "cloud-key"):
        assert private not in log


def test_one_connection_pool_serves_everybody_and_is_closed(d360_emulator, monkeypatch):
    made, init = [], aiohttp.ClientSession.__init__

    def counted(session, **options):
        made.append(session)
        init(session, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", counted)
    wait_for(D360Notifier(to=[TO, OTHER, "4930123456"]), of_a_task())
    assert len(d360_emulator.sent) == 3
    assert [session.closed for session in made] == [True]


@pytest.mark.parametrize("to", ["", " , ", [], "{{ params.nobody or '' }}", None])
def test_an_alert_to_nobody_is_an_error(d360_emulator, to):
    with pytest.raises(D360Error, match="to is empty"):
        D360Notifier(to=to)(of_a_task(dag_options={"params": {"nobody": None}}))


@both
def test_a_template_carries_the_alert_in_seven_parameters(d360_emulator, alert):
    error = ValueError("tabs\tand\u2028more\nlines")
    alert(D360Notifier(to=TO, template="airflow_alert", language="de"), of_a_task(error=error))
    (message,) = d360_emulator.sent
    assert message.body["template"]["name"] == "airflow_alert"
    assert message.body["template"]["language"]["code"] == "de"
    assert values(message)[:6] == ["Task failed", "etl", "load", "run_A", "1 of 1", "ValueError: tabs and"]


def test_a_message_and_a_template_are_one_too_many():
    with pytest.raises(ValueError, match="a message or a template"):
        D360Notifier(to=TO, message="Hi", template="airflow_alert")


@pytest.mark.parametrize(("message", "sent"), [(7, "7"), (2.5, "2.5"), (float("nan"), "🔴 DAG failed")])
def test_a_message_that_is_no_text_costs_no_alert(d360_emulator, message, sent):
    D360Notifier(to=TO, message=message)({})
    assert texts(d360_emulator)[0].splitlines()[0] == sent


def test_a_message_may_be_a_dict_with_templates_in_it(d360_emulator):
    D360Notifier(to=TO, message=template("own", "en", body=["{{ run_id }}\n{{ exception }}"]))(of_a_task())
    assert values(d360_emulator.sent[0]) == ["run_A no rows"]


def test_a_text_that_is_too_long_for_whatsapp_is_cut_and_not_lost(d360_emulator):
    D360Notifier(to=TO, message="{{ 'x' * 5000 }}")(of_a_task())
    (text,) = texts(d360_emulator)
    assert (len(text), text[-2:]) == (4096, "x…")


@pytest.mark.parametrize(
    "message", ["{{ run_id", "{{ nothing.at.all }}", "{{ 1 / 0 }}", "{{ params.x }}", ""]
)
def test_a_message_that_cannot_be_rendered_costs_no_alert(d360_emulator, caplog, capsys, message):
    D360Notifier(to=TO, message=message)(of_a_task())
    assert texts(d360_emulator)[0].startswith("🔴 Task failed\n")
    assert ("The field 'message' cannot be rendered" in logged(caplog, capsys)) is bool(message)


@both
def test_the_fallback_goes_out_once_when_the_window_is_closed(d360_emulator, alert):
    d360_emulator.reject(131047, to=TO, times=1)
    alert(D360Notifier(to=[TO, OTHER], message="Hi", fallback_template="airflow_alert"), of_a_task())
    assert {message.to: message.body["type"] for message in d360_emulator.sent} == {
        TO: "template",
        OTHER: "text",
    }
    assert len(d360_emulator.requests) == 3


CLOSED_WINDOWS = {
    "code 470": {"error": {"code": 470, "message": "Message failed to send"}},
    "on-premise": {"errors": [{"code": 470, "title": "Failed", "details": "Failed"}]},
    "Meta's words": {
        "error": {
            "message": "Message failed to send because more than 24 hours have passed since the customer last replied"
        }
    },
    "the gateway's words": {"meta": {"developer_message": "Re-engagement message"}},
    "other words": {"detail": "This message is outside of the allowed window"},
}


@both
@pytest.mark.parametrize("body", CLOSED_WINDOWS.values(), ids=CLOSED_WINDOWS)
def test_a_closed_window_is_known_by_its_meaning_whatever_the_code(d360_emulator, alert, body):
    d360_emulator.fail_next(faults.any_response(400, body))
    alert(D360Notifier(to=TO, message="Hi", fallback_template="airflow_alert"), of_a_task())
    assert [message.body["type"] for message in d360_emulator.sent] == ["template"]


@pytest.mark.parametrize("code", [131026, 131050])
def test_the_fallback_is_for_a_closed_window_only(d360_emulator, code):
    d360_emulator.reject(code, times=1)
    with pytest.raises(D360RecipientError):
        D360Notifier(to=TO, fallback_template="airflow_alert")(of_a_task())
    assert d360_emulator.sent == []


def test_a_fallback_that_is_refused_too_is_the_error(d360_emulator):
    d360_emulator.reject(131047)
    with pytest.raises(D360RecipientError, match="131047"):
        D360Notifier(to=TO, fallback_template="airflow_alert")(of_a_task())
    assert len(d360_emulator.requests) == 2


@both
def test_an_alert_that_may_have_arrived_is_not_sent_again(d360_emulator, alert):
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    with pytest.raises(D360AmbiguousError):
        alert(D360Notifier(to=TO, fallback_template="airflow_alert"), of_a_task())
    assert len(d360_emulator.sent) == len(d360_emulator.requests) == 1


@both
@pytest.mark.parametrize("fault", [faults.slow(20), faults.too_many_requests(retry_after=20)])
def test_all_of_it_ends_within_the_budget_and_who_can_be_reached_is(d360_emulator, alert, fault):
    """Without the budget, each of these faults would end well after 20 seconds."""
    d360_emulator.fail_next(fault)
    with pytest.raises(D360Error):
        alert(UnhurriedNotifier(to=[TO, OTHER, "4930123456"], message="Hi"), of_a_task())
    assert len(d360_emulator.sent) == 2


def test_retries_and_fallback_share_one_budget(d360_emulator):
    d360_emulator.reject(131047)
    d360_emulator.fail_next(faults.slow(0.6), times=2)
    with pytest.raises(D360Error):
        HurriedNotifier(to=TO, fallback_template="airflow_alert")(of_a_task())


@both
def test_a_file_that_hangs_does_not_outlast_the_budget(d360_emulator, alert, tmp_path):
    picture = tmp_path / "plot.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(4_000_000))
    d360_emulator.fail_next(faults.slow(20), times=3)
    with pytest.raises(D360Error):
        alert(HurriedNotifier(to=TO, message=image(path=str(picture))), of_a_task())


class SilentError(Exception):
    def __str__(self):
        raise RuntimeError


AWKWARD = {
    "half a character": (ValueError("no file r\udce9sum\udce9.csv"), "ValueError: no file r?sum?.csv"),
    "nothing to say": (SilentError(), "SilentError"),
}


@pytest.mark.parametrize(("error", "said"), AWKWARD.values(), ids=AWKWARD)
def test_an_error_that_cannot_be_said_costs_no_alert(d360_emulator, error, said):
    D360Notifier(to=TO)(of_a_task(error=error))
    assert said in texts(d360_emulator)[0].splitlines()
    D360Notifier(to=TO, template="pager")(of_a_task("run_B", error=error))
    assert values(d360_emulator.sent[1])[5] == said


UNSENDABLE = {
    "too long": {"type": "text", "text": {"body": 5000 * "x"}},
    "half a character": "{{ exception }}",
    "a kind that does not exist": {"type": "smoke signal"},
}


@both
@pytest.mark.parametrize("message", UNSENDABLE.values(), ids=UNSENDABLE)
def test_a_message_that_is_refused_gives_way_to_the_default_alert(
    d360_emulator, caplog, capsys, alert, message
):
    alert(D360Notifier(to=TO, message=message), of_a_task(error=ValueError("r\udce9sum\udce9")))
    assert texts(d360_emulator)[0].startswith("🔴 Task failed")
    assert "The message is rejected, so the default one goes out: " in logged(caplog, capsys)


def test_of_a_message_that_is_refused_and_a_closed_window_the_fallback_remains(d360_emulator):
    d360_emulator.reject(131047, times=1)
    D360Notifier(to=TO, message={"type": "no"}, fallback_template="pager")(of_a_task())
    assert [sent.body["type"] for sent in d360_emulator.sent] == ["template"]


WRONG_OPTIONS = [
    *(("cooldown_seconds", value) for value in ("3600", -1, float("nan"), float("inf"), True, [60])),
    *((name, value) for name in ("only_final_try", "only_after_failure") for value in ("maybe", "", None)),
]


@pytest.mark.parametrize(("name", "value"), WRONG_OPTIONS)
def test_a_wrong_option_breaks_the_dag_file_and_is_named(name, value):
    with pytest.raises(ValueError, match=rf"^{name} is .*; it can be "):
        D360Notifier(to=TO, **{name: value})


@pytest.mark.parametrize(("name", "value"), [*WRONG_OPTIONS, ("template", "pager"), ("colldown_seconds", 60)])
def test_a_wrong_option_of_a_deadline_costs_neither_the_alert_nor_the_secret(
    d360_emulator, caplog, capsys, name, value
):
    arguments = {"to": ["+49 160 5550777"], "message": "an option canary", name: value}
    reason = "Airflow before 3.2 has no trigger for callbacks"
    trigger = pytest.importorskip("airflow.triggers.callback", reason=reason)
    callback = trigger.CallbackTrigger(
        "airflow_provider_d360.notifications.d360.D360Notifier", {**arguments, "context": of_a_deadline()}
    )

    async def events():
        return [event.payload["state"] async for event in callback.run()]

    assert asyncio.run(events()) == ["running", "success"]
    assert [message.to for message in d360_emulator.sent] == ["491605550777"]
    log = logged(caplog, capsys)
    assert log.count(". The alert is sent without it.") == 1
    assert "5550777" not in str(redact(log))
    assert "canary" not in str(redact(log))


@pytest.mark.parametrize("wrong", [{"to": None}, {"to": "nobody"}])
def test_arguments_that_airflow_logs_of_a_deadline_are_masked_whatever_is_wrong(d360_emulator, wrong):
    arguments = {"to": ["+49 160 5550888"], "message": f"a canary of {wrong}", **wrong}

    async def awaited():
        await D360Notifier(**arguments, context=of_a_deadline())

    with pytest.raises((TypeError, D360Error)):
        asyncio.run(awaited())
    shown = str(redact(f"kwargs: {arguments}"))
    assert "5550888" not in shown
    assert "canary" not in shown


@pytest.mark.parametrize("cooldown", [timedelta(hours=1), 3600])
def test_a_cooldown_is_a_timedelta_or_seconds(d360_emulator, cooldown):
    notifier = D360Notifier(to=TO, cooldown_seconds=cooldown)
    for _ in range(2):
        notifier(of_a_task())
    assert notifier.cooldown_seconds == 3600
    assert len(d360_emulator.sent) == 1


def test_a_number_that_cannot_be_rendered_is_an_error_without_what_it_was_given(d360_emulator):
    def rota(name):
        raise KeyError(f"no rota for {name}")

    with pytest.raises(ValueError, match=r"^The field 'to' cannot be rendered: KeyError$"):
        D360Notifier(to="{{ rota('Ann Canary') }}")({**of_a_task(), "rota": rota})


def test_a_variable_that_is_missing_is_named(d360_emulator):
    with pytest.raises(Exception, match="nobody_on_call"):
        D360Notifier(to="{{ var.value.nobody_on_call }}")(of_a_task())


def test_a_short_outage_is_bridged(d360_emulator):
    d360_emulator.fail_next(faults.too_many_requests(), times=2)
    D360Notifier(to=TO)(of_a_task())
    assert len(d360_emulator.sent) == 1


class Question(BaseOperator):
    """Looks as Airflow's HITL operators do."""

    subject = "Deploy?"
    options = ("Yes", "No")


@pytest.mark.parametrize("operator", [BaseOperator, Question])
@pytest.mark.parametrize("broken", [{"to": "{{ 1 / 0 }}"}, {"d360_conn_id": "nowhere"}, {"to": TO}])
def test_an_alert_never_fails_a_task_that_still_runs(d360_emulator, caplog, capsys, operator, broken):
    d360_emulator.reject(131042)
    D360Notifier(**{"to": TO, **broken})(of_a_task(state=None, error=None, operator=operator))
    assert logged(caplog, capsys).count("The alert did not reach all recipients. ") == 1


def test_a_question_is_told(d360_emulator):
    D360Notifier(to=TO)(of_a_task(state=None, error=None, operator=Question))
    assert texts(d360_emulator)[0].startswith("🔵 Task waits for an answer\nDAG: etl\n")
    assert "\nDeploy?\n" in texts(d360_emulator)[0]


@both
def test_a_wrong_connection_is_logged_and_raised(d360_emulator, caplog, capsys, alert):
    with pytest.raises(Exception, match="nowhere"):
        alert(D360Notifier(to=TO, d360_conn_id="nowhere"), of_a_task())
    assert (
        logged(caplog, capsys).count(
            "The alert did not reach all recipients. Connection 'nowhere' is not defined"
        )
        == 1
    )


def test_only_the_final_try_is_told(d360_emulator):
    notifier = D360Notifier(to=TO, only_final_try=True)
    notifier(of_a_task(state="up_for_retry", max_tries=1))
    notifier(of_a_task(state=None, error=None, start_date=None, max_tries=1))  # its worker was lost
    assert d360_emulator.sent == []
    notifier(of_a_task(state="failed", try_number=2, max_tries=1))
    assert len(d360_emulator.sent) == 1


@both
def test_a_deadline_is_told_to_whom_a_variable_names(d360_emulator, monkeypatch, alert):
    monkeypatch.setenv("AIRFLOW_VAR_ON_CALL", f"+{TO}")
    alert(D360Notifier(to="{{ var.value.on_call }}"), of_a_deadline())
    assert [message.to for message in d360_emulator.sent] == [TO]
    assert texts(d360_emulator)[0].startswith(
        "⏰ Deadline missed\nDAG: etl\nRun: run_A\nDue at 2026-07-01 10:02 UTC"
    )


def test_a_deadline_may_name_the_notifier_with_all_that_can_be_said_in_json():
    kwargs = {
        "to": [TO], "message": None, "template": "airflow_alert", "language": "en", "fallback_template": None,
        "cooldown_seconds": 60.0, "only_final_try": True, "only_after_failure": False, "d360_conn_id": "d360",
    }  # fmt: skip
    callback = AsyncCallback(D360Notifier, kwargs=json.loads(json.dumps(kwargs)))
    deadline = DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=1), callback)
    assert deadline.callback.path == "airflow_provider_d360.notifications.d360.D360Notifier"
    assert vars(D360Notifier(**kwargs, context=of_a_deadline())).items() >= kwargs.items()


def test_what_airflow_logs_of_a_failed_deadlines_arguments_is_masked(d360_emulator):
    d360_emulator.reject(131042)
    arguments = {"to": ["+49 160 5550555"], "message": "a deadline canary"}
    with pytest.raises(D360Error):
        wait_for(D360Notifier(**arguments), of_a_deadline())
    shown = str(redact(f"kwargs: {arguments}"))
    assert "5550555" not in shown
    assert "canary" not in shown


@both
def test_a_flood_is_one_alert_and_a_number(d360_emulator, monkeypatch, alert):
    notifier = D360Notifier(to=TO, cooldown_seconds=3600)
    for run_id in ("run_A", "run_B", "run_C", "run_D"):
        alert(notifier, of_a_task(run_id))
    assert len(d360_emulator.sent) == 1
    later = time.time() + 3601
    monkeypatch.setattr("airflow_provider_d360.alerts.queue.time.time", lambda: later)
    alert(notifier, of_a_task("run_E"))
    first, second = texts(d360_emulator)
    assert "more since" not in first
    assert "\nAnd 3 more since 20" in second
    assert "run_E" in second


@both
def test_alerts_share_the_files_that_a_process_has_open(d360_emulator, store, alert):
    def open_files():
        paths = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
        return sum(path.startswith(str(store)) for path in paths)

    notifier = D360Notifier(to=TO, cooldown_seconds=3600, only_after_failure=True)
    counts = []
    for run_id in ("run_A", "run_B", "run_C"):
        alert(notifier, of_a_task(run_id))  # sent, or held back
        alert(notifier, of_a_task(run_id, state="success", error=None))  # a recovery
        counts.append(open_files())
    assert counts[0] == counts[1] == counts[2] > 0


DIFFERENT = {
    "another event": {"state": "up_for_retry"},
    "another error": {"error": KeyError("x")},
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT)
def test_what_is_different_does_not_wait(d360_emulator, other):
    notifier = D360Notifier(to=TO, cooldown_seconds=3600)
    notifier(of_a_task())
    notifier(of_a_task(**{"run_id": "run_B", **other}))
    assert len(d360_emulator.sent) == 2


def test_other_people_get_their_own_first_alert(d360_emulator):
    for run_id, to in (("run_A", TO), ("run_A", OTHER), ("run_B", [TO, OTHER])):
        D360Notifier(to=to, cooldown_seconds=3600)(of_a_task(run_id))
    assert len(d360_emulator.sent) == 4


def test_a_dag_that_fails_again_after_a_clear_is_told_again_even_when_its_run_is_not_passed(d360_emulator):
    """Airflow leaves the run out where the last task was removed from the DAG, or there was none."""
    with DAG("etl", schedule=None) as dag:
        BaseOperator(task_id="load")
    for _ in range(2):
        D360Notifier(to=TO)({"dag": dag, "run_id": "run_A", "reason": "timed_out"})
    assert len(d360_emulator.sent) == 2


def test_one_try_is_one_alert_whatever_number_of_tries_its_reporters_know(d360_emulator):
    for max_tries in (2, 0):
        D360Notifier(to=TO)(of_a_task(try_number=2, max_tries=max_tries))
    assert len(d360_emulator.sent) == 1


def test_two_notifiers_tell_one_person_once_of_the_same_failure(d360_emulator):
    for to in (TO, [TO, OTHER]):
        D360Notifier(to=to)(of_a_task())
    assert sorted(message.to for message in d360_emulator.sent) == sorted([TO, OTHER])


def test_instances_of_a_mapped_task_are_one_flood(d360_emulator):
    for index in range(5):
        D360Notifier(to=TO, cooldown_seconds=3600)(of_a_task(map_index=index))
    assert len(d360_emulator.sent) == 1


@pytest.mark.parametrize("mine", ["Mine", {"type": "text", "text": {"body": "Mine"}}], ids=["text", "dict"])
def test_what_was_held_back_is_told_with_any_text(d360_emulator, mine):
    notifier = D360Notifier(to=TO, message=mine, cooldown_seconds=5)
    notifier(of_a_task())
    notifier(of_a_task())
    deadline = time.monotonic() + 60
    while len(d360_emulator.sent) < 2 and time.monotonic() < deadline:
        notifier(of_a_task("run_B"))
    assert texts(d360_emulator)[0] == "Mine"
    assert re.fullmatch(r"Mine\n\(and \d+ more since \d{4}-.* UTC\)", texts(d360_emulator)[1])


@both
def test_an_alert_that_reached_nobody_is_made_up_for_by_the_next(d360_emulator, alert):
    d360_emulator.reject(131026, times=1)
    notifier = D360Notifier(to=TO, cooldown_seconds=3600)
    with pytest.raises(D360Error):
        alert(notifier, of_a_task())
    alert(notifier, of_a_task("run_B"))
    assert "And 1 more since" in texts(d360_emulator)[0]


@pytest.mark.parametrize("broken", [{"d360_conn_id": "nowhere"}])
def test_neither_does_a_broken_connection_start_a_cooldown(d360_emulator, monkeypatch, broken):
    notifier = D360Notifier(to=TO, cooldown_seconds=3600, **broken)
    with pytest.raises(Exception, match="nowhere"):
        notifier(of_a_task())
    monkeypatch.setenv("AIRFLOW_CONN_NOWHERE", d360_emulator.connection())
    notifier(of_a_task())
    assert len(d360_emulator.sent) == 1


@both
def test_an_alert_goes_out_when_nobody_can_remember(d360_emulator, monkeypatch, caplog, capsys, alert):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", "/nowhere/at/all.sqlite")
    for _ in range(2):
        alert(D360Notifier(to=TO, cooldown_seconds=3600), of_a_task())
    assert len(d360_emulator.sent) == 2
    assert logged(caplog, capsys).count("The alert is sent without regard to others.") == 2


def test_a_store_connection_that_is_not_there_stops_no_alert(d360_emulator, monkeypatch, caplog, capsys):
    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "no_store")
    D360Notifier(to=TO, cooldown_seconds=3600)(of_a_task())
    assert len(d360_emulator.sent) == 1
    assert "look at [d360] store_conn_id" in logged(caplog, capsys)


def test_a_store_that_does_not_answer_costs_no_alert(d360_emulator, store, monkeypatch, caplog, capsys):
    monkeypatch.setattr("airflow_provider_d360.alerts.queue.REGISTER_SECONDS", 2.0)
    D360Notifier(to=TO, cooldown_seconds=0)(of_a_task())
    busy = sqlite3.connect(store)
    busy.execute("BEGIN EXCLUSIVE")
    D360Notifier(to=TO, cooldown_seconds=3600)(of_a_task("run_B"))
    assert len(d360_emulator.sent) == 2
    assert "did not respond within 2 seconds" in logged(caplog, capsys)
    busy.close()


def lock_at_the_next_request(emulator, database):
    """Lock a SQLite file as soon as the emulator has one more request."""
    before = len(emulator.requests)

    def lock():
        while len(emulator.requests) == before:
            time.sleep(0.01)
        database.execute("BEGIN EXCLUSIVE")

    threading.Thread(target=lock, daemon=True).start()


def note_limits(monkeypatch, name, limits):
    """Note the time limit of each exchange."""
    exchange = getattr(Transport, name)

    def noted(transport, step):
        limits.append(step.seconds)
        return exchange(transport, step)

    monkeypatch.setattr(Transport, name, noted)


def test_a_memory_that_fails_after_the_alert_did_is_one_more_line_in_the_log(
    d360_emulator, store, caplog, capsys
):
    notifier = D360Notifier(to=TO, cooldown_seconds=0)
    notifier(of_a_task())
    busy = sqlite3.connect(store, check_same_thread=False)
    d360_emulator.fail_next(faults.slow(1))
    d360_emulator.reject(131042)
    lock_at_the_next_request(d360_emulator, busy)
    with pytest.raises(D360Error):
        notifier(of_a_task("run_B"))
    assert "could not be written down, so it may be sent again." in logged(caplog, capsys)
    busy.close()


@both
def test_the_time_to_write_a_cooldown_is_part_of_the_budget(d360_emulator, store, monkeypatch, alert):
    notifier = ShortNotifier(to=TO, cooldown_seconds=0)
    alert(notifier, of_a_task())
    busy = sqlite3.connect(store, check_same_thread=False)
    d360_emulator.fail_next(faults.slow(30))
    lock_at_the_next_request(d360_emulator, busy)
    limits: list[float] = []
    for name in ("_exchange", "_aexchange"):
        note_limits(monkeypatch, name, limits)
    with pytest.raises(D360Error):
        alert(notifier, of_a_task("run_B"))
    assert limits
    assert max(limits) <= ShortNotifier.budget_seconds - 2
    busy.close()


def test_a_clock_that_was_ten_years_ahead_silences_no_alert(d360_emulator, monkeypatch):
    notifier = D360Notifier(to=TO, cooldown_seconds=3600)
    with monkeypatch.context() as patch:
        ahead = time.time() + 10 * 365 * 86_400
        patch.setattr("airflow_provider_d360.alerts.queue.time.time", lambda: ahead)
        notifier(of_a_task())
    for run_id in ("run_B", "run_C"):
        notifier(of_a_task(run_id))
    assert ["run_A" in text or "run_B" in text for text in texts(d360_emulator)] == [True, True]


@both
def test_a_recovery_is_told_once_after_an_alert(d360_emulator, alert):
    failed = D360Notifier(to=TO, cooldown_seconds=3600)
    recovered = D360Notifier(to=TO, only_after_failure=True)
    alert(recovered, of_a_task(state="success", error=None))
    assert d360_emulator.sent == []
    alert(failed, of_a_task())
    alert(failed, of_a_task("run_B", error=KeyError("x")))
    alert(failed, of_a_task("run_C"))
    for _ in range(2):
        alert(recovered, of_a_task("run_B", state="success", error=None))
    assert len(d360_emulator.sent) == 3
    last = texts(d360_emulator)[-1].splitlines()
    assert (last[0], last[3]) == ("🟢 Task recovered", "Run: run_B")
    assert "; 1 more was held back" in last[5]


def test_the_first_failure_after_a_recovery_is_told_at_once(d360_emulator):
    failed = D360Notifier(to=TO, cooldown_seconds=3600)
    failed(of_a_task())
    D360Notifier(to=TO, only_after_failure=True)(of_a_task(state="success", error=None))
    failed(of_a_task("run_B"))
    assert [text.splitlines()[0][2:] for text in texts(d360_emulator)] == [
        "Task failed",
        "Task recovered",
        "Task failed",
    ]


def test_the_success_of_another_instance_is_no_recovery(d360_emulator):
    D360Notifier(to=TO, cooldown_seconds=3600)(of_a_task(map_index=3))
    for index in (4, 3):
        D360Notifier(to=TO, only_after_failure=True)(of_a_task(state="success", error=None, map_index=index))
    assert ["\nTask: load [3]\n" in text for text in texts(d360_emulator)] == [True, True]


def test_a_recovery_that_reached_nobody_is_told_by_the_next_success(d360_emulator):
    D360Notifier(to=TO, cooldown_seconds=0)(of_a_task())
    recovered = D360Notifier(to=TO, only_after_failure=True)
    d360_emulator.reject(131042, times=1)
    with pytest.raises(D360Error):
        recovered(of_a_task(state="success", error=None))
    recovered(of_a_task(state="success", error=None))
    assert len(d360_emulator.sent) == 2


def test_nobody_claims_a_recovery_that_nobody_remembers(d360_emulator, monkeypatch, caplog, capsys):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", "/nowhere/at/all.sqlite")
    D360Notifier(to=TO, only_after_failure=True)(of_a_task(state="success", error=None))
    assert d360_emulator.sent == []
    assert "No recovery is sent" in logged(caplog, capsys)


def test_a_failure_is_told_by_a_recovery_notifier_as_by_any_other(d360_emulator):
    D360Notifier(to=TO, only_after_failure=True)(of_a_task())
    assert len(d360_emulator.sent) == 1


FAIL = """
import sys
from types import SimpleNamespace
from airflow_provider_d360.notifications.d360 import D360Notifier
ti = SimpleNamespace(dag_id="etl", task_id="load", run_id=sys.argv[1], map_index=-1, try_number=1, max_tries=0,
                     state="failed", start_date=1)
notifier = D360Notifier(to="4915112345689", cooldown_seconds=3600)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    notifier({"ti": ti, "exception": ValueError("no rows")})
"""


def test_of_two_processes_that_fail_at_once_one_alerts(d360_emulator):
    both = [Program("-c", FAIL, run_id) for run_id in ("run_A", "run_B")]
    for program in both:
        assert "ready" in program.stdout.readline()
    for program in both:
        program.stdin.close()
    assert [program.end().returncode for program in both] == [0, 0]
    assert len(d360_emulator.sent) == 1


def test_numbers_are_not_in_the_store(d360_emulator, store):
    D360Notifier(to=TO, cooldown_seconds=3600)(of_a_task())
    with sqlite3.connect(store) as database:
        dump = "\n".join(database.iterdump())
    assert "INTO d360_alert_groups" in dump.replace('"', "")
    assert TO not in dump


@both
def test_a_file_goes_up_once_for_all_recipients(d360_emulator, tmp_path, alert):
    picture = tmp_path / "chart.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    everybody = [f"4915100000{n:03}" for n in range(10)]
    alert(D360Notifier(to=everybody, message=image(path=str(picture), caption="Chart")), of_a_task())
    assert [request.path for request in d360_emulator.requests].count("/media") == 1
    assert sorted(message.to for message in d360_emulator.sent) == everybody
    assert len({message.body["image"]["id"] for message in d360_emulator.sent}) == 1


@both
def test_a_file_that_whatsapp_does_not_take_gives_way_to_the_default_alert(d360_emulator, tmp_path, alert):
    (tmp_path / "chart.png").write_bytes(b"%PDF-1.7")
    alert(D360Notifier(to=[TO, OTHER], message=image(path=str(tmp_path / "chart.png"))), of_a_task())
    assert [text.splitlines()[0] for text in texts(d360_emulator)] == ["🔴 Task failed"] * 2


@both
def test_an_upload_that_fails_is_tried_for_one_recipient_and_not_for_each(d360_emulator, tmp_path, alert):
    (tmp_path / "chart.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    d360_emulator.fail_next(faults.too_many_requests(retry_after=3600), times=99)
    with pytest.raises(D360Error):
        alert(D360Notifier(to=[TO, OTHER], message=image(path=str(tmp_path / "chart.png"))), of_a_task())
    assert len(d360_emulator.requests) == 1


def test_a_cancelled_alert_writes_nothing_more(d360_emulator, store, monkeypatch):
    """Nobody knows whether it went out: its claim stands, and it is tried again when that is over."""
    notifier = D360Notifier(to=TO, cooldown_seconds=600)
    settled: list[object] = []
    monkeypatch.setattr("airflow_provider_d360.alerts.callbacks.settle", settled.append)

    async def cancelled():
        d360_emulator.fail_next(faults.slow(60))
        task = asyncio.create_task(notifier.async_notify(of_a_task()))
        while not d360_emulator.requests:  # noqa: ASYNC110 - the emulator signals to no event loop
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert len(d360_emulator.requests) == 1
    assert settled == []

"""Alerts as values: what is read of Airflow's contexts, and how it is said."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_d360.api import limits
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.messages import template
from airflow_provider_d360.notifications import alerts

URL = "https://airflow.example"
TASK_LINK = f"{URL}/dags/etl/runs/run_A/tasks/load?try_number=2"
RUN_LINK = f"{URL}/dags/etl/runs/run_A"


def instance(**more):
    start = datetime(2026, 7, 1, tzinfo=timezone.utc)
    known = {"dag_id": "etl", "task_id": "load", "run_id": "run_A", "map_index": -1, "try_number": 2}
    return SimpleNamespace(**{**known, "max_tries": 2, "log_url": TASK_LINK, "start_date": start, **more})


def of_a_task(state, error=None, task=None, **more):
    return {"ti": instance(state=state, **more), "task": task or SimpleNamespace(), "exception": error}


def of_a_dag(reason, **more):
    return {"dag": SimpleNamespace(dag_id="etl"), "run_id": "run_A", "reason": reason, **more}


def of_a_deadline(at="2026-07-01T12:02:00+02:00", **more):
    run = {"dag_id": "etl", "dag_run_id": "run_A", "state": "running", **more}
    return {"dag_run": run, "deadline": {"id": "1", "deadline_time": at}}


def said(context, **options):
    return alerts.text(alerts.read(context, URL, **options))


def test_a_failed_task_says_where_which_try_why_and_where_to_read_more():
    assert said(of_a_task("failed", ValueError("no rows\nin the file"))) == (
        "🔴 Task failed\nDAG: etl\nTask: load\nRun: run_A\nTry: 2 of 3\nValueError: no rows\n" + TASK_LINK
    )


HEADLINES = {
    "🟡 Task failed and will be retried": of_a_task("up_for_retry", ValueError()),
    "🟢 Task succeeded": of_a_task("success"),
    "⚪ Task was skipped": of_a_task("skipped"),
    "🔵 Task started": of_a_task(None),
    "🔵 Task waits for an answer": of_a_task(None, task=SimpleNamespace(subject="Go?", options=["Yes"])),
    "🔴 DAG failed": of_a_dag("task_failure"),
    "🟢 DAG succeeded": of_a_dag("success"),
    "⏰ Deadline missed": of_a_deadline(),
}


@pytest.mark.parametrize(("headline", "context"), HEADLINES.items(), ids=HEADLINES)
def test_the_first_line_says_what_happened(headline, context):
    assert said(context).splitlines()[0] == headline


def test_a_state_may_be_an_enumeration_as_airflows_is():
    assert alerts.read(of_a_task(SimpleNamespace(value="failed")), URL).event is alerts.FAILED


@pytest.mark.parametrize(("try_number", "event"), [(2, alerts.RETRY), (3, alerts.FAILED)])
def test_a_task_whose_process_is_gone_is_judged_by_its_tries(try_number, event):
    context = of_a_task(None, try_number=try_number, start_date=None)
    alert = alerts.read(context, URL)
    assert alert.event is event
    assert "worker was lost" in alert.details


def test_an_instance_of_a_mapped_task_is_named_with_its_index():
    assert "\nTask: load [0]\n" in said(of_a_task("failed", map_index=0))


def test_tries_are_never_more_than_all():
    assert alerts.read(of_a_task("failed", try_number=4, max_tries=0), URL).attempt == "4 of 4"


def test_tries_that_nobody_counts_are_not_told():
    assert "Try:" not in said(of_a_task("failed", max_tries=None))


def test_the_question_of_a_waiting_task_is_told():
    task = SimpleNamespace(subject="Deploy\nto production?", options=["Yes"])
    assert "\nDeploy to production?\n" in said(of_a_task(None, task=task))


ERRORS = {
    "ValueError: spaces and tabs": ValueError("  spaces \t and   tabs "),
    "ValueError: second line": ValueError("\n\n second line\nthird"),
    "KeyError": KeyError(),
    "text only": "text only",
}


@pytest.mark.parametrize(("line", "error"), ERRORS.items(), ids=ERRORS)
def test_an_error_becomes_one_line(line, error):
    if line == "KeyError":
        error = type("KeyError", (Exception,), {})()
    assert alerts.read(of_a_task("failed", error), URL).details == line


def test_secrets_in_an_error_are_hidden_before_it_is_cut():
    context = of_a_task("failed", ValueError("password is hunter2\nhunter2"))
    alert = alerts.read(context, URL, redact=lambda text: text.replace("hunter2", "***"))
    assert alert.details == "ValueError: password is ***"


def test_a_failed_dag_names_the_reason_the_task_behind_it_and_its_run():
    assert said(of_a_dag("task_failure", ti=instance())) == (
        f"🔴 DAG failed\nDAG: etl\nTask: load\nRun: run_A\nA task failed\n{RUN_LINK}"
    )


def test_a_task_that_is_just_any_task_is_not_blamed():
    assert "Task:" not in said(of_a_dag("task_failure", ti=instance()), names_culprit=False)
    assert "Task:" not in said(of_a_dag("success", ti=instance()))


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("all_tasks_deadlocked", "Its tasks wait for each other"),
        ("timed_out", "It ran longer than its dagrun_timeout"),
        ("something new", "Something new"),
    ],
)
def test_every_reason_is_said_in_words(reason, words):
    alert = alerts.read(of_a_dag(reason), URL)
    assert (alert.event, alert.details) == (alerts.DAG_FAILED, words)


@pytest.mark.parametrize("at", ["2026-07-01T10:02:00Z", datetime(2026, 7, 1, 10, 2, tzinfo=timezone.utc)])
def test_a_missed_deadline_says_when_it_was_due(at):
    assert said(of_a_deadline(at)) == (
        "⏰ Deadline missed\nDAG: etl\nRun: run_A\nDue at 2026-07-01 10:02 UTC. The run was running then\n"
        + RUN_LINK
    )


@pytest.mark.parametrize("context", [of_a_deadline("soon", state=None), of_a_deadline(None, state=None)])
def test_a_deadline_without_a_time_is_an_alert_all_the_same(context):
    assert said(context) == f"⏰ Deadline missed\nDAG: etl\nRun: run_A\n{RUN_LINK}"


def test_run_ids_are_quoted_in_links():
    run = "scheduled__2026-07-01T00:00:00+00:00"
    assert alerts.read({**of_a_dag("success"), "run_id": run}, f"{URL}/").link == (
        f"{URL}/dags/etl/runs/scheduled__2026-07-01T00%3A00%3A00%2B00%3A00"
    )


@pytest.mark.parametrize("context", HEADLINES.values(), ids=HEADLINES)
def test_only_a_task_that_goes_on_counts_as_running(context):
    assert alerts.is_running(context) is ("ti" in context and context["ti"].state is None)


def test_a_recovery_tells_which_alert_it_ends_and_what_was_held_back():
    alert = alerts.read(of_a_task("success"), URL)
    assert alerts.recovered(alert, 0.0, 1).details.endswith("of 1970-01-01 00:00 UTC; 1 more was held back")
    assert alerts.recovered(alert, 0.0, 2).details.endswith("; 2 more were held back")
    recovered = alerts.recovered(alerts.read(of_a_dag("success"), URL), 0.0, 0)
    assert (recovered.event, recovered.details[-3:]) == (alerts.DAG_RECOVERED, "UTC")


def test_what_was_held_back_is_told_in_text_and_parameters():
    repeats = alerts.repeated(12, 0.0)
    alert = alerts.read(of_a_task("failed", ValueError("no rows")), URL)
    assert "\nAnd 12 more since 1970-01-01 00:00 UTC\n" in alerts.text(alert, repeats)
    assert (
        alerts.parameters(alert, repeats)[5] == "ValueError: no rows (and 12 more since 1970-01-01 00:00 UTC)"
    )
    silent = alerts.read(of_a_task("success"), URL)
    assert alerts.parameters(silent, repeats)[5] == repeats
    assert alerts.repeated(0, 0.0) == ""


def test_the_parameters_are_always_seven_and_none_is_empty():
    assert alerts.parameters(alerts.read(of_a_task("failed", ValueError("x")), URL)) == [
        "Task failed", "etl", "load", "run_A", "2 of 3", "ValueError: x", TASK_LINK,
    ]  # fmt: skip
    assert alerts.parameters(alerts.read(of_a_dag("success"), "")) == [
        "DAG succeeded", "etl", "-", "run_A", "-", "-", "-",
    ]  # fmt: skip


def longest():
    """An alert that is too long in every part."""
    names = {"dag_id": "d" * 250, "task_id": "t" * 250, "run_id": "r" * 250, "map_index": 99_999}
    numbers = {"try_number": 100, "max_tries": 100, "log_url": f"{URL}/{'x' * 275}"}
    context = of_a_task("up_for_retry", ValueError("e " * 500), **names, **numbers)
    return alerts.read(context, URL), alerts.repeated(1_000_000, 0.0)


def test_the_longest_alert_stays_below_1024_characters_and_keeps_its_link():
    text = alerts.text(*longest())
    assert 850 < len(text) <= 1024
    assert text.endswith("x" * 275)


def submitted_body():
    """Return the template of docs/alerting.md."""
    page = (Path(__file__).parents[2] / "docs/alerting.md").read_text()
    (found,) = re.findall(r"```json\n(\{.*?\})\n```", page, re.S)
    (body,) = [part for part in json.loads(found)["components"] if part["type"] == "BODY"]
    return body


def test_the_longest_alert_fits_into_the_documented_template():
    filled = submitted_body()["text"]
    parameters = alerts.parameters(*longest())
    for place, value in enumerate(parameters, 1):
        assert f"{{{{{place}}}}}" in filled
        filled = filled.replace(f"{{{{{place}}}}}", value)
    assert "{{" not in filled
    assert len(filled) <= 1024


def test_the_documented_template_would_be_accepted():
    body = submitted_body()
    assert not body["text"].startswith("{{")
    assert not body["text"].endswith("}}")
    assert len(body["example"]["body_text"][0]) == 7
    assert not limits.check(template("airflow_alert", "en", body=alerts.parameters(*longest())), CLOUD)


def test_a_link_that_is_too_long_is_left_out_and_not_cut():
    alert = alerts.read(of_a_task("failed", log_url=f"{URL}/{'x' * 300}"), URL)
    assert URL not in alerts.text(alert)
    assert alerts.parameters(alert)[6] == "-"

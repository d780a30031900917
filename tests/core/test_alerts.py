"""Alerts as values: what is read of Airflow's contexts, and how it is said."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_d360.alerts import reading, writing
from airflow_provider_d360.alerts.alert import DAG_FAILED, DAG_RECOVERED, FAILED, RETRY, recovered
from airflow_provider_d360.alerts.broken_files import BrokenFile
from airflow_provider_d360.api.checks import messages as limits
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.messages import template

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


def of_a_failed_dag(blamed, *tasks):
    """Return the context of a DAG whose task, of these, failed last."""
    by_id = {task.task_id: task for task in tasks}
    dag = SimpleNamespace(dag_id="etl", get_task=by_id.__getitem__)
    return of_a_dag("task_failure", ti=instance(task_id=blamed), task=by_id[blamed], dag=dag)


def task_of_a_dag(task_id, *downstream, rule="all_success", teardown=False, counts=False):
    return SimpleNamespace(
        task_id=task_id,
        downstream_task_ids=set(downstream),
        trigger_rule=rule,
        is_teardown=teardown,
        on_failure_fail_dagrun=counts,
    )


def of_a_deadline(at="2026-07-01T12:02:00+02:00", **more):
    run = {"dag_id": "etl", "dag_run_id": "run_A", "state": "running", **more}
    return {"dag_run": run, "deadline": {"id": "1", "deadline_time": at}}


def alert_text(context, **options):
    return writing.text(reading.read(context, URL, **options))


def test_a_failed_task_says_where_which_try_why_and_where_to_read_more():
    assert alert_text(of_a_task("failed", ValueError("no rows\nin the file"))) == (
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
    assert alert_text(context).splitlines()[0] == headline


def test_a_state_may_be_an_enumeration_as_airflows_is():
    assert reading.read(of_a_task(SimpleNamespace(value="failed")), URL).event is FAILED


@pytest.mark.parametrize(("try_number", "event"), [(2, RETRY), (3, FAILED)])
def test_a_task_whose_process_is_gone_is_judged_by_its_tries(try_number, event):
    context = of_a_task(None, try_number=try_number, start_date=None)
    alert = reading.read(context, URL)
    assert alert.event is event
    assert "worker was lost" in alert.details


def test_an_instance_of_a_mapped_task_is_named_with_its_index():
    assert "\nTask: load [0]\n" in alert_text(of_a_task("failed", map_index=0))


def test_an_instance_of_a_mapped_task_is_named_with_its_authors_label_too():
    label = SimpleNamespace(map_index=3, rendered_map_index="orders\nof hunter2")
    context = of_a_task("failed", **vars(label))
    redacted = alert_text(context, redact=lambda text: text.replace("hunter2", "***"))
    assert "\nTask: load [3: orders of ***]\n" in redacted
    assert "\nTask: load [3]\n" in alert_text(of_a_task("failed", map_index=3, rendered_map_index=None))


def test_tries_are_never_more_than_all():
    assert reading.read(of_a_task("failed", try_number=4, max_tries=0), URL).attempt == "4 of 4"


def test_tries_that_nobody_counts_are_not_told():
    assert "Try:" not in alert_text(of_a_task("failed", max_tries=None))


def test_the_question_of_a_waiting_task_is_told():
    task = SimpleNamespace(subject="Deploy\nto production?", options=["Yes"])
    assert "\nDeploy to production?\n" in alert_text(of_a_task(None, task=task))


@pytest.mark.parametrize(
    ("log_url", "link"),
    [
        (TASK_LINK, f"{RUN_LINK}/tasks/load/required_actions"),
        (f"{RUN_LINK}/tasks/load/mapped/3?try_number=1", f"{RUN_LINK}/tasks/load/mapped/3/required_actions"),
        ("", ""),
    ],
)
def test_the_link_of_a_waiting_task_leads_to_where_it_is_answered(log_url, link):
    task = SimpleNamespace(subject="Go?", options=["Yes"])
    assert reading.read(of_a_task(None, task=task, log_url=log_url), URL).link == link


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
    assert reading.read(of_a_task("failed", error), URL).details == line


class Group(Exception):  # noqa: N818 - as Python 3.11's ExceptionGroup, which Python 3.10 lacks
    exceptions = (ValueError("no rows\nat all"), KeyError("id"), OSError(), TypeError("the fourth"))


class Odd(Exception):  # noqa: N818
    exceptions = "not a tuple"

    @property
    def __notes__(self):
        raise RuntimeError


def noted(*notes):
    error = ValueError("no rows")
    vars(error)["__notes__"] = list(notes)  # as add_note() does from Python 3.11 on
    return error


ATTACHED = {
    "ValueError: no rows; while reading orders.csv; in the second sheet": noted(
        "while reading orders.csv\nmore", "in the second sheet", "the third"
    ),
    "Group: 4 of 4 failed; ValueError: no rows; KeyError: 'id'; OSError": Group("4 of 4 failed"),
    "Odd: hello": Odd("hello"),
    f"ValueError: no rows; {'x' * 200}": noted("x" * 300),
}


@pytest.mark.parametrize(("line", "error"), ATTACHED.items())
def test_the_first_notes_and_members_of_an_error_are_told(line, error):
    assert reading.read(of_a_task("failed", error), URL).details == line


def test_secrets_in_a_note_are_hidden():
    alert = reading.read(
        of_a_task("failed", noted("as hunter2")), URL, redact=lambda text: text.replace("hunter2", "***")
    )
    assert alert.details == "ValueError: no rows; as ***"


BROKEN = {
    "ImportError: no": "Traceback (most recent call last):\n  File x, line 3\nImportError: no\n",
    "sqlalchemy.exc.OperationalError: locked": "Traceback\nsqlalchemy.exc.OperationalError: locked\n[SQL: SELECT 1]\n(Background: https://x)",
    "Cycle detected in DAG: etl": "Cycle detected in DAG: etl",
    "": "\n",
}


@pytest.mark.parametrize(("line", "trace"), BROKEN.items())
def test_a_broken_file_is_told_with_the_line_that_names_the_error(line, trace):
    alert = reading.read({"broken_files": [BrokenFile("etl/a.py", trace)]}, f"{URL}/")
    assert (alert.event.headline, alert.dag, alert.details) == ("DAG file cannot be read", "etl/a.py", line)
    assert alert.link == f"{URL}/"


def test_a_broken_file_is_the_same_when_its_lines_and_addresses_move_and_no_other():
    digests = [
        BrokenFile("a.py", f"line {n}, <x at 0x{n}f>: {word}").digest
        for n in (1, 2)
        for word in ("one", "two")
    ]
    assert digests[0] == digests[2] != digests[1]
    assert BrokenFile("b.py", "line 1, <x at 0x1f>: one").digest not in digests


def test_secrets_in_an_error_are_hidden_before_it_is_cut():
    context = of_a_task("failed", ValueError("password is hunter2\nhunter2"))
    alert = reading.read(context, URL, redact=lambda text: text.replace("hunter2", "***"))
    assert alert.details == "ValueError: password is ***"


def test_a_failed_dag_names_the_reason_the_task_behind_it_and_its_run():
    assert alert_text(of_a_failed_dag("load", task_of_a_dag("load"))) == (
        f"🔴 DAG failed\nDAG: etl\nTask: load\nRun: run_A\nA task failed\n{RUN_LINK}"
    )


def test_a_task_that_is_just_any_task_is_not_blamed():
    context = of_a_failed_dag("load", task_of_a_dag("load"))
    assert "Task:" not in alert_text(context, has_failed_task=False)
    assert "Task:" not in alert_text(of_a_dag("success", ti=instance()))


CLEAN_UP = task_of_a_dag("clean_up", teardown=True)
DECISIVE = {
    "a last task": [task_of_a_dag("load")],
    "a last task but for a teardown": [task_of_a_dag("load", "clean_up"), CLEAN_UP],
    "a task that others need": [
        task_of_a_dag("load", "check", "log"),
        task_of_a_dag("check", "report"),
        task_of_a_dag("report", rule=SimpleNamespace(value="none_failed")),
        task_of_a_dag("log", rule="all_done"),
    ],
    "a teardown that counts": [task_of_a_dag("load", teardown=True, counts=True)],
}
UNDECISIVE = {
    "a teardown": [task_of_a_dag("load", teardown=True)],
    "a task whose failure is handled": [task_of_a_dag("load", "repair"), task_of_a_dag("repair", rule="one_failed")],
    "a task whose failure is handled later": [
        task_of_a_dag("load", "check"),
        task_of_a_dag("check", "load", "repair"),  # no DAG has a cycle; it must not hang all the same
        task_of_a_dag("repair", rule="all_done"),
    ],
    "a task of another version of the DAG": [task_of_a_dag("load", "unknown")],
}  # fmt: skip


@pytest.mark.parametrize("tasks", DECISIVE.values(), ids=DECISIVE)
def test_the_task_that_decided_the_run_is_named(tasks):
    assert "\nTask: load\n" in alert_text(of_a_failed_dag("load", *tasks))


@pytest.mark.parametrize("tasks", UNDECISIVE.values(), ids=UNDECISIVE)
def test_a_failure_that_decided_nothing_is_not_blamed_for_the_run(tasks):
    assert "Task:" not in alert_text(of_a_failed_dag("load", *tasks))


def test_without_a_task_that_is_known_a_failed_run_is_an_alert_all_the_same():
    assert "Task:" not in alert_text(of_a_dag("task_failure", ti=instance()))


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("all_tasks_deadlocked", "Its tasks wait for each other"),
        ("timed_out", "It ran longer than its dagrun_timeout"),
        ("something new", "Something new"),
    ],
)
def test_every_reason_is_said_in_words(reason, words):
    alert = reading.read(of_a_dag(reason), URL)
    assert (alert.event, alert.details) == (DAG_FAILED, words)


@pytest.mark.parametrize("at", ["2026-07-01T10:02:00Z", datetime(2026, 7, 1, 10, 2, tzinfo=timezone.utc)])
def test_a_missed_deadline_says_when_it_was_due(at):
    assert alert_text(of_a_deadline(at)) == (
        "⏰ Deadline missed\nDAG: etl\nRun: run_A\nDue at 2026-07-01 10:02 UTC. The run was running then\n"
        + RUN_LINK
    )


@pytest.mark.parametrize("context", [of_a_deadline("soon", state=None), of_a_deadline(None, state=None)])
def test_a_deadline_without_a_time_is_an_alert_all_the_same(context):
    assert alert_text(context) == f"⏰ Deadline missed\nDAG: etl\nRun: run_A\n{RUN_LINK}"


@pytest.mark.parametrize(
    "known", [{"run_id": "x"}, {"dag_run": {"dag_run_id": "x"}, "deadline": {}}, {"run_id": None}]
)
def test_a_run_is_linked_only_when_its_dag_and_itself_are_known(known):
    alert = reading.read(known, URL)
    assert alert.link == ""
    assert "/dags" not in writing.text(alert)


def test_a_deadline_without_ids_names_none():
    alert = reading.read({"dag_run": {"dag_id": None, "dag_run_id": None}, "deadline": {}}, URL)
    assert (alert.dag, alert.run, alert.link) == ("", "", "")


def test_run_ids_are_quoted_in_links():
    run = "scheduled__2026-07-01T00:00:00+00:00"
    assert reading.read({**of_a_dag("success"), "run_id": run}, f"{URL}/").link == (
        f"{URL}/dags/etl/runs/scheduled__2026-07-01T00%3A00%3A00%2B00%3A00"
    )


@pytest.mark.parametrize("context", HEADLINES.values(), ids=HEADLINES)
def test_only_a_task_that_goes_on_counts_as_running(context):
    assert reading.is_running(context) is ("ti" in context and context["ti"].state is None)


def test_a_recovery_tells_which_alert_it_ends_and_what_was_held_back():
    alert = reading.read(of_a_task("success"), URL)
    assert recovered(alert, 0.0, 1).details.endswith("of 1970-01-01 00:00 UTC; 1 more was held back")
    assert recovered(alert, 0.0, 2).details.endswith("; 2 more were held back")
    of_dag = recovered(reading.read(of_a_dag("success"), URL), 0.0, 0)
    assert (of_dag.event, of_dag.details[-3:]) == (DAG_RECOVERED, "UTC")


def test_what_was_held_back_is_told_in_text_and_parameters():
    repeats = writing.repeated(12, 0.0)
    alert = reading.read(of_a_task("failed", ValueError("no rows")), URL)
    assert "\nAnd 12 more since 1970-01-01 00:00 UTC\n" in writing.text(alert, repeats)
    assert (
        writing.parameters(alert, repeats)[5]
        == "ValueError: no rows (and 12 more since 1970-01-01 00:00 UTC)"
    )
    silent = reading.read(of_a_task("success"), URL)
    assert writing.parameters(silent, repeats)[5] == repeats
    assert writing.repeated(0, 0.0) == ""


def test_the_parameters_are_always_seven_and_none_is_empty():
    assert writing.parameters(reading.read(of_a_task("failed", ValueError("x")), URL)) == [
        "Task failed", "etl", "load", "run_A", "2 of 3", "ValueError: x", TASK_LINK,
    ]  # fmt: skip
    assert writing.parameters(reading.read(of_a_dag("success"), "")) == [
        "DAG succeeded", "etl", "-", "run_A", "-", "-", "-",
    ]  # fmt: skip


def longest():
    """An alert that is too long in every part."""
    names = {"dag_id": "d" * 250, "task_id": "t" * 250, "run_id": "r" * 250, "map_index": 99_999}
    numbers = {"try_number": 100, "max_tries": 100, "log_url": f"{URL}/{'x' * 275}"}
    context = of_a_task("up_for_retry", ValueError("e " * 500), **names, **numbers)
    return reading.read(context, URL), writing.repeated(1_000_000, 0.0)


def test_the_longest_alert_stays_below_1024_characters_and_keeps_its_link():
    text = writing.text(*longest())
    assert 850 < len(text) <= 1024
    assert text.endswith("x" * 275)


def submitted_body():
    """Return the template of docs/alerting.md."""
    page = (Path(__file__).parents[2] / "docs/alerting.md").read_text()
    (block,) = re.findall(r"```json\n(\{.*?\})\n```", page, re.S)
    (body,) = [part for part in json.loads(block)["components"] if part["type"] == "BODY"]
    return body


def test_the_longest_alert_fits_into_the_documented_template():
    filled = submitted_body()["text"]
    parameters = writing.parameters(*longest())
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
    assert not limits.check(template("airflow_alert", "en", body=writing.parameters(*longest())), CLOUD)


def test_a_link_that_is_too_long_is_left_out_and_not_cut():
    alert = reading.read(of_a_task("failed", log_url=f"{URL}/{'x' * 300}"), URL)
    assert URL not in writing.text(alert)
    assert writing.parameters(alert)[6] == "-"

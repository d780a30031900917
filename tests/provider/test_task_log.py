"""An alert shows the last lines of the task's log, for those who ask for them."""

from __future__ import annotations

import json

import pytest
from airflow.utils.helpers import log_filename_template_renderer

from airflow_provider_d360.alerts import task_log
from airflow_provider_d360.notifications.d360 import D360Notifier
from tests.provider.test_notifier import TO, of_a_task, texts, values


def entry(event, logger="task.etl", **more):
    return json.dumps(
        {"timestamp": "2026-07-01T02:00:00Z", "level": "info", "event": event, "logger": logger, **more}
    )


END = entry("Task failed with exception", "task", error_detail=[{"exc_type": "ValueError"}])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path))
    monkeypatch.setattr(task_log, "_WAIT_SECONDS", 0.2)
    return tmp_path


@pytest.fixture
def write(folder):
    """Write the log of a task, as Airflow's supervisor does."""

    def write_log(context, *lines):
        file = folder / log_filename_template_renderer()(ti=context["ti"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines))

    return write_log


def shown(emulator):
    return texts(emulator)[0].partition("Log:\n")[2].splitlines()[:-1]  # the last line is the link


def test_the_last_lines_before_the_failure_are_shown(d360_emulator, write):
    context = of_a_task()
    write(
        context,
        *(entry(f"File {number}") for number in range(30)),
        entry("  No  rows\nin it", "task.stdout"),
        END,
        entry("printed late", "task.stdout"),
        entry("Running the callback"),
    )
    D360Notifier(to=TO, log_lines=4)(context)
    assert shown(d360_emulator) == ["File 28", "File 29", "No rows in it", "printed late"]


def test_nothing_of_the_log_is_shown_by_default(d360_emulator, write):
    context = of_a_task()
    write(context, entry("a customer's name"), END)
    D360Notifier(to=TO)(context)
    assert "customer" not in texts(d360_emulator)[0]


def test_a_template_shows_the_end_of_the_log_with_the_reason(d360_emulator, write):
    context = of_a_task()
    write(context, *(entry(f"File {number:04}: no rows") for number in range(20)), END)
    D360Notifier(to=TO, template="pager", log_lines=20)(context)
    reason = values(d360_emulator.sent[0])[5]
    assert reason.startswith("ValueError: ")
    assert " | …" in reason
    assert reason.endswith(" File 0018: no rows File 0019: no rows")
    assert len(reason) <= 240


def test_long_lines_and_long_logs_are_cut(d360_emulator, write):
    context = of_a_task()
    write(context, *(entry(f"{number} " + "x" * 1000) for number in range(20)), END)
    D360Notifier(to=TO, log_lines=20)(context)
    lines = shown(d360_emulator)
    assert lines[-1] == "19 " + "x" * 156 + "…"
    assert sum(map(len, lines)) <= 1600


@pytest.mark.parametrize(
    "lines", [["plain text", "{cut", "[1]"], ["plain text", '"text"', '{"level": "info"}']]
)
def test_lines_that_are_no_entries_do_no_harm(d360_emulator, write, lines):
    context = of_a_task()
    write(context, *lines)
    D360Notifier(to=TO, log_lines=3)(context)
    assert shown(d360_emulator)[0] == "plain text"


def test_without_a_log_in_reach_the_alert_goes_out(d360_emulator):
    D360Notifier(to=TO, log_lines=3)(of_a_task())
    assert "Log:" not in texts(d360_emulator)[0]


@pytest.mark.parametrize("state", ["success", "skipped"])
def test_only_failures_show_the_log(d360_emulator, write, state):
    context = of_a_task(state=state, error=None)
    write(context, entry("all is well"))
    D360Notifier(to=TO, log_lines=3)(context)
    assert "well" not in texts(d360_emulator)[0]


@pytest.mark.parametrize("lines", [-1, 21, True, 2.5, "3"])
def test_a_number_of_lines_that_cannot_be_is_an_error_in_the_dag_file(lines):
    with pytest.raises(ValueError, match=r"log_lines is .*; it can be a whole number from 0 to 20"):
        D360Notifier(to=TO, log_lines=lines)

"""Alerts about every DAG: what Airflow's cluster policies add, and what they leave alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from types import SimpleNamespace

import pytest
from airflow import settings as airflow_settings
from airflow.sdk import DAG, BaseOperator, task

from airflow_provider_d360 import policy
from airflow_provider_d360.get_provider_info import get_provider_info
from airflow_provider_d360.notifications.configured import PROBLEM, RECOVERY, alert_settings
from airflow_provider_d360.notifications.d360 import D360Notifier
from airflow_provider_d360.sending import rates

TO = "4915112345689"
CALLBACKS = ("on_failure_callback", "on_retry_callback", "on_success_callback")
EVERYTHING = "failed_runs, failed_tasks, retries, recoveries, broken_dag_files"


class OwnNotifier(D360Notifier):
    """What a site may make of the notifier."""


@pytest.fixture(autouse=True)
def options(monkeypatch, store_path):
    """Set options as a user does, in the environment; with none, nobody is alerted."""
    monkeypatch.setattr(rates, "_limiters", {})
    monkeypatch.setattr(policy, "_problems", set())

    def set_options(**options):
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__D360__ALERT_{name.upper()}", value)
        alert_settings.cache_clear()

    set_options()
    yield set_options
    alert_settings.cache_clear()


def made(dag_options=None, **task_options):
    """Return a DAG with one task, as Airflow has it after the policies."""
    with DAG("etl", schedule=None, **(dag_options or {})) as dag:
        BaseOperator(task_id="load", **task_options)
    applied(dag)
    return dag


def applied(dag):
    airflow_settings.dag_policy(dag)
    for one in dag.tasks:
        airflow_settings.task_policy(one)


def callbacks(target):
    return {name: value for name in CALLBACKS if (value := getattr(target, name, None))}


def test_the_entry_point_leads_to_the_policies():
    (point,) = [one for one in entry_points(group="airflow.policy") if "d360" in one.value]
    assert point.load() is policy


def test_without_a_recipient_nothing_is_added():
    dag = made()
    assert (callbacks(dag), callbacks(dag.get_task("load"))) == ({}, {})


def test_by_default_failed_runs_and_recoveries_are_told_by_the_dag_and_nothing_by_its_tasks(options):
    options(to=TO)
    dag = made()
    assert callbacks(dag) == {"on_failure_callback": [PROBLEM], "on_success_callback": [RECOVERY]}
    assert (dag.has_on_failure_callback, dag.has_on_success_callback) == (True, True)
    assert callbacks(dag.get_task("load")) == {}


def test_the_options_that_are_not_set_have_the_documented_defaults(options):
    options(to=TO)
    defaults = get_provider_info()["config"]["d360"]["options"]
    settings = alert_settings()
    assert settings is not None
    assert settings.events == set(defaults["alert_on"]["default"].split(","))
    assert settings.opt_out_tag == defaults["alert_opt_out_tag"]["default"]
    assert (settings.template, settings.language) == ("", defaults["alert_language"]["default"])


def test_tasks_are_told_of_when_that_is_asked_for(options):
    options(to=TO, on="failed_tasks,retries,recoveries")
    dag = made()
    assert callbacks(dag) == {}
    assert callbacks(dag.get_task("load")) == {
        "on_failure_callback": [PROBLEM],
        "on_retry_callback": [PROBLEM],
        "on_success_callback": [RECOVERY],
    }


def test_mapped_tasks_are_told_of_too(options):
    options(to=TO, on="failed_tasks")
    with DAG("etl", schedule=None) as dag:

        @task
        def load(number):
            return number

        load.expand(number=[1, 2])
    applied(dag)
    assert callbacks(dag.get_task("load")) == {"on_failure_callback": [PROBLEM]}


def test_a_task_that_does_nothing_still_needs_no_process(options):
    from airflow.providers.standard.operators.empty import EmptyOperator

    options(to=TO, on=EVERYTHING)
    with DAG("etl", schedule=None) as dag:
        EmptyOperator(task_id="nothing")
    applied(dag)
    assert callbacks(dag.get_task("nothing")) == {}


@pytest.mark.parametrize("kind", [D360Notifier, OwnNotifier])
@pytest.mark.parametrize("as_a_list", [False, True])
def test_a_callback_with_a_notifier_of_ours_stays_as_it_is(options, kind, as_a_list):
    options(to=TO, on="failed_runs,failed_tasks")
    own = kind(to=TO)
    given = [own] if as_a_list else own
    dag = made({"on_failure_callback": given}, on_failure_callback=given)
    assert dag.on_failure_callback == given
    assert dag.get_task("load").on_failure_callback == [own]


@pytest.mark.parametrize("as_a_list", [False, True])
def test_other_callbacks_keep_their_place(options, as_a_list):
    options(to=TO, on="failed_runs,failed_tasks")
    given = [print] if as_a_list else print
    dag = made({"on_failure_callback": given}, on_failure_callback=given)
    assert dag.on_failure_callback == dag.get_task("load").on_failure_callback == [print, PROBLEM]


def test_tasks_that_share_a_list_of_callbacks_get_one_alert_each(options):
    options(to=TO, on="failed_tasks")
    shared = [print]
    with DAG("etl", schedule=None, default_args={"on_failure_callback": shared}) as dag:
        BaseOperator(task_id="one")
        BaseOperator(task_id="two")
    applied(dag)
    applied(dag)  # an example of what a site may do
    assert [one.on_failure_callback for one in dag.tasks] == [[print, PROBLEM]] * 2
    assert shared == [print]


@pytest.mark.parametrize("tag", ["no-whatsapp-alerts", "quiet"])
def test_a_tag_opts_out(options, tag):
    options(to=TO, on=EVERYTHING)
    if tag != "no-whatsapp-alerts":
        options(opt_out_tag=tag)
    dag = made({"tags": [tag]})
    assert (callbacks(dag), callbacks(dag.get_task("load"))) == ({}, {})
    assert callbacks(made({"tags": ["another"]})) != {}


@pytest.mark.parametrize(
    ("on", "words"), [("failed_run", "names 'failed_run', which is unknown"), (" , ", "is empty")]
)
def test_a_wrong_option_is_one_line_in_the_log_and_no_alert(options, caplog, on, words):
    options(to=TO, on=on)
    assert [callbacks(made()) for _ in range(3)] == [{}] * 3
    (record,) = [record for record in caplog.records if record.name.startswith("airflow_provider_d360")]
    assert words in record.getMessage()
    assert "failed_runs, failed_tasks, retries, recoveries, broken_dag_files" in record.getMessage()


def test_a_dag_that_is_unlike_any_other_is_unharmed_and_logged_once(options, caplog):
    options(to=TO, on=EVERYTHING)
    for _ in range(2):
        airflow_settings.dag_policy(SimpleNamespace(tasks=[]))
        airflow_settings.task_policy(SimpleNamespace())
    assert len([record for record in caplog.records if record.name == policy.__name__]) == 1


def test_the_alert_goes_to_whom_the_options_name_with_their_template(options, d360_emulator):
    options(to="{{ ['" + TO + "'] | first }}", template="airflow_alert", language="de")
    dag = made()
    (alert,) = dag.on_failure_callback
    alert({"dag": dag, "run_id": "run_A", "reason": "task_failure"})
    (message,) = d360_emulator.sent
    assert (message.to, message.body["template"]["name"]) == (TO, "airflow_alert")
    assert message.body["template"]["language"]["code"] == "de"


def test_a_recovery_is_told_after_an_alert_and_only_then(options, d360_emulator):
    options(to=TO)
    dag = made()
    (problem,), (recovery,) = dag.on_failure_callback, dag.on_success_callback
    good, bad = {"run_id": "run_B", "reason": "success"}, {"run_id": "run_A", "reason": "task_failure"}
    for alert, context in [(recovery, good), (problem, bad), (recovery, good), (recovery, good)]:
        alert({"dag": dag, **context})
    headlines = [message.body["text"]["body"].splitlines()[0] for message in d360_emulator.sent]
    assert headlines == ["🔴 DAG failed", "🟢 DAG recovered"]


def test_a_callback_shows_nobody_the_number(options):
    options(to=TO)
    assert TO not in repr(made().on_failure_callback)


DAG_FILE = """
from airflow.sdk import DAG, task

for name in ("one", "two"):
    with DAG(name, schedule=None):

        @task(retries=1)
        def load():
            pass

        load()
"""

SERIALIZE = """
import json, sys
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
try:
    from airflow.serialization.serialized_objects import DagSerialization as Serialized
except ImportError:
    from airflow.serialization.serialized_objects import SerializedDAG as Serialized
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
to_dict = Serialized.to_dict
print("RESULT" + json.dumps({name: to_dict(dag) for name, dag in sorted(bag.dags.items())}, default=str))
print("MODULES" + json.dumps(sorted(name for name in sys.modules if name.startswith("airflow_provider_d360"))))
"""


def in_a_process(program, *arguments, **options):
    environment = {**os.environ, "PYTHONHASHSEED": "random"}
    environment |= {f"AIRFLOW__D360__ALERT_{name.upper()}": value for name, value in options.items()}
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    return {
        name: json.loads(line[len(name) :])
        for line in lines
        for name in ("RESULT", "MODULES")
        if line.startswith(name)
    }


@pytest.fixture(scope="module")
def readings(tmp_path_factory):
    """Read the same file in three processes: without the option, and twice with it."""
    file = tmp_path_factory.mktemp("dags") / "dags.py"
    file.write_text(DAG_FILE)
    everything = {"to": TO, "on": EVERYTHING}
    return [in_a_process(SERIALIZE, str(file), **options) for options in ({}, everything, everything)]


def test_a_dag_has_the_same_serialized_form_each_time_it_is_read(readings):
    off, *on = [reading["RESULT"] for reading in readings]
    assert on[0] == on[1] != off
    assert set(off) == set(on[0]) == {"one", "two"}
    for name in ("has_on_failure_callback", "has_on_success_callback", "has_on_retry_callback"):
        assert name in json.dumps(on)
    assert "has_on_" not in json.dumps(off)
    assert TO not in json.dumps(on)


def test_reading_dags_imports_next_to_nothing_of_ours(readings):
    light = {
        "airflow_provider_d360",
        "airflow_provider_d360.get_provider_info",
        "airflow_provider_d360.notifications",
        "airflow_provider_d360.notifications.configured",
        "airflow_provider_d360.plugin",
        "airflow_provider_d360.policy",
        "airflow_provider_d360.urls",
    }
    assert [set(reading["MODULES"]) - light for reading in readings] == [set()] * 3

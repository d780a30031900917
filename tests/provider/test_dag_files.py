"""Alerts about DAG files that cannot be imported, as Airflow's DAG processor reports them."""

from __future__ import annotations

import json
import logging
import sys
import threading

import pytest
from airflow import settings as airflow_settings
from airflow.listeners.listener import get_listener_manager
from airflow.sdk import DAG, BaseOperator

from airflow_provider_d360 import plugin
from airflow_provider_d360.notifications import dag_files
from airflow_provider_d360.notifications.configured import alert_settings
from airflow_provider_d360.sending import rates

TO = "4915112345689"


def trace(error="ModuleNotFoundError: No module named 'pandaz'", line=3, address="0x7f01"):
    return f'Traceback (most recent call last):\n  File "/dags/etl/orders.py", line {line}, in <module>\n    <function at {address}>\n{error}\n'


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path, store_path):
    """A folder of DAGs that is a bundle; a listener that has heard of nothing yet, and does not wait."""
    bundle = {"name": "dags-folder", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle"}
    bundles = json.dumps([{**bundle, "kwargs": {"path": str(tmp_path)}}])
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", bundles)
    monkeypatch.setenv("AIRFLOW__D360__ALERT_TO", TO)
    monkeypatch.setattr(rates, "_limiters", {})
    monkeypatch.setattr(dag_files, "_errors", {})
    monkeypatch.setattr(dag_files, "QUIET_SECONDS", 0.0)
    alert_settings.cache_clear()
    yield tmp_path
    alert_settings.cache_clear()


def new(file, stacktrace):
    dag_files.on_new_dag_import_error(filename=str(file), stacktrace=stacktrace)
    sent()


def existing(file, stacktrace):
    dag_files.on_existing_dag_import_error(filename=str(file), stacktrace=stacktrace)
    sent()


def restart(monkeypatch):
    monkeypatch.setattr(dag_files, "_errors", {})


def sent():
    """Wait until the alerts are sent."""
    for thread in threading.enumerate():
        if thread.name == "d360-broken-dag-files":
            thread.join()


def texts(emulator):
    return [message.body["text"]["body"] for message in emulator.sent]


def test_the_alert_names_the_file_in_its_bundle_and_the_error(d360_emulator, folder):
    new(folder / "etl" / "orders.py", trace())
    assert texts(d360_emulator) == [
        "🔴 DAG file cannot be read\nDAG: etl/orders.py\nModuleNotFoundError: No module named 'pandaz'\n"
        "http://localhost:8080/"
    ]


def test_a_file_outside_of_every_bundle_is_named_without_its_folders(d360_emulator):
    new("/somewhere/else/orders.py", trace())
    assert "\nDAG: orders.py\n" in texts(d360_emulator)[0]


def test_a_file_that_stays_broken_is_told_once_even_when_its_lines_move(d360_emulator, folder):
    new(folder / "orders.py", trace())
    existing(folder / "orders.py", trace())
    existing(folder / "orders.py", trace(line=4, address="0x7f02"))
    assert len(d360_emulator.sent) == 1


def test_another_error_of_the_same_file_is_told(d360_emulator, folder):
    new(folder / "orders.py", trace())
    existing(folder / "orders.py", trace("ValueError: no schedule"))
    assert ["ValueError: no schedule" in text for text in texts(d360_emulator)] == [False, True]


def test_a_restart_tells_nothing_again(d360_emulator, folder, monkeypatch):
    new(folder / "orders.py", trace())
    restart(monkeypatch)
    existing(folder / "orders.py", trace())
    new(folder / "orders.py", trace())  # as when Airflow's database was reset, or by a second DAG processor
    assert len(d360_emulator.sent) == 1


def test_files_that_break_while_an_alert_is_sent_share_the_next_one(d360_emulator, folder, monkeypatch):
    first_is_out = threading.Event()
    others_have_come = threading.Event()

    def quiet(_):
        first_is_out.set()
        others_have_come.wait()

    monkeypatch.setattr("airflow_provider_d360.notifications.dag_files.time.sleep", quiet)
    dag_files.on_new_dag_import_error(filename=str(folder / "a.py"), stacktrace=trace())
    assert first_is_out.wait(60)
    for name in ("b.py", "c.py", "d.py"):
        dag_files.on_new_dag_import_error(filename=str(folder / name), stacktrace=trace("ValueError: x"))
    others_have_come.set()
    sent()
    assert [text.splitlines()[1] for text in texts(d360_emulator)] == ["DAG: a.py", "DAG: b.py and 2 more"]
    assert "b.py: ValueError: x; c.py: ValueError: x; d.py: ValueError: x" in texts(d360_emulator)[1]


def test_what_goes_wrong_inside_never_reaches_airflow(d360_emulator, folder, caplog, monkeypatch):
    d360_emulator.reject(131026)
    new(folder / "orders.py", trace())
    monkeypatch.setattr(dag_files, "Thread", None)
    new(folder / "others.py", trace())
    assert d360_emulator.sent == []
    assert "No alert about a broken DAG file: TypeError" in caplog.text


def test_no_log_holds_the_number(d360_emulator, folder, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    new(folder / "orders.py", trace())
    assert len(d360_emulator.sent) == 1
    assert TO not in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "options", "listens"),
    [
        ("dag-processor", {}, True),
        ("dag-processor", {"ALERT_TO": ""}, False),
        ("dag-processor", {"ALERT_ON": "failed_runs"}, False),
        ("scheduler", {}, False),
        ("celery", {}, False),
    ],
)
def test_only_the_dag_processor_listens_and_only_when_it_is_asked_to(monkeypatch, command, options, listens):
    for name, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__D360__{name}", value)
    monkeypatch.setattr(sys, "argv", ["airflow", command])
    assert plugin.listeners() == ([dag_files] if listens else [])


@pytest.mark.parametrize("ends_in_the_triggerer", [True, False])
def test_a_dag_that_airflow_refuses_beside_a_listener_is_read_without(ends_in_the_triggerer):
    manager = get_listener_manager().pm
    manager.register(dag_files)
    try:
        with DAG("etl", schedule=None) as dag:
            BaseOperator(task_id="load").end_from_trigger = ends_in_the_triggerer
        airflow_settings.dag_policy(dag)
        assert manager.is_registered(dag_files) is not ends_in_the_triggerer
    finally:
        if manager.is_registered(dag_files):
            manager.unregister(dag_files)

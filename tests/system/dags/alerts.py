"""Every callback that Airflow has, each with the same kind of alert, to whom a variable names."""

from __future__ import annotations

import logging
import os
import signal
import time
from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.sdk.definitions.deadline import (  # type: ignore[attr-defined]  # where 3.1 has them, too
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
)

from airflow_provider_d360.notifications.d360 import D360Notifier, send_d360_notification

WHERE = {"to": "{{ var.value.on_call }}", "d360_conn_id": "d360_alerts"}
ALERT = send_d360_notification(**WHERE)

with DAG("alerts_failure", schedule=None, on_failure_callback=ALERT):

    @task(retries=1, retry_delay=timedelta(seconds=1), on_retry_callback=ALERT, on_failure_callback=ALERT)
    def load(run: str) -> None:
        raise ValueError(f"no rows for {run}\nand more lines")

    load("{{ run_id }}")

with DAG("alerts_log", schedule=None):

    @task(on_failure_callback=send_d360_notification(**WHERE, log_lines=2))
    def read_files() -> None:
        logging.getLogger(__name__).info("Reading files")
        time.sleep(0.5)
        print("One has no rows", flush=True)  # noqa: T201 - what a task prints is in its log, too
        time.sleep(0.5)
        logging.getLogger(__name__).info("Another has none, either")
        time.sleep(0.5)  # so that what is printed and what is logged come in their order
        raise ValueError("no rows")

    read_files()

with DAG("alerts_killed", schedule=None, on_failure_callback=ALERT):

    @task(on_failure_callback=ALERT)
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    die()

with DAG("alerts_success", schedule=None, on_success_callback=ALERT):

    @task(on_execute_callback=ALERT, on_success_callback=ALERT)
    def tidy() -> None:
        pass

    tidy()

with DAG(
    "alerts_deadline",
    schedule=None,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=1),
        callback=AsyncCallback(
            D360Notifier, kwargs={"to": "{{ var.value.on_call }}", "d360_conn_id": "d360_alerts"}
        ),
    ),
):

    @task
    def dawdle() -> None:
        time.sleep(15)

    dawdle()

with DAG(
    "alerts_lost",
    schedule=None,
    on_failure_callback=D360Notifier(to="+49 30 98765432", d360_conn_id="d360_wrong_key"),
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=1),
        callback=AsyncCallback(
            D360Notifier,
            kwargs={
                "to": ["+49 30 98765432"],
                "message": "Nobody may read this",
                "d360_conn_id": "d360_wrong_key",
            },
        ),
    ),
):

    @task(on_failure_callback=D360Notifier(to="+49 30 98765432", d360_conn_id="d360_wrong_key"))
    def break_slowly() -> None:
        time.sleep(15)
        raise ValueError("broken")

    break_slowly()

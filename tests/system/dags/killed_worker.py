"""Messages whose workers are killed with -9: from the start of the task to after the response."""

from __future__ import annotations

import os
import random
import subprocess
import time
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_d360.operators.messages import D360SendMessageOperator

# How long the last try took that was not killed: the next ones are killed within that time, and a bit more.
SECONDS = Path(os.environ["AIRFLOW_HOME"], "killed_worker_seconds.txt")


class DoomedOperator(D360SendMessageOperator):
    """Dies on its first try, at an instant that nobody knows before."""

    def execute(self, context):
        began = time.monotonic()
        if context["ti"].try_number == 1 and SECONDS.exists():
            instant = random.uniform(0, 1.2 * float(SECONDS.read_text()))  # noqa: S311 - chance, not secrecy
            kill = (
                f"sleep {instant} && kill -9 {os.getpid()}"  # from outside: no thread of ours is in its way
            )
            subprocess.Popen(["/bin/sh", "-c", kill], start_new_session=True)
        message_id = super().execute(context)
        new = SECONDS.with_suffix(f".{os.getpid()}")
        new.write_text(str(time.monotonic() - began))
        new.replace(SECONDS)
        if context["ti"].try_number == 1:
            time.sleep(2 * float(SECONDS.read_text()))  # those that are killed late are killed here
        return message_id


MESSAGES = 100 if os.environ.get("ATTACK") == "whole" else 20

for policy, count in (("fail", MESSAGES), ("resend", 6)):
    with DAG(f"killed_worker_{policy}", schedule=None, max_active_tasks=8):
        DoomedOperator.partial(
            task_id="send",
            message="{{ dag.dag_id }} {{ ti.map_index }}",
            on_ambiguous=policy,
            ambiguity_wait_seconds=0,
            retries=1,
            retry_delay=timedelta(seconds=1),
        ).expand(to=[f"49151000{number:05}" for number in range(count)])

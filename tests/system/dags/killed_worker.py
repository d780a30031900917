"""Sixty messages whose workers are killed with -9 at random instants around the sending."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.operators.messages import D360SendMessageOperator

STRETCH_SECONDS = 0.15


class SlowHook(D360Hook):
    """Stretches the two dangerous moments: the intent stands and nothing went out; it is out, without an id."""

    def call(self, call):
        time.sleep(STRETCH_SECONDS)
        sent = super().call(call)
        time.sleep(STRETCH_SECONDS)
        return sent


class DoomedOperator(D360SendMessageOperator):
    """Dies on its first try, at an instant that nobody knows before."""

    @property
    def hook(self):
        return SlowHook(self.d360_conn_id)

    def execute(self, context):
        if context["ti"].try_number == 1:
            instant = random.uniform(0, 2 * STRETCH_SECONDS)  # noqa: S311 - chance, not secrecy
            threading.Timer(instant, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return super().execute(context)


for policy, count in (("fail", 60), ("resend", 8)):
    with DAG(f"killed_worker_{policy}", schedule=None, max_active_tasks=8):
        DoomedOperator.partial(
            task_id="send",
            message="{{ dag.dag_id }} {{ ti.map_index }}",
            on_ambiguous=policy,
            retries=1,
            retry_delay=timedelta(seconds=1),
        ).expand(to=[f"49151000{number:05}" for number in range(count)])

"""
Many processes that call the notifier at once.

They are forked from one that has imported what an alert needs: to start hundreds of interpreters that each import
Airflow takes minutes, in which they come one after the other. So they meet at the store, and not while they import.

``python -m tests.provider.flood COUNT``: the store, the connection and Airflow are those of the environment.
"""

from __future__ import annotations

import os
import sys
import traceback
from types import SimpleNamespace

import psycopg2.extras  # type: ignore[import-untyped]  # noqa: F401
import requests  # noqa: F401
from airflow.sdk import BaseHook

import airflow_provider_d360.hooks.d360
import airflow_provider_d360.store.configured  # noqa: F401
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.notifications.d360 import D360Notifier

TO = "4915112345689"


def fail(index: int) -> None:
    """Do what a mapped task's process does when the task has failed."""
    ti = SimpleNamespace(
        dag_id="etl", task_id="load", run_id="run_A", map_index=index, try_number=1, max_tries=0,
        state="failed", start_date=1,
    )  # fmt: skip
    D360Notifier(to=TO)({"ti": ti, "exception": ValueError("no rows")})


def main() -> int:
    """Import the rest, fork, let all of them begin at once, and return how many failed."""
    canonical(TO)  # these two import more when they are first used
    BaseHook.get_connection("d360_default")
    ready, gate = os.pipe(), os.pipe()
    children = []
    for index in range(int(sys.argv[1])):
        child = os.fork()
        if child == 0:
            os.close(gate[1])
            os.write(ready[1], b".")
            os.read(gate[0], 1)  # returns when the parent closes the other end
            try:
                fail(index)
            except BaseException:  # noqa: BLE001 - this process is a copy, and must end here
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(child)
    for _ in children:
        os.read(ready[0], 1)
    os.close(gate[1])
    return sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main())

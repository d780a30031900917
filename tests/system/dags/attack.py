"""
What goes wrong around mapped sends, all at once: an operator, a hook in a task, and one in an async task.

The list comes in another order at each run of its task, like a query without ORDER BY. Some people stand in
it twice, with two orders. Some texts hold the time and the number of the try. Tasks are killed with -9.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow import __version__ as airflow_version
from airflow.sdk import DAG, task

from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.operators.messages import D360SendMessageOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

RETRIES: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=1)}
# What becomes of a try, and how often: nothing, a kill on the way to the POST, one around its response.
FATES = ("none", "on the way", "at the response")
FIRST_TRY, LATER_TRY = (1, 2, 2), (10, 1, 1)
HOME = Path(os.environ["AIRFLOW_HOME"])
DEATH_SECONDS = 20

Order = dict[str, Any]


def text(order: Order, try_number: int) -> str:
    """Return the text of an order: the same one each time, or another one in each try."""
    if order["text_is_fixed"]:
        return f"Order {order['number']}"
    return f"Order {order['number']}, at {datetime.now(timezone.utc).isoformat()} in try {try_number}"


@contextmanager
def danger(ti: Any, order: Order) -> Iterator[None]:
    """Let this process be killed from outside: soon, or by the server as soon as that has the message."""
    [fate] = random.choices(FATES, FIRST_TRY if ti.try_number == 1 else LATER_TRY)  # noqa: S311
    note = f"{ti.dag_id} {ti.map_index} {ti.try_number}"
    announced = HOME / "sending" / f"{order['to']}-{order['number']}"
    announcement = {"pid": os.getpid(), "at": time.time(), "kill": fate == "at the response", "note": note}
    announced.with_suffix(".new").write_text(json.dumps(announcement))
    announced.with_suffix(".new").replace(announced)
    if fate == "on the way":
        _kill_soon(note)
    yield
    if fate == "at the response":
        with suppress(FileNotFoundError):
            announced.unlink()  # nothing was sent, and nobody comes to kill
            return
    if fate != "none":
        time.sleep(DEATH_SECONDS)


def _kill_soon(note: str) -> None:
    """Kill this process at a random instant of the time that others took to the POST."""
    instant = random.uniform(0, 1.2 * float((HOME / "seconds.txt").read_text()))  # noqa: S311
    kill = f"sleep {instant} && kill -9 {os.getpid()} && echo {note} >> {HOME}/kills.txt"
    nowhere = subprocess.DEVNULL
    subprocess.Popen(["/bin/sh", "-c", kill], stdout=nowhere, stderr=nowhere, start_new_session=True)


@task(task_id="recipients", **RETRIES)
def recipients(dag_run: Any = None) -> list[Order]:
    """Return the list of the run's configuration, in another order each time."""
    orders = list(dag_run.conf["orders"])
    random.shuffle(orders)
    return orders


class DoomedOperator(D360SendMessageOperator):
    def execute(self, context: Context) -> Any:
        ti = context["ti"]
        with danger(ti, ti.xcom_pull("recipients")[ti.map_index]):
            return super().execute(context)


with DAG("attack_operator", schedule=None, user_defined_macros={"text": text}):
    orders = recipients()
    DoomedOperator.partial(
        task_id="send",
        message="{{ text(ti.xcom_pull('recipients')[ti.map_index], ti.try_number) }}",
        ambiguity_wait_seconds=0,
        **RETRIES,
    ).expand(to=orders.map(lambda order: order["to"]))

with DAG("attack_task", schedule=None):

    @task(task_id="send", **RETRIES)
    def send(order: Order, ti: Any = None) -> str | None:
        with danger(ti, order):
            return D360Hook().send(order["to"], text(order, ti.try_number)).message_id

    send.expand(order=recipients())


async def asend(order: Order, ti: Any = None) -> str | None:
    with danger(ti, order):
        hook = D360Hook()
        try:
            return (await hook.asend(order["to"], text(order, ti.try_number))).message_id
        finally:
            await hook.aclose()


def run_asend(order: Order, ti: Any = None) -> str | None:
    return asyncio.run(asend(order, ti))


with DAG("attack_async_task", schedule=None):
    # Airflow 3.1 does not await what a task returns.
    function: Any = run_asend if airflow_version.startswith("3.1.") else asend
    task(task_id="send", **RETRIES)(function).expand(order=recipients())

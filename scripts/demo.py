"""`make demo`: a real Airflow sends a WhatsApp message to the emulator, and you see what arrives."""

from __future__ import annotations

import secrets
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer
from airflow_provider_d360.emulator.records import SentMessage
from airflow_provider_d360.emulator.server import connection_json
from scripts.demo_campaign import send_campaign
from scripts.demo_conversation import hold_conversation
from scripts.real_airflow import RealAirflow, RealAirflowError

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RECEIVER = "/d360/webhook"  # where the receiver stands in Airflow's API server
EXAMPLES = Path(__file__).parents[1] / "example_dags"


def main() -> int:
    """Run the demo; with ``--keep``, leave Airflow open until Ctrl-C."""
    keep = "--keep" in sys.argv[1:]
    for number in _ENDINGS:
        signal.signal(number, _interrupt)
    try:
        demonstrate(keep=keep)
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.")
        return 0 if keep else 130
    except RealAirflowError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    return 0


def demonstrate(*, keep: bool) -> None:
    """Start everything, run examples through the scheduler, say what happened, stop everything."""
    started = time.monotonic()
    emulator = Emulator(delay_seconds=0.2)
    with EmulatorServer(emulator) as server:
        _say(f"The emulator, a 360dialog of your own, listens on {server.url}.")
        _say("Airflow starts: database, scheduler, API server. About half a minute.")
        extra = {"webhook_username": "360dialog", "webhook_password": secrets.token_hex(8)}
        extra["messages_per_second"] = "300"  # a number that was upgraded: 80 would take half a minute
        environment = {
            "AIRFLOW_CONN_D360_DEFAULT": connection_json(server.url, CLOUD_KEY, "cloud", **extra),
            "AIRFLOW__D360__WEBHOOK_ENABLED": "True",
        }
        with RealAirflow(EXAMPLES, environment, tick=_dot) as airflow:
            emulator.deliver_to = airflow.url
            _configure_webhook(airflow, emulator)
            _send_messages(airflow, emulator)
            _wait_for_delivery(airflow, emulator)
            hold_conversation(airflow, emulator, _say)
            send_campaign(airflow, emulator)
            _say(f"Done, in {time.monotonic() - started:.0f} seconds.")
            if keep:
                _say(f"Look at it: {airflow.url} (user {airflow.user}, password {airflow.password}).")
                _say("What its DAGs send appears here. Ctrl-C ends it.")
                emulator.on_change = _show
                signal.pause()
    _say("Everything is stopped. See it in Airflow's own pages with: make demo KEEP=1\n")


def _configure_webhook(airflow: RealAirflow, emulator: Emulator) -> None:
    _run(airflow, "example_d360_configure_webhook", {"url": f"https://airflow.example.com{RECEIVER}"})
    webhook = emulator.numbers[CLOUD_KEY].webhook
    if webhook is None:
        raise RealAirflowError("no webhook was set")
    _say(f"360dialog now delivers to {webhook.url} (here, to the receiver in this Airflow).")


def _send_messages(airflow: RealAirflow, emulator: Emulator) -> None:
    _run(airflow, "example_d360_send_message")
    if not emulator.sent:
        raise RealAirflowError("no message arrived")
    _say("What reached WhatsApp:")
    for sent in emulator.sent:
        _show(emulator.wait_for_statuses(sent.message_id))


def _wait_for_delivery(airflow: RealAirflow, emulator: Emulator) -> None:
    before = len(emulator.sent)
    _run(airflow, "example_d360_wait_until_delivered")
    _say("The task slept in the triggerer until WhatsApp's webhook said that this is on the phone:")
    for sent in emulator.sent[before:]:
        _show(sent)


def _run(airflow: RealAirflow, dag_id: str, conf: dict[str, str] | None = None) -> None:
    _say(f"The scheduler runs {dag_id}.")
    run_id = airflow.run(dag_id, conf)
    for task in airflow.tasks(dag_id, run_id):
        print(f"\n  {task['task_id']}: {task['state']}", end="")
        if task["state"] != "success":
            raise RealAirflowError(airflow.task_log(dag_id, run_id, task["task_id"]))


def _show(sent: SentMessage) -> None:
    kind = sent.body["type"]
    content = sent.body[kind]
    print(f"\n  to {sent.to}: {kind} {content.get('body') or content.get('caption')!r}")
    print(f"  {sent.message_id}: accepted, {', '.join(sent.statuses)}", end="")


def _say(line: str) -> None:
    print(f"\n{line}", end="", flush=True)


def _dot() -> None:
    print(".", end="", flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for other in _ENDINGS:
        signal.signal(other, signal.SIG_IGN)  # a second Ctrl-C must not stop the clearing up
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

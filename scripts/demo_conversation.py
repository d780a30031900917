"""The conversation in `make demo`: a DAG asks three people, two agree, and the third one is late."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_d360.emulator import Emulator
from airflow_provider_d360.emulator.records import SentMessage
from scripts.real_airflow import RealAirflow, RealAirflowError

DAG_ID = "example_d360_approval"
ASKED = 3


def hold_conversation(airflow: RealAirflow, emulator: Emulator, say: Callable[[str], None]) -> None:
    """
    Let a DAG ask three people for an approval, and answer for them.

    :param airflow: The Airflow.
    :param emulator: The emulator with the people's phones.
    :param say: Prints a line.
    """
    before = len(emulator.sent)
    say(f"The scheduler runs {DAG_ID}, which asks three people and needs two of them.")
    run_id = airflow.start_run(DAG_ID)
    airflow.wait(lambda: len(emulator.sent) >= before + ASKED, "the question", 120)
    ann, bob, eve = emulator.sent[before : before + ASKED]
    say(f"  to {ann.to}, {bob.to} and {eve.to}: {_text_of(ann)!r} [Approve] [Reject]")
    for person in (ann, bob):
        emulator.tap(person.message_id, "Approve")
        say(f"  {person.to} taps Approve.")
    if airflow.wait_for_end(DAG_ID, run_id) != "success":
        raise RealAirflowError(airflow.task_log(DAG_ID, run_id, "approve"))
    say(f"  It slept in the triggerer until then. Its answer: {airflow.xcom(DAG_ID, run_id, 'approve')}.")
    emulator.tap(eve.message_id, "Reject")
    airflow.wait(lambda: len(emulator.sent) > before + ASKED, "the late one to be told", 60)
    say(f"  {eve.to} taps Reject, too late, and is told: {_text_of(emulator.sent[-1])!r}")


def _text_of(sent: SentMessage) -> str:
    return str(
        sent.body["interactive"]["body"]["text"] if "interactive" in sent.body else sent.body["text"]["body"]
    )

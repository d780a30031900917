"""A run of the DAGs in ``dags/attack.py``: what its server does, and what is counted."""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_d360.api.privacy import mask_number
from airflow_provider_d360.api.wire import Request, Response
from airflow_provider_d360.emulator import Emulator, faults
from airflow_provider_d360.emulator.faults import Fault
from airflow_provider_d360.emulator.records import SentMessage
from scripts.real_airflow import RealAirflow

LATENCY_SECONDS = 0.1  # of each response
ROUND_SECONDS = 1800  # only an Airflow that hangs takes so long

# Masked, the numbers of a DAG are still different: the first two and the last two digits are shown.
PREFIXES = {"attack_operator": "49151000", "attack_task": "4477000", "attack_async_task": "336000"}


class KillingEmulator(Emulator):
    """Kills those that asked for it in ``AIRFLOW_HOME/sending``, around the response to their message."""

    home: Path  # set before the first message

    def prepare(self, home: Path) -> None:
        self.home = home
        (home / "sending").mkdir()
        (home / "kills.txt").touch()
        self.kills: list[str] = []
        self._seconds: deque[float] = deque(maxlen=15)
        self._write_seconds(0.5)
        self.fail_next(faults.slow(LATENCY_SECONDS), times=1_000_000, path="/messages")

    def serve(self, request: Request, sleep: Callable[[float], object]) -> tuple[Response, Fault]:
        if request.path == "/messages":
            self._meet(json.loads(request.body))
        return super().serve(request, sleep)

    def _meet(self, body: Any) -> None:
        announced = self.home / "sending" / f"{body['to']}-{number_in(body['text']['body'])}"
        try:
            sender = json.loads(announced.read_text())
            announced.unlink()
        except FileNotFoundError:  # a second POST of one try
            return
        self._seconds.append(time.time() - sender["at"])
        self._write_seconds(statistics.median(self._seconds))
        if sender["kill"]:
            instant = random.uniform(0, 2 * LATENCY_SECONDS)  # noqa: S311 - chance, not secrecy
            threading.Timer(instant, self._kill, (sender["pid"], sender["note"])).start()

    def _kill(self, pid: int, note: str) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills.append(note)

    def _write_seconds(self, seconds: float) -> None:
        new = self.home / f"seconds-{threading.get_ident()}"
        new.write_text(f"{seconds:.3f}")
        new.replace(self.home / "seconds.txt")


def list_orders(prefix: str, sends: int) -> list[dict[str, Any]]:
    """Return orders of people, of whom one in four has two; two fifths are told in a text that never changes."""
    people = sends * 4 // 5
    return [
        {
            "number": number,
            "to": f"{prefix}{number % people:05}",
            "text_is_fixed": number % 5 in (0, 4),  # of two orders of somebody: none, one or both
        }
        for number in range(sends)
    ]


def number_in(text: str) -> int:
    """Return the number of the order that a text is about."""
    return int(text.removeprefix("Order ").partition(",")[0])


def text_of(message: SentMessage) -> str:
    return str(message.body["text"]["body"])


@dataclass
class Attack:
    """One DAG's run. A *round* is what one *Clear* begins; the first one begins with the run."""

    dag_id: str
    sends: int
    airflow: RealAirflow
    emulator: KillingEmulator
    rounds: list[int] = field(default_factory=list)  # how many messages had gone out at the end of each
    outcomes: Counter[tuple[str, int]] = field(default_factory=Counter)

    def start(self) -> None:
        self.orders = list_orders(PREFIXES[self.dag_id], self.sends)
        self.due = Counter(str(order["to"]) for order in self.orders)
        self.run_id = self.airflow.start_run(self.dag_id, {"orders": self.orders})

    def clear(self) -> None:
        self.airflow.clear(self.dag_id, self.run_id, "send")

    def end_round(self) -> None:
        self.airflow.wait_for_end(self.dag_id, self.run_id, ROUND_SECONDS)
        self.rounds.append(len(self.sent()))
        if len(self.rounds) == 1:
            self._note_outcomes()

    def sent(self) -> list[SentMessage]:
        return [message for message in self.emulator.sent if message.to in self.due]

    def kills(self) -> list[tuple[int, int]]:
        """Return mapped index and try of each kill."""
        early = (self.airflow.home / "kills.txt").read_text().splitlines()
        notes = [note.split() for note in (*early, *self.emulator.kills)]
        return [(int(index), int(nth)) for dag_id, index, nth in notes if dag_id == self.dag_id]

    def failed(self) -> list[str]:
        """Return the recipient, masked, of each task that failed."""
        return [mask_number(order["to"]) for order, state, _ in self._tasks() if state == "failed"]

    def faults(self, listed: Counter[str]) -> list[str]:
        """Return what must not be, one sentence each."""
        copies = Counter(message.to for message in self.sent())
        texts = Counter((message.to, text_of(message)) for message in self.sent())
        too_many = [
            f"{self.dag_id}: {copies[to]} messages to {to}, for whom there are {count}"
            for to, count in self.due.items()
            if copies[to] > count
        ]
        again = [f"{self.dag_id}: {n} times to {to}: {words}" for (to, words), n in texts.items() if n > 1]
        missing = [
            f"{self.dag_id}: {copies[to]} of {count} messages to {to}, {listed[mask_number(to)]} are listed"
            for to, count in self.due.items()
            if copies[to] + listed[mask_number(to)] < count
        ]
        return too_many + again + missing

    def figures(self, listed: Counter[str]) -> str:
        copies = Counter(message.to for message in self.sent())
        texts = Counter(text_of(message) for message in self.sent())
        failed = sum(count for (state, _), count in self.outcomes.items() if state == "failed")
        return (
            f"  {self.dag_id}: {self.sends} sends to {len(self.due)} people, {len(self.kills())} kills\n"
            f"    messages at the server after each round: {' '.join(map(str, self.rounds))}\n"
            f"    people with too many: {sum(copies[to] > n for to, n in self.due.items())}, with none: "
            f"{sum(not copies[to] for to in self.due)}; one text again: {sum(n - 1 for n in texts.values())}; "
            f"listed: {sum(listed[mask_number(to)] for to in self.due)}\n"
            f"    first round: of {sum(self.outcomes.values())} killed, {failed} failed in the end, "
            f"{self.outcomes['failed', 0]} of them with nothing sent; "
            f"{self.outcomes['success', 2] + self.outcomes['failed', 2]} sent twice"
        )

    def _note_outcomes(self) -> None:
        """Count the killed tasks of the first round by their state and by how many messages they sent."""
        sent = Counter(number_in(text_of(message)) for message in self.sent())
        doomed = {index for index, _ in self.kills()}
        self.outcomes = Counter(
            (state, min(sent[order["number"]], 2)) for order, state, index in self._tasks() if index in doomed
        )

    def _tasks(self) -> list[tuple[dict[str, Any], str, int]]:
        """Return order, state and mapped index of each sending task."""
        orders = self.airflow.xcom(self.dag_id, self.run_id, "recipients")
        tasks = self.airflow.tasks(self.dag_id, self.run_id)
        mapped = [(task["map_index"], task["state"]) for task in tasks if task["task_id"] == "send"]
        return [(orders[index], state, index) for index, state in mapped]

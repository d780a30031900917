"""Posting events to webhooks: in order, with further attempts until a response of 200."""

from __future__ import annotations

import heapq
import http.client
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from airflow_provider_d360.emulator.records import Delivery, JSONObject, Webhook

TIMEOUT_SECONDS = 5.0
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Agenda:
    """Runs jobs when they are due, one after the other, on a thread that ends when there are none."""

    def __init__(self) -> None:
        self._jobs: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._running = False
        self._closing = False

    def add(self, delay_seconds: float, job: Callable[[], None]) -> None:
        """
        Schedule a job.

        :param delay_seconds: The time until it is due.
        :param job: The job.
        """
        with self._changed:
            if self._closing:
                return
            heapq.heappush(self._jobs, (time.monotonic() + delay_seconds, next(self._order), job))
            self._changed.notify_all()
            if not self._running:
                self._running = True
                self._thread = threading.Thread(target=self._run, name="d360-emulator-events", daemon=True)
                self._thread.start()

    def clear(self) -> None:
        """Drop all jobs; the one that runs goes on."""
        with self._changed:
            self._jobs.clear()
            self._changed.notify_all()

    def close(self, interrupt: Callable[[], None]) -> None:
        """
        Drop all jobs and end the thread.

        :param interrupt: Makes the job that runs end soon; called until it has ended.
        """
        with self._changed:
            self._closing = True
            thread = self._thread
        self.clear()
        while thread is not None and thread.is_alive():
            interrupt()
            thread.join(0.02)
        self._closing = False

    def _run(self) -> None:
        try:
            while (job := self._next()) is not None:
                job()
        except BaseException:
            self._running = False
            raise

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while self._jobs:
                wait_seconds = self._jobs[0][0] - time.monotonic()
                if wait_seconds <= 0:
                    return heapq.heappop(self._jobs)[2]
                self._changed.wait(wait_seconds)
            self._running = False
            return None


class Courier:
    """
    Delivers events and records their deliveries.

    :param changed: Its lock guards the deliveries; it is notified of every change to them.
    :param agenda: Runs the attempts.
    """

    def __init__(self, changed: threading.Condition, agenda: Agenda) -> None:
        self._changed = changed
        self._agenda = agenda
        self._numbers = itertools.count()
        self._deliveries: dict[int, Delivery] = {}
        self._socket: socket.socket | None = None

    @property
    def deliveries(self) -> list[Delivery]:
        """Every delivery, oldest first."""
        with self._changed:
            return list(self._deliveries.values())

    def deliver(
        self,
        webhook: Webhook,
        deliver_to: str | None,
        message_id: str,
        body: JSONObject,
        delays: Sequence[float],
    ) -> None:
        """
        Deliver one event.

        :param webhook: The webhook.
        :param deliver_to: Scheme and host that replace those of the webhook; ``None`` to keep them.
        :param message_id: The id of the message that the event is about.
        :param body: The event.
        :param delays: Seconds before each further attempt.
        """
        number, url = next(self._numbers), _readdress(webhook.url, deliver_to)
        with self._changed:
            if url is None:
                self._deliveries[number] = Delivery(
                    message_id, webhook.url, webhook.headers, body, state="not_sent"
                )
                return
            self._deliveries[number] = Delivery(message_id, url, webhook.headers, body)
            self._agenda.add(0.0, partial(self._attempt, number, tuple(delays)))

    def waiting(self, message_id: str | None = None) -> bool:
        """
        Return True if deliveries are pending.

        :param message_id: Only those of this message; all when it is ``None``.
        """
        return any(
            delivery.state == "waiting" and message_id in (None, delivery.message_id)
            for delivery in self.deliveries
        )

    def clear(self) -> None:
        """Drop all deliveries; the one that runs is aborted."""
        with self._changed:
            self._deliveries.clear()
            self.abort()

    def abort(self) -> None:
        """Abort the delivery that runs, if there is one."""
        with self._changed:
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _attempt(self, number: int, delays: tuple[float, ...]) -> None:
        with self._changed:
            delivery = self._deliveries.get(number)
        if delivery is None:
            return
        outcome = self._post(number, delivery)
        with self._changed:
            if number not in self._deliveries:
                return
            delivery = replace(delivery, attempts=(*delivery.attempts, outcome))
            if outcome == 200:
                delivery = replace(delivery, state="delivered")
            elif len(delivery.attempts) > len(delays):
                delivery = replace(delivery, state="given_up")
            else:
                self._agenda.add(delays[len(delivery.attempts) - 1], partial(self._attempt, number, delays))
            self._deliveries[number] = delivery
            self._changed.notify_all()

    def _post(self, number: int, delivery: Delivery) -> int | str:
        # Not urllib, which uses proxies from the environment and follows redirects.
        parts = urlsplit(delivery.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        try:
            with closing(kind(parts.netloc.rpartition("@")[2], timeout=TIMEOUT_SECONDS)) as connection:
                connection.connect()
                with self._changed:
                    if number not in self._deliveries:
                        return "dropped"
                    self._socket = connection.sock
                headers = {"Content-Type": "application/json", **delivery.headers}
                connection.request("POST", path, json.dumps(delivery.body).encode(), headers)
                return connection.getresponse().status
        except (OSError, ValueError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            with self._changed:
                self._socket = None


def _readdress(url: str, deliver_to: str | None) -> str | None:
    """Replace scheme and host; ``None`` for a URL that is not on this machine and has no replacement."""
    parts = urlsplit(url)
    if deliver_to is None:
        return url if parts.hostname in LOOPBACK else None
    base = urlsplit(deliver_to)
    return parts._replace(scheme=base.scheme, netloc=base.netloc, fragment="").geturl()

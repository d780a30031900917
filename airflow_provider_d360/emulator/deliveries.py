"""Posting events to webhooks: in order, with further attempts until a response of 200."""

from __future__ import annotations

import heapq
import http.client
import itertools
import json
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from airflow_provider_d360.emulator.records import Delivery, JSONObject, Webhook

TIMEOUT_SECONDS = 5.0
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Agenda:
    """Runs jobs when they are due, one after the other, on a thread that ends after the last job."""

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
    Delivers events and records their deliveries. A connection is kept as long as others wait for it.

    :ivar at_once: How many events one request may carry, when several wait for the same webhook.
    :param changed: Its lock guards the deliveries; it is notified of every change to them.
    :param agenda: Runs the attempts.
    """

    at_once = 1

    def __init__(self, changed: threading.Condition, agenda: Agenda) -> None:
        self._changed = changed
        self._agenda = agenda
        self._numbers = itertools.count()
        self._deliveries: dict[int, Delivery] = {}
        self._new: deque[int] = deque()  # those without an attempt, oldest first
        self._waiting: Counter[str] = Counter()  # by message id
        self._connection: http.client.HTTPConnection | None = None
        self._connected_to: tuple[type, str] | None = None
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
        :param deliver_to: Scheme and host to use instead of the webhook's. Default: the webhook's.
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
            self._new.append(number)
            self._waiting[message_id] += 1
            self._agenda.add(0.0, partial(self._attempt, number, tuple(delays), 0))

    def waiting(self, message_id: str | None = None) -> bool:
        """
        Return True if deliveries are pending.

        :param message_id: Only deliveries of this message. Default: all.
        """
        with self._changed:
            return self._waiting.total() > 0 if message_id is None else self._waiting[message_id] > 0

    def clear(self) -> None:
        """Drop all deliveries; the one that runs is aborted."""
        with self._changed:
            self._deliveries.clear()
            self._new.clear()
            self._waiting.clear()
            self.abort()

    def abort(self) -> None:
        """Abort the delivery that runs, if there is one."""
        with self._changed:
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _attempt(self, number: int, delays: tuple[float, ...], earlier: int) -> None:
        with self._changed:
            batch = self._batch(number, earlier)
        if not batch:
            return
        outcome = self._post(batch)
        with self._changed:
            for each in batch:
                self._conclude(each, outcome, delays)
            if not self._new:
                self._disconnect()
            self._changed.notify_all()

    def _batch(self, number: int, earlier: int) -> dict[int, Delivery]:
        """Return a delivery with so many earlier attempts, and new ones that may be made together with it."""
        delivery = self._deliveries.get(number)
        if delivery is None or len(delivery.attempts) != earlier:  # it was made together with another one
            return {}
        batch = {number: delivery}
        if not earlier:
            self._new.popleft()
            while self._new and len(batch) < self.at_once:
                other = self._deliveries[self._new[0]]
                if (other.url, other.headers) != (
                    delivery.url,
                    delivery.headers,
                ) or "entry" not in other.body:
                    break
                batch[self._new.popleft()] = other
        return batch

    def _conclude(self, number: int, outcome: int | str, delays: tuple[float, ...]) -> None:
        delivery = self._deliveries.get(number)
        if delivery is None:
            return
        delivery = replace(delivery, attempts=(*delivery.attempts, outcome))
        if outcome == 200:
            delivery = replace(delivery, state="delivered")
        elif len(delivery.attempts) > len(delays):
            delivery = replace(delivery, state="given_up")
        else:
            earlier = len(delivery.attempts)
            self._agenda.add(delays[earlier - 1], partial(self._attempt, number, delays, earlier))
        if delivery.state != "waiting":
            self._waiting[delivery.message_id] -= 1
            if not self._waiting[delivery.message_id]:
                del self._waiting[delivery.message_id]
        self._deliveries[number] = delivery

    def _post(self, batch: Mapping[int, Delivery]) -> int | str:
        parts = urlsplit(next(iter(batch.values())).url)
        # Not urllib, which uses proxies from the environment and follows redirects.
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        host = parts.netloc.rpartition("@")[2]
        if self._connection is not None and self._connected_to == (kind, host):
            try:
                return self._exchange(self._connection, path, batch)
            except (OSError, http.client.HTTPException):  # it was closed meanwhile
                pass
        self._disconnect()
        try:
            connection = kind(host, timeout=TIMEOUT_SECONDS)
            connection.connect()
            self._connection, self._connected_to = connection, (kind, host)
            return self._exchange(connection, path, batch)
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._disconnect()
            return f"{type(error).__name__}: {error}"

    def _exchange(
        self, connection: http.client.HTTPConnection, path: str, batch: Mapping[int, Delivery]
    ) -> int | str:
        first = next(iter(batch.values()))
        body = first.body
        if len(batch) > 1:
            body = {**body, "entry": [entry for each in batch.values() for entry in each.body["entry"]]}
        with self._changed:
            if not batch.keys() & self._deliveries.keys():
                return "dropped"
            self._socket = connection.sock
        try:
            headers = {"Content-Type": "application/json", **first.headers}
            connection.request("POST", path, json.dumps(body).encode(), headers)
            response = connection.getresponse()
            response.read()
            if response.will_close:
                self._disconnect()
            return response.status
        finally:
            with self._changed:
                self._socket = None

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _readdress(url: str, deliver_to: str | None) -> str | None:
    """Replace scheme and host; ``None`` for a URL that is not on this machine and has no replacement."""
    parts = urlsplit(url)
    if deliver_to is None:
        return url if parts.hostname in LOOPBACK else None
    base = urlsplit(deliver_to)
    return parts._replace(scheme=base.scheme, netloc=base.netloc, fragment="").geturl()

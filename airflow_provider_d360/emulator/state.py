"""What the service knows and what happens to it: numbers, templates, media, messages, and their events."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from airflow_provider_d360.api.hosting import CLOUD, Hosting
from airflow_provider_d360.emulator import events
from airflow_provider_d360.emulator.deliveries import Agenda, Courier
from airflow_provider_d360.emulator.media_store import MediaStore
from airflow_provider_d360.emulator.message_ids import new_message_id
from airflow_provider_d360.emulator.message_rules import canonical
from airflow_provider_d360.emulator.policies import Policies, Throughput
from airflow_provider_d360.emulator.records import (
    AccountSettings,
    Delivery,
    JSONObject,
    Number,
    Rule,
    SentMessage,
    WabaWebhook,
)
from airflow_provider_d360.emulator.responses import Problem
from airflow_provider_d360.emulator.template_store import TemplateStore

WINDOW_SECONDS = 24 * 3600
_FIRST_NUMBER = 442079460000  # of London, and of nobody: Ofcom keeps 020 7946 0000 to 0999 for fiction


class State:
    """
    The state of one emulated service. All methods may be called from any thread.

    :param keys: The hosting of the number for each API key.
    :param statuses: The statuses of each accepted message, in order; ``failed`` may name its error code, as
        in ``failed:131026``.
    :param delay_seconds: Time before each of the statuses.
    :param deliver_to: Scheme and host, such as ``http://127.0.0.1:8000``, that replace the ones of the
        configured webhook; its path stays. Without it, events are delivered to this machine only.
    :param retry_delays_seconds: Time before each further attempt while a webhook does not respond with 200.
    :param waba_webhook_delay_seconds: Time until a webhook of the account takes effect.
    :param waba_webhook_unseen_reads: How many reads still show the webhook before it.
    :param strict: Refuse messages that need something which is not here: a template, a file, a reply of the
        recipient within 24 hours. Without it, what the emulator does not know counts as there.
    :param messages_per_second: Refuse messages that are too fast, as the service does: more than this in any
        second, in and out together, and more to one person than one in six seconds, 45 of them on credit.
        Without it, no message is too fast.
    :param events_at_once: How many events one request to a webhook may carry, when as many wait for it.
    :param on_change: Called with each message when it is accepted, and again at each status.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, Hosting],
        statuses: Sequence[str] = ("sent", "delivered", "read"),
        delay_seconds: float = 0.0,
        deliver_to: str | None = None,
        retry_delays_seconds: Sequence[float] = (0.1, 0.5, 2.0, 5.0, 10.0),
        waba_webhook_delay_seconds: float = 0.0,
        waba_webhook_unseen_reads: int = 1,
        strict: bool = False,
        messages_per_second: float | None = None,
        events_at_once: int = 1,
        on_change: Callable[[SentMessage], object] | None = None,
    ) -> None:
        self._statuses = events.check_statuses(statuses)
        self.delay_seconds = delay_seconds
        self.deliver_to = deliver_to
        self.retry_delays_seconds = tuple(retry_delays_seconds)
        self.waba_webhook_delay_seconds = waba_webhook_delay_seconds
        self.waba_webhook_unseen_reads = waba_webhook_unseen_reads
        self.strict = strict
        self.messages_per_second = messages_per_second
        self.on_change = on_change
        self._keys = dict(keys)
        self._changed = threading.Condition(threading.RLock())
        self._agenda = Agenda()
        self._courier = Courier(self._changed, self._agenda)
        self._courier.at_once = events_at_once
        self.reset()

    def reset(self) -> None:
        """Return to the initial state: no records, rules, faults, webhooks, or pending deliveries."""
        with self._changed:
            self._agenda.clear()
            self._courier.clear()
            self.numbers = {
                key: Number(key, hosting, str(_FIRST_NUMBER + position))
                for position, (key, hosting) in enumerate(self._keys.items())
            }
            self.waba = WabaWebhook()
            self.can_send_message = "AVAILABLE"
            self.settings: defaultdict[str, AccountSettings] = defaultdict(AccountSettings)
            self.templates = TemplateStore()
            self.media = MediaStore(next(iter(self.numbers), ""))
            self.policies = Policies(self.templates)
            self._throughput = Throughput()
            self._sent: dict[str, SentMessage] = {}
            self._rules: list[Rule] = []
            self._scripts: dict[str, tuple[str, ...]] = {}
            self._inbound: dict[tuple[str, str], float] = {}
            self._changed.notify_all()

    def close(self) -> None:
        """Drop all pending deliveries and end the thread that delivers; records stay."""
        self._agenda.close(self._courier.abort)

    @property
    def sent(self) -> list[SentMessage]:
        """Every accepted message, oldest first."""
        with self._changed:
            return list(self._sent.values())

    @property
    def deliveries(self) -> list[Delivery]:
        """Every event for a webhook, oldest first."""
        return self._courier.deliveries

    def wait_for_statuses(
        self, message_id: str, status: str = "read", timeout_seconds: float = 5.0
    ) -> SentMessage:
        """
        Wait until a message has a status and all its deliveries so far are over.

        :param message_id: The id of the message.
        :param status: The status.
        :param timeout_seconds: The longest wait.
        :raises TimeoutError: when the wait is over; it names the statuses so far.
        """

        def done() -> bool:
            sent = self._sent.get(message_id)
            return sent is not None and status in sent.statuses and not self._courier.waiting(message_id)

        with self._changed:
            in_time = self._changed.wait_for(done, timeout_seconds)
            sent = self._sent.get(message_id)
        if sent is None:
            raise TimeoutError(f"No message {message_id} was accepted in {timeout_seconds:g} s")
        if not in_time:
            raise TimeoutError(
                f"Not {status} and delivered in {timeout_seconds:g} s; statuses: {sent.statuses}, "
                f"deliveries: {[delivery.attempts for delivery in self.deliveries]}"
            )
        return sent

    def wait_for_deliveries(self, timeout_seconds: float = 5.0) -> list[Delivery]:
        """
        Wait until no delivery is pending.

        :param timeout_seconds: The longest wait.
        :raises TimeoutError: when the wait is over.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._courier.waiting(), timeout_seconds):
                raise TimeoutError(f"Deliveries are still pending after {timeout_seconds:g} s")
            return self.deliveries

    def reject(self, code: int, to: str | None = None, times: int | None = None) -> None:
        """
        Reject messages with an error code of WhatsApp.

        :param code: The error code.
        :param to: The recipient; everybody when it is ``None``.
        :param times: How many messages; all when it is ``None``.
        """
        with self._changed:
            self._rules.append(Rule(code, None if to is None else canonical(to), times))

    def set_statuses(self, statuses: Sequence[str], to: str | None = None) -> None:
        """
        Set the statuses of messages that are accepted from now on.

        :param statuses: The statuses, in order; ``failed`` may name its error code, as in ``failed:131026``.
        :param to: The recipient; everybody without statuses of their own when it is ``None``.
        :raises ValueError: when the code of ``failed:…`` is not a number.
        """
        with self._changed:
            if to is None:
                self._statuses = events.check_statuses(statuses)
            else:
                self._scripts[canonical(to)] = events.check_statuses(statuses)

    def receive(
        self,
        message: str | JSONObject,
        *,
        sender: str = "447700900123",
        name: str = "Ann",
        reply_to: str | None = None,
        key: str | None = None,
    ) -> str:
        """
        Deliver a message from a person to the webhook of a number, and return its id.

        It opens the 24-hour window of this person.

        :param message: A text, or a message as webhooks carry it; see
            :func:`~airflow_provider_d360.emulator.events.button_reply`.
        :param sender: A phone number, or a business-scoped user id, which hides it.
        :param name: The name in the sender's profile.
        :param reply_to: The id of the message that this one quotes or responds to.
        :param key: The API key of the number; the first number when it is ``None``.
        :raises LookupError: when the key is unknown, or its number has no webhook.
        """
        content: JSONObject = (
            {"type": "text", "text": {"body": message}} if isinstance(message, str) else message
        )
        with self._changed:
            number = self.numbers[next(iter(self.numbers)) if key is None else key]
            person = canonical(sender)
            message_id = new_message_id(number.hosting, person, inbound=True)
            event = events.message_event(number, message_id, content, person, name, reply_to)
            self._inbound[number.key, person] = time.monotonic()
            self._throughput.count(number.key)
            if not self._deliver(number, message_id, event):
                raise LookupError("The number has no webhook to deliver the message to")
        return message_id

    def window_is_open(self, number: Number, to: str) -> bool:
        """
        Return True if the recipient wrote to the number within the last 24 hours.

        :param number: The number that sends.
        :param to: The recipient.
        """
        with self._changed:
            received = self._inbound.get((number.key, to))
            return received is not None and time.monotonic() - received < WINDOW_SECONDS

    def accept(self, number: Number, to: str, body: JSONObject) -> SentMessage:
        """
        Record a message and schedule its statuses, which wait for a verdict while it is held.

        :param number: The number that sends.
        :param to: The recipient.
        :param body: The body of the request.
        :raises InvalidError: when the number, or this person, gets too many messages.
        """
        with self._changed:
            if self.messages_per_second is not None:
                self._throughput.admit(number.key, to, self.messages_per_second)
            message_id, held = new_message_id(number.hosting, to), self.policies.holds(number, body)
            code = self.policies.failure(number, to, body)
            sent = SentMessage(
                message_id, to, number.hosting.name, number.key, body, held=held, accepted_at=time.time()
            )
            self._record(sent)
            if not held:
                self._schedule(sent, self._script(to) if code is None else (f"failed:{code}",))
            return sent

    def decide_held(self, template: str, code: int | None) -> None:
        """
        End the wait of held messages.

        :param template: The name of their template.
        :param code: The error code that they fail with; None lets them go out.
        """
        with self._changed:
            for sent in self.sent:
                if sent.held and sent.body["template"]["name"] == template:
                    self._sent[sent.message_id] = sent = replace(sent, held=False)
                    self._schedule(sent, self._script(sent.to) if code is None else (f"failed:{code}",))

    def _script(self, to: str) -> tuple[str, ...]:
        return self._scripts.get(to, self._statuses)

    def _schedule(self, sent: SentMessage, statuses: Sequence[str]) -> None:
        for position, status in enumerate(statuses, 1):
            job = partial(self._set_status, sent.message_id, status)
            self._agenda.add(position * self.delay_seconds, job)

    def raise_if_rejected(self, to: str) -> None:
        """
        Apply the rules of :meth:`reject`.

        :param to: The recipient.
        :raises InvalidError: when one of the rules applies.
        """
        with self._changed:
            for rule in self._rules:
                if rule.applies(to):
                    rule.times = None if rule.times is None else rule.times - 1
                    Problem(rule.code, rule.code).reject("Rejected by a rule of the emulator")

    def _set_status(self, message_id: str, status: str) -> None:
        name, error = events.parse_status(status)
        with self._changed:
            sent = self._sent.get(message_id)
            if sent is None:  # the state was reset
                return
            number = self.numbers[sent.key]
            category = self.policies.category(number, sent.body)
            sent = replace(sent, statuses=(*sent.statuses, name))
            self._deliver(number, message_id, events.status_event(number, sent, name, error, category))
            self._record(sent)

    def _record(self, sent: SentMessage) -> None:
        self._sent[sent.message_id] = sent
        self._changed.notify_all()
        if self.on_change is not None:
            self.on_change(sent)

    def _deliver(self, number: Number, message_id: str, event: JSONObject) -> bool:
        self.waba.settle(self.numbers.values())
        webhook = number.webhook or (self.waba.webhook if number.hosting is CLOUD else None)
        if webhook is None:
            return False
        self._courier.deliver(webhook, self.deliver_to, message_id, event, self.retry_delays_seconds)
        return True

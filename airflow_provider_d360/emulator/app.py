"""The emulator: one set of handlers for every door, and the record of what came through."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX, Hosting
from airflow_provider_d360.api.wire import Request, Response
from airflow_provider_d360.emulator import (
    accounts,
    events,
    health,
    media,
    messages,
    routes,
    templates,
    webhooks,
)
from airflow_provider_d360.emulator.answers import RefusedError, gateway_error, refusal
from airflow_provider_d360.emulator.bodies import canonical
from airflow_provider_d360.emulator.deliveries import Agenda, Courier
from airflow_provider_d360.emulator.faults import NO_FAULT, AnswerLostError, Fault, Order, Rule, fault_named
from airflow_provider_d360.emulator.records import Delivery, JSONObject, Number, SentMessage, Webhook

CLOUD_KEY = "cloud-key"
ON_PREMISE_KEY = "on-premise-key"
SANDBOX_KEY = "1234567_sandbox"
KEYS: Mapping[str, Hosting] = {CLOUD_KEY: CLOUD, ON_PREMISE_KEY: ON_PREMISE, SANDBOX_KEY: SANDBOX}

ROUTES = (
    *messages.ROUTES,
    *webhooks.ROUTES,
    *health.ROUTES,
    *templates.ROUTES,
    *accounts.ROUTES,
    *media.ROUTES,
    *media.LAST_ROUTES,
)


class Emulator:
    """
    A 360dialog of its own: nothing is shared between two of them.

    All methods may be called from any thread. What the parameters set may be changed at any time: through the
    attributes of the same names, and :meth:`set_statuses`.

    :param keys: The keys that work, and where the number of each is hosted.
    :param statuses: What becomes of an accepted message, in order; ``failed`` may name its code, as in
        ``failed:131026``.
    :param delay_seconds: Time before each of the statuses.
    :param deliver_to: Scheme and host, such as ``http://127.0.0.1:8000``, that events are posted to in place
        of those of the configured webhook; its path stays. Without it, none is posted beyond this machine.
    :param retry_delays_seconds: Time before each further attempt while a webhook does not answer 200.
    :param waba_webhook_delay_seconds: Time until the webhook of the account is in force.
    :param waba_webhook_unseen_reads: How many reads still show the old one.
    :param strict_templates: Refuse templates that were not created here; without it, they are anybody's.
    :param on_change: Told of each message when it is accepted, and again at each status.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, Hosting] = KEYS,
        statuses: Sequence[str] = ("sent", "delivered", "read"),
        delay_seconds: float = 0.0,
        deliver_to: str | None = None,
        retry_delays_seconds: Sequence[float] = (0.1, 0.5, 2.0, 5.0, 10.0),
        waba_webhook_delay_seconds: float = 0.0,
        waba_webhook_unseen_reads: int = 1,
        strict_templates: bool = False,
        on_change: Callable[[SentMessage], object] | None = None,
    ) -> None:
        self._statuses = events.check_statuses(statuses)
        self.delay_seconds = delay_seconds
        self.deliver_to = deliver_to
        self.retry_delays_seconds = tuple(retry_delays_seconds)
        self.waba_webhook_delay_seconds = waba_webhook_delay_seconds
        self.waba_webhook_unseen_reads = waba_webhook_unseen_reads
        self.strict_templates = strict_templates
        self.on_change = on_change
        self._keys = dict(keys)
        self._changed = threading.Condition(threading.RLock())
        self._agenda = Agenda()
        self._courier = Courier(self._changed, self._agenda)
        self.reset()

    def reset(self) -> None:
        """Go back to the beginning: no record, no rule, no fault, no webhook, no event on its way."""
        with self._changed:
            self._agenda.clear()
            self._courier.clear()
            self.numbers = {
                key: Number(key, hosting, str(4930123456700 + position))
                for position, (key, hosting) in enumerate(self._keys.items())
            }
            self.account = webhooks.Account()
            self.can_send_message = "AVAILABLE"
            self.settings = {key: accounts.Settings() for key in self.numbers}
            self.templates = templates.Shelf()
            self.media = media.Shelf(next(iter(self.numbers), ""))
            self._era = object()
            self._requests: list[Request] = []
            self._sent: dict[str, SentMessage] = {}
            self._rules: list[Rule] = []
            self._orders: list[Order] = []
            self._scripts: dict[str, tuple[str, ...]] = {}
            self._changed.notify_all()

    def close(self) -> None:
        """Drop what is still to be delivered and end the thread that delivers; records stay."""
        self._agenda.close(self._courier.abort)

    @property
    def requests(self) -> list[Request]:
        """Every request, whatever became of it; its headers hold the key."""
        with self._changed:
            return list(self._requests)

    @property
    def sent(self) -> list[SentMessage]:
        """Every message that was accepted, oldest first."""
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

        :raises TimeoutError: when that takes too long; it says how far the message came.
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
        Wait until no delivery is on its way.

        :raises TimeoutError: when that takes too long.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._courier.waiting(), timeout_seconds):
                raise TimeoutError(f"Deliveries are still on their way after {timeout_seconds:g} s")
            return self.deliveries

    def fail_next(self, fault: Fault | str, times: int = 1, path: str | None = None) -> None:
        """
        Make the next requests go wrong; orders are worked off oldest first.

        :param fault: One of :mod:`~airflow_provider_d360.emulator.faults`, or the name of one.
        :param times: How many requests.
        :param path: Only requests for this path; ``*`` matches as in a shell.
        """
        order = Order(fault_named(fault) if isinstance(fault, str) else fault, times, path)
        with self._changed:
            self._orders.append(order)

    def refuse(self, code: int, to: str | None = None, times: int | None = None) -> None:
        """Refuse messages to a recipient, or to everybody, with one of WhatsApp's error codes."""
        with self._changed:
            self._rules.append(Rule(code, None if to is None else canonical(to), times))

    def set_statuses(self, statuses: Sequence[str], to: str | None = None) -> None:
        """
        Decide what becomes of the messages to a recipient, or to everybody who has no decision of their own.

        :raises ValueError: when ``failed:…`` names something that is not a code.
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
        sender: str = "4915112345678",
        name: str = "Ann",
        reply_to: str | None = None,
        key: str | None = None,
    ) -> str:
        """
        Let a person send a message to a number, and return its id.

        :param message: A text, or a message as webhooks carry it; see
            :func:`~airflow_provider_d360.emulator.events.button_reply`.
        :param sender: A phone number, or the business-scoped user id of somebody who hides it.
        :param name: The name in the sender's profile.
        :param reply_to: The id of the message that this answers.
        :param key: Which number; the first one when it is ``None``.
        :raises LookupError: when the key is unknown, or its number has no webhook to tell.
        """
        content: JSONObject = (
            {"type": "text", "text": {"body": message}} if isinstance(message, str) else message
        )
        with self._changed:
            number = self.numbers[next(iter(self.numbers)) if key is None else key]
            message_id = events.new_message_id(number.hosting)
            event = events.message_event(number, message_id, content, canonical(sender), name, reply_to)
            if not self._tell_webhook(number, message_id, event):
                raise LookupError("The number has no webhook, so nobody would hear of the message")
        return message_id

    def handle(self, request: Request) -> Response:
        """
        Answer one request, in this process.

        :raises ConnectionResetError: when a fault resets the connection; the request had no effect.
        :raises AnswerLostError: a ``ConnectionError``, when a fault cuts it off; the request had its effect.
        """
        response, fault = self.serve(request, time.sleep)
        time.sleep(fault.drip_seconds)
        if fault.ending == "cut_midway":
            raise AnswerLostError("The emulator cut the answer off in the middle")
        return response

    def serve(self, request: Request, sleep: Callable[[float], object]) -> tuple[Response, Fault]:
        """
        Answer one request, and leave to the caller what a fault does to the answer on its way.

        :param request: The request.
        :param sleep: How to wait.
        :raises ConnectionResetError: as :meth:`handle` does.
        :raises AnswerLostError: when nothing of the answer is to be sent.
        """
        with self._changed:
            self._requests.append(request)
            fault, era = self._take_fault(request.path), self._era
        sleep(fault.delay_seconds)
        if fault.ending == "reset" or self._era is not era:  # a slow request must not leak into the next test
            raise ConnectionResetError("The emulator reset the connection")
        response = self._answer(request) if fault.accepts else Response(500)
        if fault.ending == "cut_off":
            raise AnswerLostError("The emulator closed the connection without an answer")
        return fault.alter(response), fault

    def accept(self, number: Number, to: str, body: JSONObject) -> SentMessage:
        """Take a message on, for handlers: it is recorded, and its statuses will happen."""
        with self._changed:
            message_id = events.new_message_id(number.hosting)
            sent = SentMessage(message_id, to, number.hosting.name, number.key, body)
            self._note(sent)
            for position, status in enumerate(self._scripts.get(to, self._statuses), 1):
                self._agenda.add(position * self.delay_seconds, partial(self._happen, message_id, status))
            return sent

    def raise_if_refused(self, hosting: Hosting, to: str) -> None:
        """
        Apply the rules of :meth:`refuse`, for handlers.

        :raises RefusedError: when one of them concerns the recipient.
        """
        with self._changed:
            for rule in self._rules:
                if rule.concerns(to):
                    rule.times = None if rule.times is None else rule.times - 1
                    raise RefusedError(
                        refusal(hosting, rule.code, "Refused by the emulator, as it was told to")
                    )

    def _answer(self, request: Request) -> Response:
        with self._changed:
            number = self.numbers.get(routes.header(request, "D360-API-KEY"))
            if number is None:
                # Status and body disagree: https://docs.360dialog.com/partner/help-and-support/error-messages
                return gateway_error(401, "Invalid api_key or token expired", http_code=404)
            try:
                route, parts = routes.find(ROUTES, number.hosting, request)
                return route.handler(routes.Asked(self, number, request, parts))
            except RefusedError as refused:
                return refused.response

    def _take_fault(self, path: str) -> Fault:
        for order in self._orders:
            if order.times > 0 and order.concerns(path):
                order.times -= 1
                return order.fault
        return NO_FAULT

    def _happen(self, message_id: str, status: str) -> None:
        name, error = events.parse_status(status)
        with self._changed:
            sent = self._sent.get(message_id)
            if sent is None:  # forgotten meanwhile
                return
            sent = replace(sent, statuses=(*sent.statuses, name))
            number = self.numbers[sent.key]
            self._tell_webhook(number, message_id, events.status_event(number, sent, name, error))
            self._note(sent)

    def _note(self, sent: SentMessage) -> None:
        self._sent[sent.message_id] = sent
        self._changed.notify_all()
        if self.on_change is not None:
            self.on_change(sent)

    def _tell_webhook(self, number: Number, message_id: str, event: JSONObject) -> bool:
        webhook = self._webhook_of(number)
        if webhook is None:
            return False
        self._courier.deliver(webhook, self.deliver_to, message_id, event, self.retry_delays_seconds)
        return True

    def _webhook_of(self, number: Number) -> Webhook | None:
        self.account.settle(self.numbers.values())
        return number.webhook or (self.account.webhook if number.hosting is CLOUD else None)

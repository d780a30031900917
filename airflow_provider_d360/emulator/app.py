"""The emulator: one set of handlers for every request, whether over a socket or in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX, Hosting
from airflow_provider_d360.api.wire import Request, Response
from airflow_provider_d360.emulator import (
    account_events,
    accounts,
    events,
    health,
    media,
    messages,
    templates,
    webhooks,
)
from airflow_provider_d360.emulator.faults import (
    NO_FAULT,
    Fault,
    PlannedFault,
    ResponseLostError,
    fault_named,
)
from airflow_provider_d360.emulator.message_rules import canonical
from airflow_provider_d360.emulator.records import JSONObject, SentMessage
from airflow_provider_d360.emulator.responses import InvalidError, RejectedError, gateway_error
from airflow_provider_d360.emulator.routes import RequestContext, find_route, header
from airflow_provider_d360.emulator.state import State
from airflow_provider_d360.emulator.taps import tap
from airflow_provider_d360.emulator.template_store import StoredTemplate

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


class Emulator(State):
    """
    A local 360dialog; two of them share nothing. All methods may be called from any thread.

    :param keys: The hosting of the number for each API key.
    :param options: The parameters of :class:`~airflow_provider_d360.emulator.state.State`. Each is an
        attribute as well and may be changed at any time; for ``statuses`` see :meth:`set_statuses`.
    """

    def __init__(self, *, keys: Mapping[str, Hosting] = KEYS, **options: Any) -> None:
        super().__init__(keys=keys, **options)

    def reset(self) -> None:
        """Return to the initial state: no records, rules, faults, webhooks, or pending deliveries."""
        with self._changed:
            super().reset()
            self._generation = object()
            self._requests: list[Request] = []
            self._planned_faults: list[PlannedFault] = []

    @property
    def requests(self) -> list[Request]:
        """Every request, whatever the response was; its headers hold the API key."""
        with self._changed:
            return list(self._requests)

    def fail_next(self, fault: Fault | str, times: int = 1, path: str | None = None) -> None:
        """
        Apply a fault to the next requests; of several planned faults, the oldest comes first.

        :param fault: One of :mod:`~airflow_provider_d360.emulator.faults`, or the name of one.
        :param times: The number of requests.
        :param path: Only requests for this path; ``*`` matches as in a shell.
        :raises ValueError: when there is no fault of this name.
        """
        planned = PlannedFault(fault_named(fault) if isinstance(fault, str) else fault, times, path)
        with self._changed:
            self._planned_faults.append(planned)

    def report(self, field: str, value: JSONObject, *, key: str | None = None) -> None:
        """
        Deliver an event about a template, a number or the account to a webhook.

        :param field: ``message_template_status_update``, ``account_update``, …: see
            :data:`~airflow_provider_d360.emulator.account_events.FIELDS`.
        :param value: What it says, as the service writes it.
        :param key: The API key of the number whose webhook gets it; the first number when it is ``None``.
        :raises ValueError: when the service has no such field, or the value lacks what it always has.
        :raises LookupError: when the key is unknown, or its number has no webhook.
        """
        event = account_events.account_event(field, value)
        with self._changed:
            number = self.numbers[next(iter(self.numbers)) if key is None else key]
            if number.hosting is not CLOUD or not self._deliver(number, "", event):
                raise LookupError("The number has no webhook that gets such events")

    def tap(self, message_id: str, choice: str | int) -> str:
        """
        Tap on a button or a list row of a message, as the person who got it, and return the tap's id.

        :param message_id: The id of the message.
        :param choice: The id or the title of the button or row, or its place from 0.
        :raises LookupError: when the message has nothing of that name, or the number has no webhook.
        """
        with self._changed:
            sent = self._sent_to_a_person(message_id)
            return self.receive(
                tap(sent, choice, self.templates.stored), sender=sent.to, reply_to=message_id, key=sent.key
            )

    def quote(self, message_id: str, message: str | JSONObject) -> str:
        """
        Quote a message in a reply, as the person who got it, and return the id of the reply.

        :param message_id: The id of the message that is quoted.
        :param message: A text, or a message as webhooks carry it.
        :raises LookupError: when there is no such message, or the number has no webhook.
        """
        with self._changed:
            sent = self._sent_to_a_person(message_id)
            return self.receive(message, sender=sent.to, reply_to=message_id, key=sent.key)

    def _sent_to_a_person(self, message_id: str) -> SentMessage:
        sent = self._sent.get(message_id)
        if sent is None:
            raise LookupError("There is no such message")
        if sent.body.get("recipient_type") == "group":
            raise LookupError("The message went to a group, of which nobody knows who taps")
        if "failed" in sent.statuses:
            raise LookupError("The message failed, so nobody has it")
        return sent

    def set_template_status(self, name: str, status: str, reason: str = "NONE") -> None:
        """
        Change the status of a template in all its languages, and report it to the webhook if there is one.

        :param name: The name of the template.
        :param status: The status, such as ``paused``: then its messages are refused.
        :param reason: Why, in WhatsApp's words.
        :raises LookupError: when there is no such template.
        """
        with self._changed:
            for template in self._find_templates(name):
                template.status = status.lower()
                value = account_events.status_value(template, reason)
                with suppress(LookupError):
                    self.report("message_template_status_update", value)

    def hold_template(self, name: str, after: int = 0) -> None:
        """
        Hold the messages of a template to assess its quality: accepted as ``held_for_quality_assessment``.

        :param name: The name of the template.
        :param after: How many more go out before.
        :raises LookupError: when there is no such template.
        """
        with self._changed:
            self._find_templates(name)
            self.policies.held_after[name] = after

    def release_held(self, name: str) -> None:
        """
        Give a good verdict: held messages of a template go out, and no more are held.

        :param name: The name of the template.
        """
        with self._changed:
            self.policies.held_after.pop(name, None)
            self.decide_held(name, None)

    def drop_held(self, name: str, code: int = 132015) -> None:
        """
        Give a bad verdict: held messages of a template fail, and further ones are refused.

        :param name: The name of the template.
        :param code: 132015: the template is paused. 135000: the account may send no more templates.
        :raises ValueError: for another code.
        :raises LookupError: when there is no such template.
        """
        if code not in (132015, 135000):
            raise ValueError(f"Held messages fail with 132015 or 135000, not with {code}")
        with self._changed:
            self.policies.held_after.pop(name, None)
            self.decide_held(name, code)
            names = {name} if code == 132015 else {one.name for one in self.templates.stored}
            for one in sorted(names):
                self.set_template_status(one, "paused", "LOW_QUALITY")

    def set_preference(self, person: str, *, stops: bool = True, key: str | None = None) -> None:
        """
        Let a person stop or resume the marketing messages of a number, and report it to its webhook.

        Marketing templates to a person who stopped them are accepted, and fail with 131050.

        :param person: A phone number, or a business-scoped user id.
        :param stops: Whether they are stopped.
        :param key: The API key of the number; the first number when it is ``None``.
        """
        with self._changed:
            number = self.numbers[next(iter(self.numbers)) if key is None else key]
            who = canonical(person)
            change = self.policies.stopped.add if stops else self.policies.stopped.discard
            change((number.key, who))
            self._deliver(number, "", events.preference_event(number, who, stops=stops))

    def cap_marketing(self, person: str) -> None:
        """
        Let a person have got enough marketing: templates for it are accepted, and fail with 131049.

        :param person: A phone number, or a business-scoped user id.
        """
        with self._changed:
            self.policies.capped.add(canonical(person))

    def handle(self, request: Request) -> Response:
        """
        Handle a request in this process.

        :param request: The request.
        :raises ConnectionResetError: when a fault resets the connection; the request had no effect.
        :raises ResponseLostError: a ``ConnectionError``, when a fault loses the response; the request had its
            effect.
        """
        response, fault = self.serve(request, time.sleep)
        if fault.drip_seconds:
            time.sleep(fault.drip_seconds)
        if fault.ending == "cut_midway":
            raise ResponseLostError("The emulator closed the connection in the middle of the response")
        return response

    def serve(self, request: Request, sleep: Callable[[float], object]) -> tuple[Response, Fault]:
        """
        Handle a request, and return the fault that the caller applies to the response.

        :param request: The request.
        :param sleep: Waits for a number of seconds.
        :raises ConnectionResetError: as :meth:`handle` does.
        :raises ResponseLostError: when the response must not be sent.
        """
        with self._changed:
            self._requests.append(request)
            fault, generation = self._take_fault(request.path), self._generation
        if fault.delay_seconds:  # even a sleep of 0 seconds gives the processor away
            sleep(fault.delay_seconds)
        # A slow request must not take effect after a reset, in the next test.
        if fault.ending == "reset" or self._generation is not generation:
            raise ConnectionResetError("The emulator reset the connection")
        response = self._respond(request) if fault.accepts else Response(500)
        if fault.ending == "cut_off":
            raise ResponseLostError("The emulator closed the connection without a response")
        return fault.apply(response), fault

    def _respond(self, request: Request) -> Response:
        with self._changed:
            number = self.numbers.get(header(request, "D360-API-KEY"))
            if number is None:
                # Status and body disagree: https://docs.360dialog.com/partner/help-and-support/error-messages
                return gateway_error(401, "Invalid api_key or token expired", http_code=404)
            try:
                route, values = find_route(ROUTES, number.hosting, request)
                return route.handler(RequestContext(self, number, request, values))
            except InvalidError as error:
                return error.response(number.hosting)
            except RejectedError as error:
                return error.response

    def _find_templates(self, name: str) -> list[StoredTemplate]:
        templates = [one for one in self.templates.stored if one.name == name]
        if not templates:
            raise LookupError(f"There is no template {name!r}")
        return templates

    def _take_fault(self, path: str) -> Fault:
        for planned in self._planned_faults:
            if planned.times > 0 and planned.applies(path):
                planned.times -= 1
                return planned.fault
        return NO_FAULT

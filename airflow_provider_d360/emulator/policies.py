"""What WhatsApp decides by itself: which messages are held, capped, refused by the person, or too many."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import phonenumbers

from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.emulator.records import JSONObject, Number
from airflow_provider_d360.emulator.responses import NUMBER_TOO_FAST, PERSON_TOO_FAST
from airflow_provider_d360.emulator.template_store import StoredTemplate, TemplateStore

STOPPED_MARKETING = 131050
CAPPED = 131049
# https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput
PAIR_SECONDS = 6.0
PAIR_BURST = 45


@dataclass(slots=True)
class Policies:
    """
    The decisions about people and templates.

    :param templates: The templates, which know their categories.
    :param held_after: By name of a template whose messages are held: how many more go out before.
    :param stopped: Who stopped the marketing messages of a number: its key, and the person.
    :param capped: Who gets no more marketing messages, by digits or user id.
    """

    templates: TemplateStore
    held_after: dict[str, int] = field(default_factory=dict)
    stopped: set[tuple[str, str]] = field(default_factory=set)
    capped: set[str] = field(default_factory=set)

    def category(self, number: Number, body: JSONObject) -> str:
        """
        Return the category that a message is charged as. An unknown template counts as marketing.

        :param number: The number that sends.
        :param body: The body of the request.
        """
        if body.get("type") != "template":
            return "service"
        template = self._template(number, body)
        return self.templates.category(template).lower() if template else "marketing"

    def holds(self, number: Number, body: JSONObject) -> bool:
        """
        Return True if a message is held to assess the quality of its template.

        :param number: The number that sends.
        :param body: The body of the request.
        """
        name = body["template"]["name"] if body.get("type") == "template" else None
        if number.hosting is not CLOUD or name not in self.held_after:
            return False
        self.held_after[name] -= 1
        return self.held_after[name] < 0

    def failure(self, number: Number, to: str, body: JSONObject) -> int | None:
        """
        Return the code of the ``failed`` that follows the acceptance of a message; None if none does.

        :param number: The number that sends.
        :param to: The recipient.
        :param body: The body of the request.
        """
        if number.hosting is not CLOUD or self.category(number, body) != "marketing":
            return None
        if (number.key, to) in self.stopped:
            return STOPPED_MARKETING
        is_known = self._template(number, body) is not None
        return CAPPED if to in self.capped or (is_known and _is_in_the_us(to)) else None

    def _template(self, number: Number, body: JSONObject) -> StoredTemplate | None:
        name, language = body["template"]["name"], body["template"]["language"]["code"]
        return next(
            (
                one
                for one in self.templates.stored
                if (one.name, one.language, one.hosting) == (name, language, number.hosting)
            ),
            None,
        )


class Throughput:
    """
    The limits of a number: messages in any second, in and out together, and messages to one person.

    :param clock: Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)
        self._paid_until: dict[tuple[str, str], float] = {}

    def count(self, key: str) -> int:
        """
        Count a message of a number, and return how many the last second had, with this one.

        :param key: The API key of the number.
        """
        times, now = self._times[key], self._clock()
        while times and now - times[0] >= 1.0:
            times.popleft()
        times.append(now)
        return len(times)

    def admit(self, key: str, to: str, limit: float) -> None:
        """
        Count a message that is about to be accepted. One that is rejected does not count.

        :param key: The API key of the number.
        :param to: The recipient.
        :param limit: How many messages any second may have.
        :raises InvalidError: when there are too many.
        """
        now = self._clock()
        paid_until = max(self._paid_until.get((key, to), 0.0), now)
        if paid_until - now > PAIR_SECONDS * (PAIR_BURST - 1):
            PERSON_TOO_FAST.reject("Too many messages sent from this phone number to the same phone number")
        if self.count(key) > limit:
            self._times[key].pop()
            NUMBER_TOO_FAST.reject("Message failed to send because there were too many messages sent")
        self._paid_until[key, to] = paid_until + PAIR_SECONDS


def _is_in_the_us(to: str) -> bool:
    if not (to.isdecimal() and to.startswith("1")):
        return False
    number = phonenumbers.PhoneNumber(country_code=1, national_number=int(to[1:] or 0))
    return phonenumbers.region_code_for_number(number) == "US"

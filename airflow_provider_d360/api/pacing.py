"""How fast a number may send: arithmetic on a clock that is passed in."""

from __future__ import annotations

# Meta: one message in six seconds to the same person, with up to 45 at once on credit.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput
_PAIR_SECONDS = 6.0
_PAIR_BURST = 45
_REMEMBERED = 10_000


class Pacer:
    """
    Spaces the messages of one number, so that WhatsApp need not refuse them.

    Not safe for use by several threads at once.

    :param messages_per_second: What the number may send in all; WhatsApp's own default is 80.
    """

    def __init__(self, messages_per_second: float) -> None:
        self._spacing = 1.0 / messages_per_second
        self._next = 0.0
        self._credit_ends: dict[str, float] = {}

    def reserve(self, recipient: str, now: float, longest_seconds: float) -> float:
        """
        Take the next free moment for a message to this recipient and say how many seconds away it is.

        A moment further away than ``longest_seconds`` is told, but not taken.
        """
        paid = max(self._credit_ends.get(recipient, 0.0), now)
        at = max(self._next, now, paid - _PAIR_SECONDS * (_PAIR_BURST - 1))
        if at - now <= longest_seconds:
            self._next = max(self._next, now) + self._spacing  # whoever waits longer holds nobody else up
            self._credit_ends[recipient] = max(paid, at) + _PAIR_SECONDS
            if len(self._credit_ends) > _REMEMBERED:
                self._forget(now)
        return at - now

    def _forget(self, now: float) -> None:
        """Drop who owes nothing; whoever still does is kept, however many they are."""
        self._credit_ends = {who: end for who, end in self._credit_ends.items() if end > now}

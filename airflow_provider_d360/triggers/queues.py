"""
How ``MessageQueueTrigger`` of ``airflow.providers.common.messaging`` finds the inbox, without needing it.

That package makes an instance of this class while it is imported, so nothing heavy is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from airflow.triggers.base import BaseEventTrigger

_SCHEMES = ("d360", "whatsapp")
_LISTS = ("numbers", "kinds", "keywords")
_TEXTS = ("pattern", "button_prefix", "repeat_seconds")


class D360MessageQueueProvider:
    """
    The inbox as a message queue: ``MessageQueueTrigger(queue="d360://orders?keywords=deploy,status")``.

    With ``scheme="d360"`` (version 2 and later), it has the arguments of
    :class:`~airflow_provider_d360.triggers.inbox.D360InboxTrigger`.
    """

    scheme = _SCHEMES[0]

    def queue_matches(self, queue: str) -> bool:
        """
        Return whether a queue is an inbox.

        :param queue: Its URI: ``d360://cursor`` or ``whatsapp://cursor``.
        """
        return urlsplit(queue).scheme in _SCHEMES

    def scheme_matches(self, scheme: str) -> bool:
        """
        Return whether a scheme is ``d360`` or ``whatsapp``.

        :param scheme: The scheme.
        """
        return scheme in _SCHEMES

    def trigger_class(self) -> type[BaseEventTrigger]:
        """Return the trigger."""
        from airflow_provider_d360.triggers.inbox import D360InboxTrigger

        return D360InboxTrigger

    def trigger_kwargs(self, queue: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """
        Return the trigger's arguments.

        :param queue: The URI of the queue; None where the scheme was given.
        :param kwargs: Arguments that were given beside it; they have precedence, and the caller passes them.
        :raises ValueError: The URI names no cursor, or something unknown.
        """
        if queue is None:
            return {}
        parts = urlsplit(queue)
        cursor, given = unquote(parts.netloc), parse_qs(parts.query, keep_blank_values=True)
        unknown = given.keys() - {*_LISTS, *_TEXTS}
        if not cursor or unknown:
            raise ValueError(
                "The queue is written d360://cursor, with numbers, kinds, keywords, pattern, button_prefix "
                "or repeat_seconds behind a '?'"
            )
        lists = {name: given[name][-1].split(",") for name in _LISTS if name in given}
        texts: dict[str, Any] = {name: given[name][-1] for name in _TEXTS if name in given}
        if "repeat_seconds" in texts:
            texts["repeat_seconds"] = float(texts["repeat_seconds"])
        arguments = {"cursor": cursor, **lists, **texts}
        return {name: value for name, value in arguments.items() if name not in kwargs}

"""The event trigger that says that there is something to read. It only reads, so it may run twice."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import weakref
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_d360.api.inbound import Filter
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.hooks.receiving import check_cursor, read_unread
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.arrivals import ANY, ArrivalWatch, Wait
from airflow_provider_d360.triggers.messages import shared_watch

log = logging.getLogger(__name__)

_POLL_SECONDS = 2.0
_MOST_LOOKED_AT = 10_000
_SWEEP_SECONDS = 86_400.0
_FIRST_BACK_OFF_SECONDS = 1.0
_LONGEST_BACK_OFF_SECONDS = 60.0

_bells: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ArrivalWatch] = weakref.WeakKeyDictionary()


class _Unread(NamedTuple):
    """
    The unread messages of a cursor.

    :param newest: The id of the newest matching message; None without one.
    :param oldest_at: When the oldest unread message was received, matching or not; None without one.
    :param read_at: When the cursor was moved, in Unix seconds.
    """

    newest: str | None
    oldest_at: float | None
    read_at: float


class D360InboxTrigger(BaseEventTrigger):
    """
    Say that there are messages which a cursor has not read, for an ``AssetWatcher``.

    The event is a doorbell: it holds no text and no number, and the DAG reads what is there with
    :class:`D360ReceiveMessagesOperator` under the same cursor. It comes when something new is there, when a
    run has read a part of it, and again every ``repeat_seconds`` while nobody reads: no Airflow before 3.4
    keeps all events of a burst.
    It may come twice, so the DAG must succeed when it finds nothing. Once a day it comes for messages that
    are not wanted, too, so that the cursor can move.

    Who may write belongs into the operator's ``senders``: Airflow stores the arguments of triggers.

    All such triggers of a process share one query every two seconds for whether anything came or was read.
    Nothing that
    goes wrong ends the trigger: Airflow would start it again at once, over and over.

    :param cursor: The name of the cursor.
    :param numbers: Only messages to these numbers of ours.
    :param kinds: Only these types of messages: ``text``, ``image``, ``interactive``…
    :param keywords: Only texts whose first word is one of these, in whatever case.
    :param pattern: Only texts in which this regular expression is found, within the first 1,000 characters
        and in whatever case; at most 200 characters.
    :param button_prefix: Only taps on buttons whose id begins so.
    :param repeat_seconds: When to say it again; 300 by default.
    """

    def __init__(
        self,
        *,
        cursor: str,
        numbers: Sequence[str] = (),
        kinds: Sequence[str] = (),
        keywords: Sequence[str] = (),
        pattern: str | None = None,
        button_prefix: str | None = None,
        repeat_seconds: float = 300.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        check_cursor(cursor)
        self.cursor = cursor
        if not 0 <= float(repeat_seconds) < math.inf:
            raise ValueError(f"repeat_seconds is {repeat_seconds!r}; give a number of seconds, such as 300")
        self.repeat_seconds = max(float(repeat_seconds), _POLL_SECONDS)
        self._wanted = Filter(numbers, kinds, keywords, pattern, button_prefix)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        wanted = self._wanted
        return (
            "airflow_provider_d360.triggers.inbox.D360InboxTrigger",
            {
                "cursor": self.cursor,
                "numbers": list(wanted.numbers),
                "kinds": list(wanted.kinds),
                "keywords": list(wanted.keywords),
                "pattern": wanted.pattern,
                "button_prefix": wanted.button_prefix,
                "repeat_seconds": self.repeat_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        back_off, problem, rung, rung_at = _FIRST_BACK_OFF_SECONDS, "", _Unread(None, None, 0.0), 0.0
        wait = Wait((ANY, self.cursor))
        while True:
            try:
                watch = await shared_watch()
                unread = await asyncio.to_thread(_look, watch.store, self.cursor, self._wanted)
                now = time.time()
                if self._rings(unread, rung, now - rung_at, now):
                    rung, rung_at = unread, now
                    yield TriggerEvent(_event(self.cursor, unread.newest))
                await _shared_bell(watch.store).next(wait, now + self.repeat_seconds)
                back_off, problem = _FIRST_BACK_OFF_SECONDS, ""
            except Exception as error:  # noqa: BLE001 - Airflow would start it again at once, over and over
                if type(error).__name__ != problem:
                    problem = type(error).__name__
                    log.warning("The inbox cannot be read for the cursor %r (%s)", self.cursor, problem)
                await asyncio.sleep(back_off)
                back_off = min(2 * back_off, _LONGEST_BACK_OFF_SECONDS)

    def _rings(self, unread: _Unread, rung: _Unread, quiet_seconds: float, now: float) -> bool:
        if unread.newest is not None:
            is_other = (unread.newest, unread.read_at) != (rung.newest, rung.read_at)
            return is_other or quiet_seconds >= self.repeat_seconds
        is_old = unread.oldest_at is not None and now - unread.oldest_at > _SWEEP_SECONDS
        return is_old and quiet_seconds >= _SWEEP_SECONDS


def _event(cursor: str, message_id: str | None) -> dict[str, str | None]:
    """Write the event: Airflow keeps it in clear, and a message id holds the sender's number."""
    return {"cursor": cursor, "message": message_id and short_id(message_id)}


def _look(store: Store, cursor: str, wanted: Filter) -> _Unread:
    messages, passed = read_unread(store, cursor, wanted, _MOST_LOOKED_AT)
    newest = max(((one.received_at, one.message_id) for one in messages), default=(0.0, None))
    return _Unread(newest[1], min(passed.values(), default=None), store.cursors.read_at(cursor))


def _shared_bell(store: Store) -> ArrivalWatch:
    """Return the watch for new and read messages that all triggers of the running event loop share."""
    loop = asyncio.get_running_loop()
    if loop not in _bells:
        _bells[loop] = ArrivalWatch(lambda keys: store.arrivals.signs(), _POLL_SECONDS)
    return _bells[loop]

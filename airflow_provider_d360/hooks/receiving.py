"""Reading the inbox under a named cursor: at least once, in order for each sender."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING

from airflow_provider_d360.api.inbound import Filter, read_content

if TYPE_CHECKING:
    from airflow_provider_d360.store import InboxMessage, Store

_PAGE = 500
EVERYTHING = Filter()


def receive(
    cursor: str, *, limit: int = 100, wanted: Filter = EVERYTHING
) -> AbstractContextManager[list[InboxMessage]]:
    """
    Read what a cursor has not read yet: ``with hook.receive("orders") as messages: …``.

    When the block ends without an error, its messages count as read, and so do earlier messages that do not
    match. After an error, or when the task is killed, they come again: at least once. They are in the order
    of arrival; messages of one sender are in the order of sending. Two tasks that read under one cursor at
    the same time may get the same ones: give their DAG ``max_active_runs=1``. Finding nothing is no error.

    A new cursor begins with the messages of the last 24 hours.

    :param cursor: The name of the cursor.
    :param limit: How many messages at most.
    :param wanted: Only these.
    :raises ValueError: The cursor has no name, or ``limit`` is less than 1.
    :raises StoreUnavailableError: The store cannot be used.
    """
    check_cursor(cursor)
    if limit < 1:
        raise ValueError(f"limit is {limit}; it can be 1 or more")
    return _reading(cursor, limit, wanted)


@contextmanager
def _reading(cursor: str, limit: int, wanted: Filter) -> Iterator[list[InboxMessage]]:
    from airflow_provider_d360.store.configured import configured_store

    with closing(configured_store()) as store:
        messages, passed = read_unread(store, cursor, wanted, limit)
        yield messages
        store.cursors.acknowledge(cursor, passed, time.time())


def read_unread(
    store: Store, cursor: str, wanted: Filter, limit: int
) -> tuple[list[InboxMessage], dict[str, float]]:
    """
    Return messages that a cursor has not read, and what to acknowledge: them, and those that are not wanted.

    :param store: The store.
    :param cursor: The name of the cursor. It is created if it does not exist.
    :param wanted: Only these.
    :param limit: How many at most.
    """
    store.cursors.ensure(cursor, time.time())
    found: list[InboxMessage] = []
    passed: dict[str, float] = {}
    last: InboxMessage | None = None
    while len(found) < limit:
        page = store.inbox.unread(cursor, limit=_PAGE, after=last)
        for message in page:
            if len(found) == limit:
                break
            if is_wanted(message, wanted):
                found.append(message)
            passed[message.message_id] = message.received_at
        if len(page) < _PAGE:
            break
        last = page[-1]
    return in_order(found), passed


def is_wanted(message: InboxMessage, wanted: Filter) -> bool:
    """
    Return whether a message meets a filter.

    :param message: The message.
    :param wanted: The filter.
    """
    content = read_content(message.type, message.content)
    return wanted.wants(message.type, content, message.number, (message.sender, message.sender_user_id))


def in_order(messages: Sequence[InboxMessage]) -> list[InboxMessage]:
    """
    Sort by arrival, and messages of one sender by when they were sent: webhooks may overtake each other.

    :param messages: Messages in the order of arrival.
    """
    places: dict[str | None, list[int]] = {}
    for place, message in enumerate(messages):
        places.setdefault(message.sender or message.sender_user_id, []).append(place)
    ordered = list(messages)
    for taken in places.values():
        sent = sorted((messages[place] for place in taken), key=lambda one: one.at or one.received_at)
        for place, message in zip(taken, sent, strict=True):
            ordered[place] = message
    return ordered


def check_cursor(cursor: object) -> None:
    """
    Check the name of a cursor.

    :param cursor: The name.
    :raises ValueError: It is no text, empty, longer than 200 characters, not printable, or one of ours.
    """
    is_name = isinstance(cursor, str) and cursor.strip() and len(cursor) <= 200 and cursor.isprintable()
    if not is_name or str(cursor).startswith("d360:"):
        raise ValueError("The name of a cursor is a text of 1 to 200 characters, such as 'orders'")

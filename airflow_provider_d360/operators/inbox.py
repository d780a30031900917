"""The operator that reads what people wrote, and the one that marks a message as read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.inbound import Filter
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.compat import AirflowFailException
from airflow_provider_d360.hooks.receiving import check_cursor, read_unread
from airflow_provider_d360.tasks.arguments import check_single, read_count, read_flag, read_id
from airflow_provider_d360.tasks.failures import fail_at_once
from airflow_provider_d360.tasks.operator import D360Operator
from airflow_provider_d360.tasks.private_fields import ConcealingOperator
from airflow_provider_d360.tasks.received import describe_message

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.messages.values import String


class D360ReceiveMessagesOperator(ConcealingOperator):
    """
    Return messages that people sent to us and that this cursor has not read yet, oldest first.

    Each is a dict with ``message_id``, ``type``, ``at`` (ISO 8601, UTC), ``reply_to``, ``number`` (ours),
    ``sender`` (masked, unless ``with_numbers``), ``text``, ``payload`` of a tapped button, ``media_id``,
    ``mime_type`` and ``filename``; what a message does not have is None. To find nothing is a success: the
    list is empty.

    Messages count as read when the task has succeeded. If it fails or is killed before, they come again: at
    least once. Those of one sender are in the order in which they were sent. Give the DAG
    ``max_active_runs=1``: two tasks that read under one cursor at the same time may get the same messages.
    A purge keeps what a cursor has not read.

    :param cursor: The name under which is remembered what was read: any name, one for each purpose. A new
        cursor begins with the messages of the last 24 hours. (templated)
    :param limit: How many messages at most; 100 by default.
    :param numbers: Only messages to these numbers of ours.
    :param kinds: Only these types of messages: ``text``, ``image``, ``interactive``…
    :param keywords: Only texts whose first word is one of these, in whatever case.
    :param pattern: Only texts in which this regular expression is found, within the first 1,000 characters
        and in whatever case; at most 200 characters.
    :param button_prefix: Only taps on buttons whose id begins so.
    :param senders: Only messages of these people: numbers or user ids. (templated)
    :param with_numbers: Give the senders' whole numbers. They are then stored in XCom. Off by default.
    """

    template_fields: Sequence[str] = ("cursor", "senders")
    private_fields: ClassVar[frozenset[str]] = frozenset({"senders"})
    ui_color = "#25d366"

    def __init__(
        self,
        *,
        cursor: str,
        limit: int = 100,
        numbers: Sequence[str] = (),
        kinds: Sequence[str] = (),
        keywords: Sequence[str] = (),
        pattern: str | None = None,
        button_prefix: str | None = None,
        senders: Sequence[str] | str | None = None,
        with_numbers: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_cursor(cursor)
        self.cursor = cursor
        self.limit = read_count("limit", limit)
        self.senders = senders
        self._hears_everybody = senders is None
        self.with_numbers = read_flag("with_numbers", with_numbers)
        self._wanted = Filter(numbers, kinds, keywords, pattern, button_prefix)
        self._received: dict[str, float] = {}
        self.on_success_callback = [*self.on_success_callback, acknowledge]

    def execute(self, context: Context) -> list[dict[str, Any]]:
        from airflow_provider_d360.store.configured import configured_store

        senders = self.rendered("senders")
        if senders is None and not self._hears_everybody:  # another task returned nothing
            senders = ()
        wanted = replace(self._wanted, senders=read_senders(senders))
        _check_rendered(self.cursor)
        with closing(configured_store()) as store:
            messages, self._received = read_unread(store, self.cursor, wanted, self.limit)
        self.log.info("Cursor %s: %d messages", self.cursor, len(messages))
        return [describe_message(message, with_numbers=self.with_numbers) for message in messages]

    def acknowledge(self) -> None:
        """Mark what this task has returned as read."""
        from airflow_provider_d360.store.configured import configured_store

        with closing(configured_store()) as store:
            store.cursors.acknowledge(self.cursor, self._received, time.time())


class D360MarkAsReadOperator(D360Operator):
    """
    Mark a message that somebody sent as read: its sender sees two blue ticks.

    :param message_id: The id of the message. (templated)
    :param typing: Show *typing…* as well, for 25 seconds or until a message is sent. Off by default.
    :param d360_conn_id: The 360dialog connection; ``d360_default`` by default. (templated)
    """

    template_fields: Sequence[str] = ("message_id", "d360_conn_id")
    private_fields: ClassVar[frozenset[str]] = frozenset({"message_id"})

    def __init__(self, *, message_id: String, typing: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message_id = message_id
        self.typing = read_flag("typing", typing)

    def execute(self, context: Context) -> None:
        with fail_at_once(self.d360_conn_id):
            message_id = read_id("message_id", self.rendered("message_id"), operator=type(self).__name__)
            self.hook.mark_as_read(message_id, typing=self.typing)


def acknowledge(context: Mapping[str, Any]) -> None:
    """
    Mark what a task has returned as read; called by Airflow after the task has succeeded.

    :param context: The context of a :class:`D360ReceiveMessagesOperator`.
    """
    context["ti"].task.acknowledge()


def _check_rendered(cursor: object) -> None:
    """Refuse a cursor that another task did not return: its name would be None, and begin a day back."""
    try:
        check_single("cursor", cursor, operator="D360ReceiveMessagesOperator")
        return
    except D360RequestError as error:
        problem = str(error)
    raise AirflowFailException(problem)


def read_senders(value: object) -> tuple[str, ...] | None:
    """
    Read a list of people.

    :param value: A list of numbers and user ids, one of them, or a text with commas; None for everybody.
    :raises AirflowFailException: It is empty: a list that lost its people must not let everybody in.
    """
    if value is None:
        return None
    parts = value.split(",") if isinstance(value, str) else value
    people = [str(part).strip() for part in parts] if isinstance(parts, Sequence) else []
    if not people or not all(people):
        raise AirflowFailException(
            "senders is empty, so nobody could be heard. Give numbers, or leave it out."
        )
    try:
        return tuple(canonical(person) for person in people)
    except D360RequestError as error:
        raise AirflowFailException(f"senders: {error}") from error

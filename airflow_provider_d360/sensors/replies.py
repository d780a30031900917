"""The sensor that waits for a reply to a message."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import PokeReturnValue

from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.compat import AirflowFailException, AirflowSensorTimeout
from airflow_provider_d360.tasks.arguments import read_flag, read_id
from airflow_provider_d360.tasks.received import describe_message
from airflow_provider_d360.tasks.sensor import DeferrableSensor

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.messages.values import String
    from airflow_provider_d360.store import InboxMessage, Store


class D360ReplySensor(DeferrableSensor):
    """
    Wait until somebody replies to a message, and return the first reply.

    A reply is a message that quotes ours, or a tap on one of its buttons. A text that quotes
    nothing is not a reply. The reply is a dict, as :class:`D360ReceiveMessagesOperator` returns it.
    Replies come by webhook: the receiver must run and share its store with this sensor. A reply that came
    before the sensor started counts.

    ``timeout``, ``soft_fail`` and ``never_fail`` work as for every sensor. In deferrable mode, each try has
    the whole timeout, and a restart of the triggerer does not extend it.

    :param message_id: The id of one message of ours, as :class:`D360SendMessageOperator` returns it.
        (templated)
    :param with_numbers: Give the sender's whole number. It is then stored in XCom. Off by default.
    :param deferrable: Wait in the triggerer, which occupies no worker slot and needs one query for all
        waiting tasks. By default, Airflow's ``[operators] default_deferrable`` decides.
    """

    template_fields: Sequence[str] = ("message_id",)
    private_fields: ClassVar[frozenset[str]] = frozenset({"message_id"})

    def __init__(self, *, message_id: String, with_numbers: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message_id = message_id
        self.with_numbers = read_flag("with_numbers", with_numbers)

    @cached_property
    def store(self) -> Store:
        """The store named in Airflow's configuration."""
        from airflow_provider_d360.store.configured import configured_store

        return configured_store()

    def execute(self, context: Context) -> Any:
        try:
            self._read_message_id()
        except D360RequestError as error:
            raise AirflowFailException(str(error)) from error
        return super().execute(context)

    def _read_message_id(self) -> str:
        return read_id("message_id", self.rendered("message_id"), operator=type(self).__name__)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        from airflow_provider_d360.store import StoreUnavailableError

        try:
            reply = self._find_reply()
        except StoreUnavailableError as problem:
            self.log.warning("Replies cannot be read, trying again: %s", problem)
            return False
        if reply is None:
            self.log.info("No reply to %s yet", short_id(self._read_message_id()))
            return False
        return PokeReturnValue(True, describe_message(reply, with_numbers=self.with_numbers))

    def wait_in_triggerer(self) -> NoReturn:
        """Defer the task until somebody replies, or the timeout is over."""
        from airflow_provider_d360.triggers.replies import D360ReplyTrigger

        trigger = D360ReplyTrigger(message_id=self._read_message_id(), until=time.time() + self.timeout)
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """
        Return the first reply, or end the task after its timeout.

        :param context: The task's context.
        :param event: What the trigger wrote.
        """
        reply = self._find_reply()
        if reply is None:
            message = short_id(self._read_message_id())
            raise AirflowSensorTimeout(f"Nobody has replied to {message} after {self.timeout:.0f} s")
        return describe_message(reply, with_numbers=self.with_numbers)

    def _find_reply(self) -> InboxMessage | None:
        found = self.store.inbox.answers([self._read_message_id()], (), since=0.0, taps_only=True, limit=1)
        return found[0] if found else None

"""The sensor that waits for the status of a message."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from airflow.sdk import PokeReturnValue

from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.compat import AirflowFailException, AirflowSensorTimeout
from airflow_provider_d360.tasks.arguments import check_choice, read_id
from airflow_provider_d360.tasks.sensor import DeferrableSensor
from airflow_provider_d360.tasks.tracking import WAIT_FOR, conclude

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.messages.values import String
    from airflow_provider_d360.store import Store


class D360MessageStatusSensor(DeferrableSensor):
    """
    Wait until a message was sent, delivered or read, and return its status.

    When the message fails, the sensor fails at once, whatever its ``retries``, with the error and the remedy.
    Statuses come by webhook: the receiver must run and share its store with this sensor. A status that came
    before the sensor started counts.

    ``timeout``, ``soft_fail`` and ``never_fail`` work as for every sensor. In deferrable mode, each try has
    the whole timeout, and a restart of the triggerer does not extend it.

    :param message_id: The id of one message, as :class:`D360SendMessageOperator` returns it. For a mapped
        send, map the sensor: ``.partial(…).expand(message_id=send.output)``. (templated)
    :param status: ``sent``, ``delivered`` (default) or ``read``; a later status counts as well.
    :param deferrable: Wait in the triggerer, which occupies no worker slot and needs one query for all
        waiting tasks. By default, Airflow's ``[operators] default_deferrable`` decides.
    """

    template_fields: Sequence[str] = ("message_id",)
    private_fields: ClassVar[frozenset[str]] = frozenset({"message_id"})

    def __init__(
        self,
        *,
        message_id: String,
        status: Literal["sent", "delivered", "read"] = "delivered",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("status", status, *WAIT_FOR)
        self.message_id = message_id
        self.status = status

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
        from airflow_provider_d360.store.watch import judge

        message_id = self._read_message_id()
        try:
            current = self.store.statuses.current([message_id]).get(message_id)
        except StoreUnavailableError as problem:
            self.log.warning("Statuses cannot be read, trying again: %s", problem)
            return False
        waited = judge(message_id, current, self.status)
        if waited.state == "waiting":
            self.log.info("Message %s is %s", short_id(message_id), waited.status or "accepted")
            return False
        return PokeReturnValue(True, conclude(waited, self.status))

    def wait_in_triggerer(self) -> NoReturn:
        """Defer the task until the message has the status, has failed, or the timeout is over."""
        from airflow_provider_d360.triggers.messages import D360MessageStatusTrigger

        until = time.time() + self.timeout
        trigger = D360MessageStatusTrigger(
            message_id=self._read_message_id(), status=self.status, until=until
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """
        End the task according to the trigger's event, and return the message's status.

        :param context: The task's context.
        :param event: What the trigger wrote.
        """
        from airflow_provider_d360.triggers.messages import from_event

        waited = from_event(event, self._read_message_id())
        if waited.state == "timeout":
            raise AirflowSensorTimeout(
                f"Message {short_id(waited.message_id)} is not {self.status} after {self.timeout:.0f} s"
            )
        return conclude(waited, self.status)

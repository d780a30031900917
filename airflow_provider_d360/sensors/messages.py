"""Sensors that wait for what becomes of a message."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_d360.compat import AirflowFailException, AirflowSensorTimeout, conf
from airflow_provider_d360.operators.tracking import WAIT_FOR, conclude

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.store import Store


class D360MessageStatusSensor(BaseSensorOperator):
    """
    Wait until a message was sent, delivered or read, and return its status.

    A message that fails fails the sensor at once, whatever its ``retries``, with the error and the remedy
    that a refusal at sending would have. Statuses come by webhook, so the receiver must run, and share its
    store with whoever waits. A status that came before the sensor began counts.

    ``timeout``, ``soft_fail`` and ``never_fail`` mean what they mean for every sensor. In deferrable mode
    each try has the whole timeout, and a restarted triggerer does not begin it anew.

    :param message_id: The message, as :class:`D360SendMessageOperator` returns it. (templated)
    :param status: ``sent``, ``delivered`` or ``read``; a later one counts as well.
    :param deferrable: Wait in the triggerer, where it takes no worker, and where one query serves all who
        wait. Without it, Airflow's ``[operators] default_deferrable`` decides.
    """

    template_fields: Sequence[str] = ("message_id",)
    ui_color = "#25d366"

    def __init__(
        self,
        *,
        message_id: str,
        status: Literal["sent", "delivered", "read"] = "delivered",
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if status not in WAIT_FOR:
            raise ValueError(f"status is {status!r}; it can be {' or '.join(map(repr, WAIT_FOR))}")
        self.message_id = message_id
        self.status = status
        self.deferrable = deferrable

    @cached_property
    def store(self) -> Store:
        """The store that Airflow's configuration names."""
        from airflow_provider_d360.store.configured import configured_store

        return configured_store()

    def execute(self, context: Context) -> Any:
        if self.message_id in (None, "", "None"):  # an XCom that is not there, also as a template shows it
            raise AirflowFailException("There is no message id to wait for; has the task sent a message?")
        deferrable = self.deferrable
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        return self._wait_elsewhere() if deferrable else super().execute(context)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        from airflow_provider_d360.store import StoreUnavailableError
        from airflow_provider_d360.triggers.messages import judge

        try:
            found = self.store.status_of([self.message_id]).get(self.message_id)
        except StoreUnavailableError as problem:
            self.log.warning("Statuses cannot be read, trying again: %s", problem)
            return False
        waited = judge(self.message_id, found, self.status)
        if waited.state == "waiting":
            self.log.info("Message %s is %s", self.message_id, waited.status or "accepted")
            return False
        return PokeReturnValue(True, conclude(waited, self.status))

    def _wait_elsewhere(self) -> NoReturn:
        from airflow_provider_d360.triggers.messages import D360MessageStatusTrigger

        until = time.time() + self.timeout
        trigger = D360MessageStatusTrigger(message_id=self.message_id, status=self.status, until=until)
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Go on with what the trigger found."""
        from airflow_provider_d360.triggers.messages import from_event

        waited = from_event(event)
        if waited.state == "timeout":
            raise AirflowSensorTimeout(
                f"Message {self.message_id} is not {self.status} after {self.timeout:.0f} s"
            )
        return conclude(waited, self.status)

"""The base class of the sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator

from airflow_provider_d360.compat import conf
from airflow_provider_d360.tasks.arguments import read_flag
from airflow_provider_d360.tasks.private_fields import ConcealingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class DeferrableSensor(ConcealingOperator, BaseSensorOperator):
    """
    A sensor that waits in the worker or in the triggerer.

    :param deferrable: Wait in the triggerer, which occupies no worker slot. By default, Airflow's
        ``[operators] default_deferrable`` decides.
    """

    ui_color = "#25d366"

    def __init__(self, *, deferrable: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = None if deferrable is None else read_flag("deferrable", deferrable)

    def execute(self, context: Context) -> Any:
        deferrable = self.deferrable
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        return self.wait_in_triggerer() if deferrable else super().execute(context)

    def wait_in_triggerer(self) -> NoReturn:
        """Defer the task with the trigger of this sensor; the task resumes in ``execute_complete``."""
        raise NotImplementedError

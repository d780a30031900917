"""The base class of the operators, and of sensors that need a connection."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.tasks.private_fields import ConcealingOperator

if TYPE_CHECKING:
    from airflow_provider_d360.hooks.d360 import D360Hook


class D360Operator(ConcealingOperator):
    """
    An operator with a 360dialog connection, a retry policy and private template fields.

    From Airflow 3.3 on, its tasks have :class:`~airflow_provider_d360.tasks.retries.D360RetryPolicy`, unless
    the DAG author gives another ``retry_policy``.

    :param d360_conn_id: The 360dialog connection; ``d360_default`` by default. (templated)
    """

    ui_color = "#25d366"

    def __init__(self, *, d360_conn_id: str = "d360_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.d360_conn_id = d360_conn_id
        # Airflow 3.3 or later, and the author gave no policy. Before 3.3, there is no such attribute.
        self._takes_our_policy = getattr(self, "retry_policy", self) is None
        self._set_retry_policy()

    def _set_retry_policy(self, *, resend_ambiguous: bool = False) -> None:
        """Use our retry policy, unless the DAG author gave another or this Airflow has none."""
        if self._takes_our_policy:
            from airflow_provider_d360.tasks.retries import D360RetryPolicy

            self.retry_policy = D360RetryPolicy(resend_ambiguous=resend_ambiguous)

    @cached_property
    def hook(self) -> D360Hook:
        """The hook of the task's connection."""
        from airflow_provider_d360.hooks.d360 import D360Hook

        return D360Hook(self.d360_conn_id)

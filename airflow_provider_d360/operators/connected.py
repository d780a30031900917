"""What operators have in common that need a connection and conceal nothing."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from airflow_provider_d360.hooks.d360 import D360Hook


class ConnectedOperator(BaseOperator):
    """
    Has the hook of its connection, and from Airflow 3.3 on is retried when 360dialog asks for it.

    :param d360_conn_id: The 360dialog connection. (templated)
    """

    ui_color = "#25d366"

    def __init__(self, *, d360_conn_id: str = "d360_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.d360_conn_id = d360_conn_id
        if getattr(self, "retry_policy", self) is None:  # Airflow 3.3, and the author chose no other
            from airflow_provider_d360.operators.retries import D360RetryPolicy

            self.retry_policy = D360RetryPolicy()

    @cached_property
    def hook(self) -> D360Hook:
        """The hook of this task's connection."""
        from airflow_provider_d360.hooks.d360 import D360Hook

        return D360Hook(self.d360_conn_id)

"""When Airflow shall try a task again, as the error itself knows it. Tasks take that from Airflow 3.3 on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import airflow.sdk

from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360Error,
    D360RateLimitError,
    D360UnavailableError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision, RetryPolicy
else:
    RetryPolicy = getattr(airflow.sdk, "RetryPolicy", object)


class D360RetryPolicy(RetryPolicy):
    """
    Wait as long as 360dialog asks for, and do not retry what cannot succeed.

    For tasks of your own, on Airflow 3.3 and later, that call
    :class:`~airflow_provider_d360.hooks.d360.D360Hook`, as in
    ``@task(retries=5, retry_policy=D360RetryPolicy())``. The operators have it already. A rate limit then
    costs no worker: the scheduler waits. Airflow's ``retries`` still bound how often.

    :param resend_ambiguous: Let a lost answer be retried as well, and perhaps a message sent twice.
    """

    def __init__(self, *, resend_ambiguous: bool = False) -> None:
        self.resend_ambiguous = resend_ambiguous

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        from airflow.sdk import RetryDecision

        if not isinstance(exception, D360Error):
            return RetryDecision.default()
        if isinstance(exception, D360RateLimitError | D360UnavailableError):
            wait = exception.refusal.retry_after_seconds
            return RetryDecision.retry(
                None if wait is None else timedelta(seconds=wait), reason=str(exception)
            )
        if isinstance(exception, D360AmbiguousError) and self.resend_ambiguous:
            return RetryDecision.retry(reason=str(exception))
        return RetryDecision.fail(reason=str(exception))

    def serialize(self) -> dict[str, Any]:
        return {"resend_ambiguous": self.resend_ambiguous}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> D360RetryPolicy:
        return cls(**data)

"""The retry policy, for Airflow 3.3 and later: the error decides whether and when a task is retried."""

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

    The operators use it by default. For tasks of your own that call
    :class:`~airflow_provider_d360.hooks.d360.D360Hook`, write
    ``@task(retries=5, retry_policy=D360RetryPolicy())``. Waiting for a rate limit then occupies no worker
    slot. Airflow's ``retries`` limit the number of tries.

    :param resend_ambiguous: Retry after a lost response as well, which may send a message twice. Off by
        default.
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
        """
        Decide about the next try.

        :param exception: What the task raised.
        :param try_number: The number of the failed try, from 1.
        :param max_tries: Airflow's limit; Airflow itself enforces it.
        :param context: The task's context; not used.
        """
        from airflow.sdk import RetryDecision

        if not isinstance(exception, D360Error):
            return RetryDecision.default()
        if isinstance(exception, D360RateLimitError | D360UnavailableError):
            wait = exception.detail.retry_after_seconds
            return RetryDecision.retry(
                None if wait is None else timedelta(seconds=wait), reason=str(exception)
            )
        if isinstance(exception, D360AmbiguousError) and self.resend_ambiguous:
            return RetryDecision.retry(reason=str(exception))
        return RetryDecision.fail(reason=str(exception))

    def serialize(self) -> dict[str, Any]:
        """Return the policy's arguments, for Airflow's database."""
        return {"resend_ambiguous": self.resend_ambiguous}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> D360RetryPolicy:
        """
        Restore a policy from Airflow's database, where another version of this package may have written it.

        :param data: What :meth:`serialize` returned; unknown keys are ignored.
        """
        return cls(resend_ambiguous=bool(data.get("resend_ambiguous", False)))

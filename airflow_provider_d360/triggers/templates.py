"""The trigger that waits for an approval. It only reads, so it may run twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_d360.api.errors import D360Error, D360RateLimitError, D360UnavailableError
from airflow_provider_d360.api.templates import Verdict, judge
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.hooks.templates import alist_templates


class D360TemplateApprovedTrigger(BaseTrigger):
    """
    Wait until a template is approved, or never will be.

    :param name: The template's name.
    :param language: The code of one of its languages.
    :param poll_interval_seconds: Time between two looks.
    :param d360_conn_id: The 360dialog connection; its key is looked up where the trigger runs.
    """

    def __init__(
        self, *, name: str, language: str, poll_interval_seconds: float, d360_conn_id: str = "d360_default"
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.name = name
        self.language = language
        self.poll_interval_seconds = poll_interval_seconds
        self.d360_conn_id = d360_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_d360.triggers.templates.D360TemplateApprovedTrigger",
            {
                "name": self.name,
                "language": self.language,
                "poll_interval_seconds": self.poll_interval_seconds,
                "d360_conn_id": self.d360_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        hook = D360Hook(self.d360_conn_id)
        try:
            while (verdict := await self._look(hook)).state == "waiting":
                self.log.info("%s", verdict.reason)
                await asyncio.sleep(self.poll_interval_seconds)
            yield TriggerEvent(to_event(verdict))
        finally:
            await hook.aclose()

    async def _look(self, hook: D360Hook) -> Verdict:
        try:
            found = await alist_templates(await hook.aget_conn(), name=self.name)
        except (D360RateLimitError, D360UnavailableError) as error:
            return Verdict("waiting", f"Not known yet: {error}")
        except D360Error as error:
            return Verdict(
                "refused", f"{type(error).__name__} with connection {self.d360_conn_id!r}: {error}"
            )
        return judge(found, self.name, self.language)


def to_event(verdict: Verdict) -> dict[str, str | None]:
    """Write a verdict as what travels from trigger to task."""
    return {"state": verdict.state, "reason": verdict.reason, "template_id": verdict.template_id}


def from_event(event: dict[str, Any]) -> Verdict:
    """Read what the trigger wrote; anything unknown is a refusal."""
    state = event.get("state")
    return Verdict(
        "approved" if state == "approved" else "refused", str(event.get("reason")), event.get("template_id")
    )

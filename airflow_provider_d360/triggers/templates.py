"""The trigger that waits for the approval of a template. It only reads, so it may run twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_d360.api.checks.definitions import check_template_name
from airflow_provider_d360.api.endpoints.templates import Verdict, judge
from airflow_provider_d360.api.errors import (
    D360Error,
    D360RateLimitError,
    D360UnavailableError,
    ErrorDetail,
)
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.sending.templates import list_templates

_LOOK_UP_SECONDS = 600.0
_LONGEST_BACK_OFF_SECONDS = 60.0


class D360TemplateApprovedTrigger(BaseTrigger):
    """
    Wait until a template is approved or rejected.

    Rate limits, outages and failed look-ups of the connection are repeated after the poll interval; a look-up
    for ten minutes.

    :param name: The template's name.
    :param language: The code of one of its languages, such as ``en_US``.
    :param poll_interval_seconds: The time between two requests, in seconds.
    :param d360_conn_id: The 360dialog connection; ``d360_default`` by default. Its key is looked up in the
        triggerer.
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
            await self._look_connection_up(hook)
            while (verdict := await self._verdict(hook)).state == "waiting":
                self.log.info("%s", verdict.reason)
                await asyncio.sleep(self.poll_interval_seconds)
            yield TriggerEvent(to_event(verdict))
        finally:
            await hook.aclose()

    async def _look_connection_up(self, hook: D360Hook) -> None:
        give_up_at = time.monotonic() + _LOOK_UP_SECONDS
        while True:
            try:
                await hook.aget_conn()
                return
            except D360UnavailableError as error:  # there is none, or its secrets backend is away
                failure = error
            except D360Error:
                return  # the connection is wrong, which the first request reports
            except Exception as problem:  # noqa: BLE001 - of any secrets backend; its text may hold a secret
                why = f"The connection {self.d360_conn_id!r} cannot be looked up ({type(problem).__name__})"
                failure = D360UnavailableError(ErrorDetail(why, "Nothing was asked of 360dialog; try later."))
            if time.monotonic() >= give_up_at:
                raise failure
            self.log.warning("%s, trying again", failure.detail.title)
            await asyncio.sleep(min(self.poll_interval_seconds, _LONGEST_BACK_OFF_SECONDS))

    async def _verdict(self, hook: D360Hook) -> Verdict:
        try:
            check_template_name(self.name)
            templates = await hook.arun(list_templates, name=self.name)
        except (D360RateLimitError, D360UnavailableError) as error:
            return Verdict("waiting", f"Not known yet: {error}")
        except D360Error as error:
            return Verdict(
                "refused", f"{type(error).__name__} with connection {self.d360_conn_id!r}: {error}"
            )
        return judge(templates, self.name, self.language)


def to_event(verdict: Verdict) -> dict[str, str | None]:
    """
    Return the event that travels from the trigger to the task.

    :param verdict: What WhatsApp decided.
    """
    return {
        "state": verdict.state,
        "reason": verdict.reason,
        "template_id": verdict.template_id,
        "category": verdict.category,
    }


def from_event(event: dict[str, Any]) -> Verdict:
    """
    Read the trigger's event. It may come from another version: unknown keys are ignored.

    :param event: What the trigger wrote; an unknown state is read as a rejection.
    """
    state: Literal["approved", "refused"] = "approved" if event.get("state") == "approved" else "refused"
    return Verdict(state, str(event.get("reason")), event.get("template_id"), event.get("category"))

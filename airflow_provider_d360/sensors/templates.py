"""Sensors that wait for what WhatsApp decides about templates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_d360.compat import AirflowFailException, conf
from airflow_provider_d360.operators.failures import fail_at_once

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.api.templates import Verdict
    from airflow_provider_d360.hooks.d360 import D360Hook


class D360TemplateApprovedSensor(BaseSensorOperator):
    """
    Wait until WhatsApp has approved a template, and return its id.

    Fails at once, whatever its ``retries``, when the template is rejected, with WhatsApp's reason. Rate
    limits and outages are waited out. A template that is not there yet is waited for as well, because a new
    one shows up late: give a ``timeout``.

    :param name: The template's name. (templated)
    :param language: The code of one of its languages, such as ``en_US``. (templated)
    :param deferrable: Wait in the triggerer, where it takes no worker. Without it, Airflow's
        ``[operators] default_deferrable`` decides.
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("name", "language", "d360_conn_id")
    ui_color = "#25d366"

    def __init__(
        self,
        *,
        name: str,
        language: str,
        deferrable: bool | None = None,
        d360_conn_id: str = "d360_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.language = language
        self.deferrable = deferrable
        self.d360_conn_id = d360_conn_id

    @cached_property
    def hook(self) -> D360Hook:
        """The hook of this task's connection."""
        from airflow_provider_d360.hooks.d360 import D360Hook

        return D360Hook(self.d360_conn_id)

    def execute(self, context: Context) -> Any:
        deferrable = self.deferrable
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        return self._wait_elsewhere() if deferrable else super().execute(context)

    def _wait_elsewhere(self) -> NoReturn:
        from airflow_provider_d360.triggers.templates import D360TemplateApprovedTrigger

        trigger = D360TemplateApprovedTrigger(
            name=self.name,
            language=self.language,
            poll_interval_seconds=self.poke_interval,
            d360_conn_id=self.d360_conn_id,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str | None:
        """Go on with what the trigger found."""
        from airflow_provider_d360.triggers.templates import from_event

        return self._conclude(from_event(event))

    def poke(self, context: Context) -> bool | PokeReturnValue:
        from airflow_provider_d360.api.errors import D360RateLimitError, D360UnavailableError
        from airflow_provider_d360.api.templates import judge
        from airflow_provider_d360.hooks.templates import list_templates

        try:
            with fail_at_once(self.d360_conn_id):
                found = list_templates(self.hook.get_conn(), name=self.name)
        except (D360RateLimitError, D360UnavailableError) as error:
            self.log.warning("Not known yet: %s", error)
            return False
        verdict = judge(found, self.name, self.language)
        if verdict.state == "waiting":
            self.log.info("%s", verdict.reason)
            return False
        return PokeReturnValue(True, self._conclude(verdict))

    def _conclude(self, verdict: Verdict) -> str | None:
        if verdict.state != "approved":
            raise AirflowFailException(verdict.reason)
        self.log.info("%s", verdict.reason)
        return verdict.template_id

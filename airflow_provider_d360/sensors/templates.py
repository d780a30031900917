"""The sensor that waits for the approval of a template."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.sdk import PokeReturnValue

from airflow_provider_d360.compat import AirflowFailException
from airflow_provider_d360.tasks.arguments import check_single
from airflow_provider_d360.tasks.categories import check_category_choice, report_category
from airflow_provider_d360.tasks.failures import fail_at_once
from airflow_provider_d360.tasks.operator import D360Operator
from airflow_provider_d360.tasks.sensor import DeferrableSensor

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.api.endpoints.templates import Verdict
    from airflow_provider_d360.messages.values import String


class D360TemplateApprovedSensor(D360Operator, DeferrableSensor):
    """
    Wait until WhatsApp has approved a template, and return its id.

    When the template is rejected, the sensor fails at once, whatever its ``retries``, with WhatsApp's reason.
    After rate limits and outages it asks again. A template that does not exist is waited for, too, because a
    new one is listed late: give a ``timeout``.

    :param name: The template's name. (templated)
    :param language: The code of one of its languages, such as ``en_US``. (templated)
    :param category: The category that the template was created with: ``AUTHENTICATION``, ``MARKETING`` or
        ``UTILITY``. Without it, the category is not compared. (templated)
    :param on_category_change: What to do when the approved template has another category, because WhatsApp
        changed it: ``warn`` in the log, or ``fail`` the task.
    :param deferrable: Wait in the triggerer, which occupies no worker slot. By default, Airflow's
        ``[operators] default_deferrable`` decides.
    :param d360_conn_id: The 360dialog connection; ``d360_default`` by default. (templated)
    """

    template_fields: Sequence[str] = ("name", "language", "category", "d360_conn_id")

    def __init__(
        self,
        *,
        name: String,
        language: String,
        category: String | None = None,
        on_category_change: Literal["warn", "fail"] = "warn",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_category_choice(on_category_change)
        self.name: Any = name
        self.language: Any = language
        self.category: Any = category
        self._compares_category = category is not None
        self.on_category_change = on_category_change

    def execute(self, context: Context) -> Any:
        from airflow_provider_d360.api.checks.definitions import check_category, check_language

        with fail_at_once(self.d360_conn_id):
            for name in ("name", "language"):
                check_single(name, getattr(self, name), operator=type(self).__name__)
            check_language(self.language)
            if self._compares_category:
                check_category(self.category)
        return super().execute(context)

    def wait_in_triggerer(self) -> NoReturn:
        """Defer the task until WhatsApp has decided."""
        from airflow_provider_d360.triggers.templates import D360TemplateApprovedTrigger

        trigger = D360TemplateApprovedTrigger(
            name=self.name,
            language=self.language,
            poll_interval_seconds=self.poke_interval,
            d360_conn_id=self.d360_conn_id,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str | None:
        """
        End the task according to the trigger's event, and return the template id.

        :param context: The task's context.
        :param event: What the trigger wrote.
        """
        from airflow_provider_d360.triggers.templates import from_event

        return self._conclude(from_event(event))

    def poke(self, context: Context) -> bool | PokeReturnValue:
        from airflow_provider_d360.api.checks.definitions import check_template_name
        from airflow_provider_d360.api.endpoints.templates import judge
        from airflow_provider_d360.api.errors import D360RateLimitError, D360UnavailableError
        from airflow_provider_d360.sending.templates import list_templates

        try:
            with fail_at_once(self.d360_conn_id):
                check_template_name(self.name)
                templates = self.hook.run(list_templates, name=self.name)
        except (D360RateLimitError, D360UnavailableError) as error:
            self.log.warning("Not known yet: %s", error)
            return False
        verdict = judge(templates, self.name, self.language)
        if verdict.state == "waiting":
            self.log.info("%s", verdict.reason)
            return False
        return PokeReturnValue(True, self._conclude(verdict))

    def _conclude(self, verdict: Verdict) -> str | None:
        if verdict.state != "approved":
            raise AirflowFailException(verdict.reason)
        self.log.info("%s", verdict.reason)
        report_category(self.log, self.on_category_change, self.category, verdict.category)
        return verdict.template_id

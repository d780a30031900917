"""The base class of the notifier, which renders its template fields."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airflow.sdk import BaseNotifier

from airflow_provider_d360.tasks.private_fields import rendering_error

if TYPE_CHECKING:
    from airflow.sdk import Context
    from jinja2 import Environment, Template

N = TypeVar("N", bound="TextNotifier")


class TextNotifier(BaseNotifier):
    """
    Renders its fields as text, even where the DAG renders native objects: a message is not a number.

    An alert goes out without ``message``, with a default text, when that field cannot be rendered. Any other
    field that cannot be rendered is an error that names the field.
    """

    def rendered(self: N, context: Mapping[str, Any]) -> N:
        """
        Return a rendered copy. Airflow's own rendering would change the notifier, for all later alerts.

        :param context: The context of the callback.
        :raises ValueError: when a field other than ``message`` cannot be rendered. The text quotes no value.
        """
        rendered = copy.copy(self)
        values = cast("Context", {**_accessors(), **context})
        environment = self._environment(context.get("dag"))
        for name in self.template_fields:
            setattr(rendered, name, self._field(name, values, environment))
        return rendered

    def _field(self, name: str, values: Context, environment: Environment) -> Any:
        template = getattr(self, name)
        try:
            return self.render_template(template, values, environment)
        except Exception as problem:  # noqa: BLE001 - macros are anybody's code
            failure = rendering_error(name, template, problem)
        if name != "message":
            raise failure
        self.log.warning("%s. The default alert is sent instead.", failure)
        return None

    def _environment(self, dag: Any) -> Environment:
        """Return the DAG's filters and macros. A serialized DAG, as in ``airflow dags test``, has none."""
        if not hasattr(dag, "get_template_env"):
            return self.get_template_env()
        return cast("Environment", dag.get_template_env(force_sandboxed=True))

    def _render(self, template: Template, context: Any, dag: Any = None) -> Any:
        return super(BaseNotifier, self)._render(template, context)  # its own looks for the DAG's native mode


def _accessors() -> dict[str, Any]:
    """Return ``var`` and ``conn``, which a deadline's context lacks: no DAG should contain a number."""
    from airflow.sdk.execution_time.context import ConnectionAccessor, VariableAccessor

    var = {"value": VariableAccessor(deserialize_json=False), "json": VariableAccessor(deserialize_json=True)}
    return {"var": var, "conn": ConnectionAccessor()}

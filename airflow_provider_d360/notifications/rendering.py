"""Rendering a notifier: as text, again for each alert, and never at the price of the alert."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError

from airflow_provider_d360.api.privacy import explain_rendering

if TYPE_CHECKING:
    from airflow.sdk import Context
    from jinja2 import Environment, Template

N = TypeVar("N", bound="TextNotifier")


class TextNotifier(BaseNotifier):
    """
    Renders its fields as text, even where the DAG renders native objects: a message is no number.

    ``message`` is the one field that an alert can do without: when it cannot be rendered, it is left out.
    """

    def rendered(self: N, context: Mapping[str, Any]) -> N:
        """Return a rendered copy. Airflow's own way changes the notifier, for ever, and the context."""
        ready = copy.copy(self)
        values = cast("Context", {**_accessors(), **context})
        environment = self._environment(context.get("dag"))
        for name in self.template_fields:
            setattr(ready, name, self._field(name, values, environment))
        return ready

    def _field(self, name: str, values: Context, environment: Environment) -> Any:
        try:
            return self.render_template(getattr(self, name), values, environment)
        except Exception as problem:
            why = explain_rendering(problem)
            if name == "message":
                self.log.warning("The message cannot be rendered, so the default one goes out: %s", why)
                return None
            if isinstance(problem, AirflowException | AirflowRuntimeError):
                raise  # of a variable that is missing
        raise ValueError(f"The field {name!r} cannot be rendered: {why}")

    def _environment(self, dag: Any) -> Environment:
        """Take the DAG's filters and macros; a serialized DAG, as in ``airflow dags test``, has none."""
        if not hasattr(dag, "get_template_env"):
            return self.get_template_env()
        return cast("Environment", dag.get_template_env(force_sandboxed=True))

    def _render(self, template: Template, context: Any, dag: Any = None) -> Any:
        return super(BaseNotifier, self)._render(template, context)  # its own looks for the DAG's native mode


def _accessors() -> dict[str, Any]:
    """Give what the context of a deadline lacks, so that nobody has to write a number into a DAG."""
    from airflow.sdk.execution_time.context import ConnectionAccessor, VariableAccessor

    var = {"value": VariableAccessor(deserialize_json=False), "json": VariableAccessor(deserialize_json=True)}
    return {"var": var, "conn": ConnectionAccessor()}

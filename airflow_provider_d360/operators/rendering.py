"""Template fields that Airflow renders as usual, but shows without what people write to each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError

from airflow_provider_d360.api.privacy import conceal, explain_rendering, mask_number


class ConcealingOperator(BaseOperator):
    """
    Keeps rendered values to itself and leaves a form of them that anybody may see.

    Airflow stores the rendered template fields of each task and shows them in its UI. After rendering, the
    fields named in ``private_fields`` therefore hold ``49…89`` in place of a number and ``(12 characters)``
    in place of a text. :meth:`rendered` gives the values themselves.

    Text stays text where a DAG renders native objects: ``42`` is a message, and only lists, dicts and
    ``None`` are taken as what they are.
    """

    private_fields: ClassVar[frozenset[str]] = frozenset()

    def rendered(self, name: str) -> Any:
        """Give the rendered value of a field, or what was passed when nothing was rendered."""
        return self.__dict__.get("_rendered", {}).get(name, getattr(self, name))

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        """Render, then conceal. Both plain and mapped operators come through here, on every Airflow 3."""
        if parent is not self:
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
            return
        others = [name for name in template_fields if name not in self.private_fields]
        super()._do_render_template_fields(parent, others, context, jinja_env, seen_oids)
        # Rendered before: begin with the templates again.
        templates = self.__dict__.setdefault(
            "_templates", {name: getattr(self, name) for name in self.private_fields}
        )
        values = {
            name: self._rendered_in_private(name, template, context, jinja_env, seen_oids)
            for name, template in templates.items()
        }
        self.__dict__.update(
            {name: self.concealed(name, value) for name, value in values.items()}, _rendered=values
        )

    def concealed(self, name: str, value: Any) -> Any:
        """Write a value of a private field for everybody."""
        return mask_number(value) if name == "to" else conceal(value)

    def _rendered_in_private(
        self, name: str, template: Any, context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> Any:
        """Render as Airflow would, which logs the template, with all text in it, when that fails."""
        try:
            if callable(template):
                return template(context=context, jinja_env=jinja_env)
            return self.render_template(template, context, jinja_env, seen_oids)
        except (AirflowException, AirflowRuntimeError):
            raise  # of a skip, or a variable that is missing
        except Exception as problem:  # noqa: BLE001 - macros are anybody's code
            text = f"The field {name!r} cannot be rendered: {explain_rendering(problem)}"
        raise ValueError(text)

    def _render(self, template: Any, context: Any, dag: Any = None) -> Any:
        from jinja2.nativetypes import NativeEnvironment, native_concat

        if not isinstance(template.environment, NativeEnvironment):
            return super()._render(template, context, dag)
        nodes = list(template.root_render_func(template.new_context(context)))
        value = native_concat(nodes)
        return value if value is None or isinstance(value, dict | list) else "".join(map(str, nodes))

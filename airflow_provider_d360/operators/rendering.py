"""Template fields that Airflow renders as usual, but shows without what people write to each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_d360.api.privacy import conceal, mask_number


class ConcealingOperator(BaseOperator):
    """
    Keeps rendered values to itself and leaves a form of them that anybody may see.

    Airflow stores the rendered template fields of each task and shows them in its UI. After rendering, the
    fields named in ``private_fields`` therefore hold ``49…89`` in place of a number and ``(12 characters)``
    in place of a text. :meth:`rendered` gives the values themselves.
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
        templates = self.__dict__.get("_templates") or {
            name: getattr(self, name) for name in self.private_fields
        }
        self.__dict__.update(
            templates, _templates=templates
        )  # rendered before: begin with the template again
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        values = {name: getattr(self, name) for name in self.private_fields}
        self.__dict__.update(
            {name: mask_number(value) if name == "to" else conceal(value) for name, value in values.items()},
            _rendered=values,
        )

"""Template fields: rendered as by Airflow, but without private values in its UI, its log and its errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_d360.api.privacy import conceal, explain, mask_number, short_id
from airflow_provider_d360.compat import AirflowFailException, AirflowSkipException

_KNOWN = ("jinja2.", "airflow.")  # modules whose exceptions have texts of known words
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


class ConcealingOperator(BaseOperator):
    """
    Renders template fields without showing private values.

    Airflow stores the rendered template fields of each task and shows them in its UI. After rendering, the
    fields named in ``private_fields`` therefore hold ``49…89`` in place of a number, ``(12 characters)`` in
    place of a text and a short form in place of a message id. :meth:`rendered` returns the values themselves.

    When a field cannot be rendered, Airflow would log its template, and the error would quote values. Here
    the error names the field, the class of the problem, and of its text only known words.

    Text stays text where a DAG renders native objects: ``42`` is a message, and only lists, dicts and
    ``None`` are taken as what they are.
    """

    private_fields: ClassVar[frozenset[str]] = frozenset()

    def rendered(self, name: str) -> Any:
        """
        Return the rendered value of a field, or what was passed when nothing was rendered.

        :param name: One of ``private_fields``.
        """
        return self.__dict__.get("_rendered", {}).get(name, getattr(self, name))

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        """Render, then conceal. Both plain and mapped operators come through here, on every Airflow 3."""
        private = self.private_fields if parent is self else frozenset()
        for name in template_fields:
            if name not in private:
                value = self._rendered_field(name, getattr(parent, name), context, jinja_env, seen_oids)
                setattr(parent, name, value)
        if not private:
            return
        # Rendered before: begin with the templates again.
        templates = self.__dict__.setdefault("_templates", {name: getattr(self, name) for name in private})
        values = {
            name: self._rendered_field(name, template, context, jinja_env, seen_oids)
            for name, template in templates.items()
        }
        concealed = {name: self.concealed(name, value) for name, value in values.items()}
        self.__dict__.update(concealed, _rendered=values)

    def concealed(self, name: str, value: Any) -> Any:
        """
        Return the form of a private value that anybody may see.

        :param name: The field.
        :param value: Its rendered value.
        """
        if name == "to":
            return mask_number(value)
        if name in ("message_id", "reply_to"):
            return short_id(value) if value else value
        return conceal(value)

    def _rendered_field(
        self, name: str, template: Any, context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> Any:
        try:
            if callable(template):
                return template(context=context, jinja_env=jinja_env)
            return self.render_template(template, context, jinja_env, seen_oids) if template else template
        except Exception as problem:  # noqa: BLE001 - macros are anybody's code
            failure = rendering_error(name, template, problem)
        raise failure

    def _render(self, template: Any, context: Any, dag: Any = None) -> Any:
        from jinja2.nativetypes import NativeEnvironment, native_concat

        if not isinstance(template.environment, NativeEnvironment):
            return super()._render(template, context, dag)
        nodes = list(template.root_render_func(template.new_context(context)))
        value = native_concat(nodes)
        return value if value is None or isinstance(value, dict | list) else "".join(map(str, nodes))


class RenderingError(ValueError):
    """A field cannot be rendered. The text names the field and quotes no values."""


def rendering_error(name: str, template: Any, problem: Exception) -> Exception:
    """
    Return the error for a field that cannot be rendered. It quotes no values.

    It is raised outside of the ``except`` block, so that the problem is not in its chain. What a macro raises
    to skip or to fail the task stays a skip or a failure.

    :param name: The field.
    :param template: Its template; the names in its expressions may be shown.
    :param problem: What rendering raised.
    """
    why = type(problem).__name__
    if any(parent.__module__.startswith(_KNOWN) for parent in type(problem).__mro__):
        why = explain(problem, public=set(_identifiers(template)))
    text = f"The field {name!r} cannot be rendered: {why}"
    for kind in (AirflowSkipException, AirflowFailException):
        if isinstance(problem, kind):
            return kind(text)
    return RenderingError(text)


def _identifiers(template: Any) -> Iterator[str]:
    """List the names in the expressions of a template. They are code; its literals and its text are not."""
    if isinstance(template, Mapping):
        template = list(template.values())
    if isinstance(template, list | tuple | set):
        for item in template:
            yield from _identifiers(item)
    elif isinstance(template, str):
        for expression in _EXPRESSION.findall(template):
            yield from _IDENTIFIER.findall(_LITERAL.sub("", expression))

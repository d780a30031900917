"""Operators for templates: what WhatsApp is asked to approve before it may be sent at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.operators.connected import ConnectedOperator
from airflow_provider_d360.operators.failures import fail_at_once

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.api.templates import Template


class _TemplateOperator(ConnectedOperator):
    """What the operators for templates have in common: a look at what is there."""

    def _list(self, **wanted: str | None) -> list[Template]:
        from airflow_provider_d360.hooks.templates import list_templates

        return list_templates(self.hook.get_conn(), **wanted)


class D360CreateTemplateOperator(_TemplateOperator):
    """
    Ask WhatsApp to approve a template, and return its id.

    Approval takes minutes to a day: follow with
    :class:`~airflow_provider_d360.sensors.templates.D360TemplateApprovedSensor`. A template that is already
    there with the same content is left alone, whatever its status, so the task may be repeated; one with
    other content fails the task.

    :param name: Small letters, digits and underscores. (templated)
    :param language: A code such as ``en_US``. (templated)
    :param category: ``AUTHENTICATION``, ``MARKETING`` or ``UTILITY``. (templated)
    :param components: Header, body, footer and buttons, as WhatsApp writes them. Jinja leaves them alone:
        ``{{1}}`` is a blank of the template here.
    :param options: More that 360dialog takes, such as ``allow_category_change`` or ``parameter_format``.
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("name", "language", "category", "d360_conn_id")

    def __init__(
        self,
        *,
        name: str,
        language: str,
        category: str,
        components: Sequence[Mapping[str, Any]],
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.language = language
        self.category = category
        self.components = components
        self.options = options

    def execute(self, context: Context) -> str | None:
        with fail_at_once(self.d360_conn_id):
            template = self._existing() or self._create()
        self.log.info("Template %s in %s: id %s", self.name, self.language, template.template_id)
        return template.template_id

    def _existing(self) -> Template | None:
        from airflow_provider_d360.api.errors import D360RequestError, Refusal
        from airflow_provider_d360.api.templates import same_content

        found = next(iter(self._list(name=self.name, language=self.language)), None)
        if found and not same_content(found.components, self.components):
            title = f"Template {self.name} is there in {self.language}, with other content"
            raise D360RequestError(
                Refusal(title, "Choose another name, or edit that one with D360EditTemplateOperator.")
            )
        return found

    def _create(self) -> Template:
        from airflow_provider_d360.api.errors import D360RequestError
        from airflow_provider_d360.api.templates import create_template

        call = create_template(
            self.hook.get_conn().account.hosting,
            self.name,
            self.language,
            self.category,
            self.components,
            **(self.options or {}),
        )
        try:
            return self.hook.call(call)
        except D360RequestError:
            # After a lost answer the request was repeated, and then it is a duplicate of itself.
            found = self._existing()
            if found is None:
                raise
            return found


class D360EditTemplateOperator(_TemplateOperator):
    """
    Change a template on cloud. It has to be approved again, and keeps its id.

    WhatsApp allows one change in a day and ten in thirty days. What is already right is left alone.

    :param template_id: The template's id, as creating and listing return it. (templated)
    :param components: All its components, the new ones and those that stay. Jinja leaves them alone.
    :param category: The new category, of a template that is not approved. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("template_id", "category", "d360_conn_id")

    def __init__(
        self,
        *,
        template_id: str,
        components: Sequence[Mapping[str, Any]] | None = None,
        category: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.template_id = template_id
        self.components = components
        self.category = category

    def execute(self, context: Context) -> None:
        from airflow_provider_d360.api.templates import edit_template, get_template, same_content

        with fail_at_once(self.d360_conn_id):
            hosting = self.hook.get_conn().account.hosting
            before = self.hook.call(get_template(hosting, self.template_id))
            same = self.components is None or same_content(before.components, self.components)
            if same and self.category in (None, before.category):
                self.log.info("Template %s is already right", self.template_id)
                return
            self.hook.call(
                edit_template(hosting, self.template_id, components=self.components, category=self.category)
            )
        self.log.info("Changed: template %s", self.template_id)


class D360DeleteTemplateOperator(_TemplateOperator):
    """
    Delete a template, and return the languages it was deleted in; none when it was not there.

    Its name cannot be used for a new template for thirty days.

    :param name: The template's name: all of its languages go. (templated)
    :param language: Delete only this one; on cloud. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("name", "language", "d360_conn_id")

    def __init__(self, *, name: str, language: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.language = language

    def execute(self, context: Context) -> list[str]:
        from airflow_provider_d360.api.templates import delete_template

        with fail_at_once(self.d360_conn_id):
            hosting = self.hook.get_conn().account.hosting
            found = self._list(name=self.name, language=self.language)
            if found:
                template_id = found[0].template_id if self.language else None
                self.hook.call(delete_template(hosting, self.name, template_id=template_id))
        languages = sorted(template.language for template in found)
        self.log.info("Deleted: template %s in %s", self.name, ", ".join(languages) or "no language")
        return languages


class D360ListTemplatesOperator(_TemplateOperator):
    """
    Return the templates of the account: id, name, language, category, status, rejection and quality of each.

    :param name: Only those of this name. (templated)
    :param status: Only those with this status, such as ``approved``, in whatever case. (templated)
    :param language: Only those in this language. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("name", "status", "language", "d360_conn_id")

    def __init__(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        language: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.status = status
        self.language = language

    def execute(self, context: Context) -> list[dict[str, str | None]]:
        with fail_at_once(self.d360_conn_id):
            found = self._list(name=self.name, status=self.status, language=self.language)
        self.log.info("Found: %s templates", len(found))
        return [template.summary() for template in found]

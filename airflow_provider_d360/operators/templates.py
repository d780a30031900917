"""Operators for templates, which WhatsApp approves before they may be sent at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_d360.tasks.arguments import check_single, read_id
from airflow_provider_d360.tasks.categories import check_category_choice, report_category
from airflow_provider_d360.tasks.failures import fail_at_once
from airflow_provider_d360.tasks.operator import D360Operator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.api.endpoints.templates import Template
    from airflow_provider_d360.api.wire import Call
    from airflow_provider_d360.messages.values import String


class _TemplateOperator(D360Operator):
    """What the operators for templates share: listing them."""

    def _list(self, **filters: str | None) -> list[Template]:
        from airflow_provider_d360.sending.templates import list_templates

        return self.hook.run(list_templates, **filters)


class D360CreateTemplateOperator(_TemplateOperator):
    """
    Create a template, which WhatsApp then reviews, and return its id.

    A review takes minutes to a day: wait for it with
    :class:`~airflow_provider_d360.sensors.templates.D360TemplateApprovedSensor`. A template that exists with
    the same content is left alone, whatever its status, so the task may be repeated; one with other content
    fails the task.

    :param name: Small letters, digits and underscores; at most 512. (templated)
    :param language: A code such as ``en_US``. (templated)
    :param category: ``AUTHENTICATION``, ``MARKETING`` or ``UTILITY``. (templated)
    :param components: Header, body, footer and buttons, in WhatsApp's JSON. Jinja leaves them alone:
        ``{{1}}`` is a placeholder of the template here.
    :param options: More that 360dialog takes, such as ``allow_category_change``. ``parameter_format`` is set
        by itself where placeholders have names.
    :param on_category_change: What to do when WhatsApp gives the template another category, which changes
        its price and its limits: ``warn`` in the log, or ``fail`` the task. WhatsApp may also do so later:
        the sensor has the same option.
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("name", "language", "category", "d360_conn_id")

    def __init__(
        self,
        *,
        name: String,
        language: String,
        category: String,
        components: Sequence[Mapping[str, Any]],
        options: Mapping[str, Any] | None = None,
        on_category_change: Literal["warn", "fail"] = "warn",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_category_choice(on_category_change)
        self.name: Any = name
        self.language: Any = language
        self.category: Any = category
        self.components = components
        self.options = options
        self.on_category_change = on_category_change

    def execute(self, context: Context) -> str | None:
        with fail_at_once(self.d360_conn_id):
            for name in ("name", "language", "category"):
                check_single(name, getattr(self, name), operator=type(self).__name__)
            call = self._call()  # also checks the arguments, before the first request
            template = self._existing() or self._create(call)
        self.log.info("Template %s in %s: id %s", self.name, self.language, template.template_id)
        report_category(self.log, self.on_category_change, self.category, template.category)
        return template.template_id

    def _call(self) -> Call[Template]:
        from airflow_provider_d360.api.endpoints.templates import create_template

        return create_template(
            self.hook.get_conn().settings.hosting,
            self.name,
            self.language,
            self.category,
            self.components,
            **(self.options or {}),
        )

    def _existing(self) -> Template | None:
        from airflow_provider_d360.api.checks.definitions import same_content
        from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail

        template = next(iter(self._list(name=self.name, language=self.language)), None)
        from_library = "library_template_name" in (self.options or {})
        if template and not from_library and not same_content(self.components, template.components):
            title = f"Template {self.name} exists in {self.language}, with other content"
            raise D360RequestError(
                ErrorDetail(title, "Choose another name, or edit that one with D360EditTemplateOperator.")
            )
        return template

    def _create(self, call: Call[Template]) -> Template:
        from airflow_provider_d360.api.errors import D360RequestError

        try:
            return self.hook.call(call)
        except D360RequestError:
            # After a lost response the request was repeated, and then it is a duplicate of itself.
            template = self._existing()
            if template is None:
                raise
            return template


class D360EditTemplateOperator(_TemplateOperator):
    """
    Change a template; cloud only. It is reviewed again, and keeps its id.

    WhatsApp allows one change a day and ten in thirty days. A template that has this content already is left
    alone.

    :param template_id: The template's id, as creating and listing return it. (templated)
    :param components: All its components, the new ones and those that stay. Jinja leaves them alone. One of
        ``components`` and ``category`` is needed.
    :param category: The new category, of a template that is not approved. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("template_id", "category", "d360_conn_id")

    def __init__(
        self,
        *,
        template_id: String,
        components: Sequence[Mapping[str, Any]] | None = None,
        category: String | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if components is None and category is None:
            raise ValueError("D360EditTemplateOperator needs components or category")
        self.template_id: Any = template_id
        self.components = components
        self.category: Any = category
        self._changes_category = category is not None

    def execute(self, context: Context) -> None:
        from airflow_provider_d360.api.checks.definitions import check_category, same_content
        from airflow_provider_d360.api.endpoints.templates import edit_template, get_template

        with fail_at_once(self.d360_conn_id):
            hosting = self.hook.get_conn().settings.hosting
            if self._changes_category:
                check_category(self.category)
            read_id("template_id", self.template_id, operator=type(self).__name__)
            before = self.hook.call(get_template(hosting, self.template_id))
            same = self.components is None or same_content(self.components, before.components)
            if same and self.category in (None, before.category):
                self.log.info("Template %s has this content already", self.template_id)
                return
            self.hook.call(
                edit_template(hosting, self.template_id, components=self.components, category=self.category)
            )
        self.log.info("Changed: template %s", self.template_id)


class D360DeleteTemplateOperator(_TemplateOperator):
    """
    Delete a template, and return the languages it was deleted in: an empty list if it did not exist.

    Its name cannot be used for a new template for thirty days.

    :param name: The template's name. All its languages are deleted, unless ``language`` is given. (templated)
    :param language: Delete only this language; cloud only. When it renders to nothing, the task fails and
        deletes nothing. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("name", "language", "d360_conn_id")

    def __init__(self, *, name: String, language: String | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name: Any = name
        self.language: Any = language
        self._one_language = language is not None

    def execute(self, context: Context) -> list[str]:
        from airflow_provider_d360.api.checks.definitions import check_language, check_template_name
        from airflow_provider_d360.api.endpoints.templates import delete_template

        with fail_at_once(self.d360_conn_id):
            check_single("name", self.name, operator=type(self).__name__)
            if self._one_language:
                check_single("language", self.language, operator=type(self).__name__)
                check_language(self.language)
            check_template_name(self.name)
            templates = self._list(name=self.name, language=self.language)
            if templates:
                hosting = self.hook.get_conn().settings.hosting
                template_id = templates[0].template_id if self._one_language else None
                self.hook.call(delete_template(hosting, self.name, template_id=template_id))
        languages = sorted(template.language for template in templates)
        self.log.info("Deleted: template %s in %s", self.name, ", ".join(languages) or "no language")
        return languages


class D360ListTemplatesOperator(_TemplateOperator):
    """
    Return the templates of the account: id, name, language, category, status, rejection and quality of each.

    A filter that renders to nothing fails the task; it does not list all templates.

    :param name: Only templates with this name. (templated)
    :param status: Only those with this status, such as ``approved``, in any case. (templated)
    :param language: Only those in this language. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("name", "status", "language", "d360_conn_id")

    def __init__(
        self,
        *,
        name: String | None = None,
        status: String | None = None,
        language: String | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name: Any = name
        self.status: Any = status
        self.language: Any = language
        self._filters = [
            known for known in ("name", "status", "language") if getattr(self, known) is not None
        ]

    def execute(self, context: Context) -> list[dict[str, str | None]]:
        from airflow_provider_d360.api.checks.definitions import check_language, check_template_name

        with fail_at_once(self.d360_conn_id):
            for name in self._filters:
                check_single(name, getattr(self, name), operator=type(self).__name__)
            if "name" in self._filters:
                check_template_name(self.name)
            if "language" in self._filters:
                check_language(self.language)
            templates = self._list(name=self.name, status=self.status, language=self.language)
        self.log.info("Listed: %s templates", len(templates))
        return [template.summary() for template in templates]

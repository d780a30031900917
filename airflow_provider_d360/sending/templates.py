"""Lists of templates, over all their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.endpoints import templates
from airflow_provider_d360.api.errors import D360UnavailableError, ErrorDetail

if TYPE_CHECKING:
    from airflow_provider_d360.api.endpoints.templates import Template
    from airflow_provider_d360.api.wire import Call
    from airflow_provider_d360.transport.flows import Flow
    from airflow_provider_d360.transport.settings import ConnectionSettings

_MOST_PAGES = 200


def list_templates(
    settings: ConnectionSettings,
    *,
    name: str | None = None,
    status: str | None = None,
    language: str | None = None,
) -> Flow[list[Template]]:
    """
    List templates; without arguments, all of them. Run it with ``hook.run(list_templates, name="…")``.

    :param settings: The settings of the connection; the hook passes them.
    :param name: Only templates of this name.
    :param status: Only templates with this status, in upper or lower case.
    :param language: Only templates in this language.
    :raises D360UnavailableError: when the list does not end.
    """
    pages = yield from read_pages(
        templates.list_templates(settings.hosting, name=name, status=status, language=language)
    )
    return [template for page in pages for template in page.templates]


def read_pages(first: Call[Any]) -> Flow[list[Any]]:
    """
    Read a list page by page, from any call whose result has ``next``: the call of the next page, or ``None``.

    :param first: The call of the first page.
    :raises D360UnavailableError: when a page comes a second time, or after 200 pages.
    """
    pages: list[Any] = []
    paths: set[str] = set()
    call: Call[Any] | None = first
    while call is not None:
        if call.request.path in paths or len(pages) == _MOST_PAGES:
            raise D360UnavailableError(
                ErrorDetail(
                    f"The list does not end: 360dialog named another page after {len(pages)}",
                    "Try again later; if it stays so, ask 360dialog's support.",
                )
            )
        paths.add(call.request.path)
        page = yield call
        pages.append(page)
        call = page.next
    return pages

"""Lists of templates, whole: page after page, blocking or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_d360.api import templates

if TYPE_CHECKING:
    from airflow_provider_d360.api.templates import Template, TemplatePage
    from airflow_provider_d360.api.wire import Call
    from airflow_provider_d360.transport import Transport


def list_templates(
    transport: Transport, *, name: str | None = None, status: str | None = None, language: str | None = None
) -> list[Template]:
    """
    List templates; all of them when nothing is asked for.

    :param name: Only those of this name.
    :param status: Only those with this status, in whatever case.
    :param language: Only those in this language.
    """
    hosting = transport.account.hosting
    found: list[Template] = []
    call: Call[TemplatePage] | None = templates.list_templates(
        hosting, name=name, status=status, language=language
    )
    while call is not None:
        page = transport.perform(call)
        found += page.templates
        call = page.next
    return found


async def alist_templates(
    transport: Transport, *, name: str | None = None, status: str | None = None, language: str | None = None
) -> list[Template]:
    """Do the same as :func:`list_templates` without blocking the event loop."""
    hosting = transport.account.hosting
    found: list[Template] = []
    call: Call[TemplatePage] | None = templates.list_templates(
        hosting, name=name, status=status, language=language
    )
    while call is not None:
        page = await transport.aperform(call)
        found += page.templates
        call = page.next
    return found

"""What a message must be before any of it leaves: readable, within the limits, fit for its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api import limits
from airflow_provider_d360.api.attachments import with_ids
from airflow_provider_d360.api.errors import D360RequestError, Refusal
from airflow_provider_d360.api.preflight import preflight
from airflow_provider_d360.messages import as_message, flatten_parameters

if TYPE_CHECKING:
    from airflow_provider_d360.api.hosting import Hosting
    from airflow_provider_d360.api.templates import Template


def read_content(message: str | Mapping[str, Any], on_newline: str) -> dict[str, Any]:
    """Read what :meth:`D360Hook.send` was given: a text, or a message dict."""
    try:
        content = dict(as_message(message))
    except TypeError as problem:
        raise D360RequestError(Refusal(str(problem), "Give a text or a message dict.")) from None
    return dict(flatten_parameters(content)) if on_newline == "flatten" else content


def check(content: Mapping[str, Any], hosting: Hosting) -> None:
    """Refuse what breaks a documented limit, before a file of it is uploaded."""
    _refuse("documented rule", limits.check(with_ids(content, lambda _: "0"), hosting))


def template_name(content: Mapping[str, Any]) -> str:
    """Name the template of a message, whose approved form is to be looked up."""
    template = content.get("template")
    name = template.get("name") if isinstance(template, Mapping) else None
    if not isinstance(name, str):
        raise D360RequestError(Refusal("preflight is for template messages", "Leave it out for others."))
    return name


def check_template(content: Mapping[str, Any], found: Sequence[Template]) -> None:
    """Refuse what does not fit the template that was approved."""
    _refuse("rule of the approved template", preflight(content, found))


def _refuse(rule: str, violations: Sequence[object]) -> None:
    if violations:
        rules = rule.replace("rule", "rules", 1) if len(violations) > 1 else rule
        title = f"The message breaks {len(violations)} {rules}"
        raise D360RequestError(
            Refusal(title, "Correct the message.", details="; ".join(map(str, violations)))
        )

"""The content of a message before any of it leaves: readable, within the limits, fit for its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.attachments import with_ids
from airflow_provider_d360.api.checks import messages as limits
from airflow_provider_d360.api.checks.preflight import preflight
from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail
from airflow_provider_d360.api.normalization import normalize
from airflow_provider_d360.messages import as_message, flatten_parameters

if TYPE_CHECKING:
    from airflow_provider_d360.api.endpoints.templates import Template
    from airflow_provider_d360.api.hosting import Hosting


def read_content(message: str | Mapping[str, Any], on_newline: str) -> dict[str, Any]:
    """
    Read the message of :meth:`D360Hook.send`, with numbers as text and names for documents.

    :param message: A text, or a message dict.
    :param on_newline: ``flatten`` turns newlines in the parameters of a template into spaces; ``error``
        leaves them to the check.
    :raises D360RequestError: when the message is neither, or ``on_newline`` is another word.
    """
    if on_newline not in ("error", "flatten"):
        raise D360RequestError(ErrorDetail(f"on_newline is {on_newline!r}", "Use 'error' or 'flatten'."))
    try:
        content = dict(normalize(as_message(message)))
    except TypeError as error:
        problem = str(error)
    else:
        return dict(flatten_parameters(content)) if on_newline == "flatten" else content
    raise D360RequestError(ErrorDetail(problem, "Give a text or a message dict."))


def check(content: Mapping[str, Any], hosting: Hosting) -> None:
    """
    Check a message against the documented limits, before a file of it is uploaded.

    :param content: The message.
    :param hosting: The hosting that it goes to.
    :raises D360RequestError: naming all that WhatsApp would refuse.
    """
    _raise_for("documented rule", limits.check(with_ids(content, lambda _: "0"), hosting))


def template_name(content: Mapping[str, Any]) -> str:
    """
    Return the name of the template to look up.

    :param content: The message.
    :raises D360RequestError: when it is no template message.
    """
    template = content.get("template")
    name = template.get("name") if isinstance(template, Mapping) else None
    if not isinstance(name, str):
        raise D360RequestError(ErrorDetail("preflight is for template messages", "Leave it out for others."))
    return name


def check_template(content: Mapping[str, Any], templates: Sequence[Template]) -> None:
    """
    Compare a message with the template that was approved.

    :param content: The message.
    :param templates: The templates of that name, in all languages.
    :raises D360RequestError: naming all that does not fit.
    """
    _raise_for("rule of the approved template", preflight(content, templates))


def _raise_for(rule: str, violations: Sequence[object]) -> None:
    if violations:
        rules = rule.replace("rule", "rules", 1) if len(violations) > 1 else rule
        title = f"The message breaks {len(violations)} {rules}"
        raise D360RequestError(
            ErrorDetail(title, "Correct the message.", details="; ".join(map(str, violations)))
        )

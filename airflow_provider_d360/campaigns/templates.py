"""The template of a campaign: it must be approved, and stay the one that was planned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.errors import request_error
from airflow_provider_d360.sending.templates import list_templates

if TYPE_CHECKING:
    from airflow_provider_d360.hooks.d360 import D360Hook


@dataclass(frozen=True, slots=True)
class ApprovedTemplate:
    """
    A template as WhatsApp has it now.

    :param category: ``AUTHENTICATION``, ``MARKETING`` or ``UTILITY``.
    :param digest: A hash of its components.
    """

    category: str
    digest: str


def approved_template(hook: D360Hook, message: Any) -> ApprovedTemplate | None:
    """
    Look the template of a message up; None for other messages, and where templates cannot be listed.

    :param hook: The hook of the connection.
    :param message: The message with its columns.
    :raises D360RequestError: when there is no such template, or when it is not approved.
    """
    template = message.get("template") if isinstance(message, Mapping) else None
    if not isinstance(template, Mapping) or hook.get_conn().settings.hosting.templates is None:
        return None
    name, language = template.get("name"), (template.get("language") or {}).get("code")
    known = [one for one in hook.run(list_templates, name=name) if one.name == name]
    found = next((one for one in known if one.language == language), None)
    if found is None:
        languages = ", ".join(sorted(one.language for one in known)) or "none"
        raise request_error(
            f"There is no template {name!r} in {language!r} (languages: {languages})",
            "Check the template's name and language, such as en or en_US, and its approval.",
        )
    if not found.approved:
        raise request_error(
            f"The template {name!r} in {language!r} is {found.status or 'not approved'}",
            "Use an approved template, or wait for its approval with D360TemplateSensor.",
        )
    components = json.dumps(found.components, sort_keys=True, default=dict)
    digest = hashlib.sha256(f"{found.category}{components}".encode()).hexdigest()[:32]
    return ApprovedTemplate(found.category, digest)

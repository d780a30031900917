"""
Templates: list, create, edit, delete.

There are two generations of endpoints. The older one exists on cloud and on-premise and does most; the newer
one, shaped like Meta's, is on cloud only and is needed to work with one template by its id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlencode

from airflow_provider_d360.api.checks.definitions import (
    check_category,
    check_components,
    check_definition,
    check_template_name,
)
from airflow_provider_d360.api.checks.identifiers import require_id
from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.reading import integer, json_object, objects, read_nothing, string
from airflow_provider_d360.api.wire import Call, Request, Response, json_request

_REFUSED = frozenset({"rejected", "disabled", "deleted", "pending_deletion", "archived"})
_FIELDS = "id,name,language,category,status,components,rejected_reason,quality_score,parameter_format"
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Template:
    """
    One template in one language.

    :param template_id: Its id; ``None`` if the response has none.
    :param name: Its name, the same in each of its languages.
    :param language: A code such as ``en_US``.
    :param category: ``AUTHENTICATION``, ``MARKETING`` or ``UTILITY``.
    :param status: In small letters: ``approved``, ``pending``, ``rejected``, ``paused``, ``disabled``, …
    :param components: Header, body, footer and buttons, as WhatsApp lists them.
    :param rejected_reason: Why it was rejected, if it was.
    :param quality: ``GREEN``, ``YELLOW``, ``RED`` or ``UNKNOWN``, if the response has it.
    :param namespace: The namespace that on-premise needs with each message.
    :param parameter_format: ``NAMED`` or ``POSITIONAL``, if the response has it.
    """

    template_id: str | None
    name: str
    language: str
    category: str = ""
    status: str = ""
    components: tuple[Mapping[str, object], ...] = field(default=(), repr=False)
    rejected_reason: str | None = None
    quality: str | None = None
    namespace: str | None = None
    parameter_format: str | None = None

    @property
    def approved(self) -> bool:
        """Whether it may be sent."""
        return self.status == "approved"

    def summary(self) -> dict[str, str | None]:
        """Return it without its components, small enough for an XCom."""
        return {
            "id": self.template_id,
            "name": self.name,
            "language": self.language,
            "category": self.category,
            "status": self.status,
            "rejected_reason": self.rejected_reason,
            "quality": self.quality,
        }


@dataclass(frozen=True, slots=True)
class TemplatePage:
    """
    One page of a list.

    :param templates: The templates on it.
    :param next: The call that gets the next page; ``None`` on the last.
    """

    templates: tuple[Template, ...]
    next: Call[TemplatePage] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    The state of a template's approval.

    :param state: ``approved``, ``refused`` for good, or ``waiting``.
    :param reason: One sentence about it.
    :param template_id: The template's id, once it is known.
    :param category: The template's category, once it is known. WhatsApp may have changed it.
    """

    state: Literal["approved", "refused", "waiting"]
    reason: str
    template_id: str | None = None
    category: str | None = None


def list_templates(
    hosting: Hosting,
    *,
    name: str | None = None,
    status: str | None = None,
    language: str | None = None,
    limit: int = _MOST,
    offset: int = 0,
) -> Call[TemplatePage]:
    """
    List templates, page by page; all of them without a filter.

    :param hosting: The hosting of the account; not the sandbox.
    :param name: Only templates with this name.
    :param status: Only those with this status, in any case.
    :param language: Only those in this language.
    :param limit: The most templates of a page.
    :param offset: How many templates to skip.
    """
    path = hosting.need(hosting.templates, "list of templates")
    query: dict[str, object] = {"limit": limit, "offset": offset}
    if name is not None:
        # The others are not sent: the case of a status varies, and how a filter treats it is not documented.
        query["filters"] = json.dumps({"business_templates.name": name}, separators=(",", ":"))
    filters = {"name": name, "status": status and status.lower(), "language": language}

    def read(response: Response) -> TemplatePage:
        body = json_object(response)
        rows = [_template(item) for item in objects(body.get("waba_templates"))]
        seen, total = offset + len(rows), integer(body.get("total"))
        more = bool(rows) and (len(rows) >= limit if total is None else seen < total)
        following = list_templates(
            hosting, name=name, status=status, language=language, limit=limit, offset=seen
        )
        return TemplatePage(_fitting(rows, filters), following if more else None)

    return Call(json_request("GET", f"{path}?{_query(query)}"), read, repeatable=True)


def get_template(hosting: Hosting, template_id: str) -> Call[Template]:
    """
    Read one template.

    :param hosting: The hosting of the account; cloud only.
    :param template_id: The template's id.
    """
    path = _by_id(hosting, template_id)
    return Call(json_request("GET", f"{path}?{_query({'fields': _FIELDS})}"), _read_one, repeatable=True)


def create_template(
    hosting: Hosting,
    name: str,
    language: str,
    category: str,
    components: Sequence[Mapping[str, object]],
    **more: object,
) -> Call[Template]:
    """
    Create a template, which WhatsApp then reviews. Repeatable: the second one is refused as a duplicate.

    :param hosting: The hosting of the account; not the sandbox.
    :param name: Small letters, digits and underscores; at most 512.
    :param language: A code such as ``en_US``.
    :param category: ``AUTHENTICATION``, ``MARKETING`` or ``UTILITY``.
    :param components: Header, body, footer and buttons, in WhatsApp's JSON.
    :param more: What else the endpoint takes, such as ``allow_category_change`` or
        ``message_send_ttl_seconds``. ``parameter_format`` is set by itself where placeholders have names.
    :raises D360RequestError: when the definition is certain to be rejected.
    """
    path = hosting.need(hosting.templates, "way to create templates")
    needed = check_definition(name, language, category, components, more)
    body = {
        "name": name,
        "language": language,
        "category": category,
        "components": [dict(component) for component in components],
        **needed,
        **more,
    }

    def read(response: Response) -> Template:
        return _template({**body, "status": "pending", **json_object(response)})

    return Call(_posted(path, body), read, repeatable=True, public=lambda: frozenset({name, language}))


def edit_template(
    hosting: Hosting,
    template_id: str,
    *,
    components: Sequence[Mapping[str, object]] | None = None,
    category: str | None = None,
    **more: object,
) -> Call[None]:
    """
    Change a template, which is reviewed again; cloud only. Once a day, ten times in thirty days.

    :param hosting: The hosting of the account; cloud only.
    :param template_id: The template's id.
    :param components: All its components, the new ones and those that stay.
    :param category: The new category; only of a template that is not approved.
    :param more: What else the endpoint takes, such as ``message_send_ttl_seconds``.
    :raises D360RequestError: when an argument is missing or invalid, or no change is given.
    """
    path = _by_id(hosting, template_id)
    body: dict[str, object] = dict(more)
    if components is not None:
        body["components"] = [dict(component) for component in check_components(components)]
    if category is not None:
        body["category"] = check_category(category)
    if not body or body.get("components") == []:
        title = "components is empty" if "components" in body else "The template would stay as it is"
        raise D360RequestError(ErrorDetail(title, "Give all components of the template, or a category."))
    return Call(_posted(path, body), read_nothing, repeatable=True)


def delete_template(hosting: Hosting, name: str, *, template_id: str | None = None) -> Call[None]:
    """
    Delete a template in every language, or in one. Its name cannot be used again for thirty days.

    :param hosting: The hosting of the account; not the sandbox.
    :param name: The template's name.
    :param template_id: Delete only the language that has this id; cloud only.
    """
    check_template_name(name)
    if template_id is None:
        path = hosting.need(hosting.templates, "way to delete templates")
        request = json_request("DELETE", f"{path}/{quote(name, safe='')}")
    else:
        path = hosting.need(hosting.message_templates, "way to delete a template by its id")
        request = json_request("DELETE", f"{path}?{_query({'hsm_id': template_id, 'name': name})}")
    return Call(request, read_nothing, repeatable=True, public=lambda: frozenset({name}))


def judge(templates: Iterable[Template], name: str, language: str) -> Verdict:
    """
    Decide whether a template may be sent, has to be waited for, or never will be approved.

    :param templates: The templates of that name, in all languages; templates of other names are ignored.
    :param name: The template's name.
    :param language: The code of one of its languages.
    """
    known = {template.language: template for template in templates if template.name == name}
    template = known.get(language)
    if template is None:
        others = f"it exists in {', '.join(sorted(known))}" if known else "there is none of that name"
        return Verdict("waiting", f"Template {name} is not there in {language}; {others}")
    what = f"Template {name} in {language} is {template.status or 'without a status'}"
    state: Literal["approved", "refused", "waiting"] = "waiting"
    if template.approved:
        state = "approved"
    elif template.status in _REFUSED:
        state = "refused"
        what += f": {template.rejected_reason}" if template.rejected_reason else ""
    return Verdict(state, what, template.template_id, template.category or None)


def changed_category(category: str | None, now: str | None) -> str | None:
    """
    Describe a category that WhatsApp changed, which changes prices and limits; ``None`` if it did not.

    :param category: The category that was asked for; ``None`` for any.
    :param now: The category that the template has; ``None`` or empty if the response has none.
    """
    if not category or not now or category.upper() == now.upper():
        return None
    return f"WhatsApp changed the category from {category.upper()} to {now.upper()}"


def _by_id(hosting: Hosting, template_id: str) -> str:
    path = hosting.need(hosting.message_templates, "template by its id")
    require_id("template_id", template_id, "Give the id that creating or listing returned.")
    return f"{path}/{quote(template_id, safe='')}"


def _posted(path: str, body: Mapping[str, object]) -> Request:
    try:
        return json_request("POST", path, body)
    except (TypeError, ValueError, RecursionError):
        title = "The template holds something that JSON cannot express"
    raise D360RequestError(ErrorDetail(title, "Render it to text or a plain number before."))


def _query(values: Mapping[str, object]) -> str:
    return urlencode({name: value for name, value in values.items() if value is not None}, quote_via=quote)


def _fitting(rows: Iterable[Template], filters: Mapping[str, str | None]) -> tuple[Template, ...]:
    """Filter once more on this side: the service ignores filters that it does not know."""
    conditions = {name: value for name, value in filters.items() if value is not None}
    return tuple(
        row for row in rows if all(getattr(row, name) == value for name, value in conditions.items())
    )


def _template(item: Mapping[str, object]) -> Template:
    quality = item.get("quality_score")
    score = string(quality.get("score")) if isinstance(quality, Mapping) else string(quality)
    reason = string(item.get("rejected_reason")) or ""
    return Template(
        template_id=string(item.get("id")),
        name=string(item.get("name")) or "",
        language=string(item.get("language")) or "",
        category=(string(item.get("category")) or "").upper(),
        status=(string(item.get("status")) or "").lower(),
        components=tuple(objects(item.get("components"))),
        rejected_reason=None if reason.upper() in ("", "NONE") else reason,
        quality=score and score.upper(),
        namespace=string(item.get("namespace")),
        parameter_format=(string(item.get("parameter_format")) or "").upper() or None,
    )


def _read_one(response: Response) -> Template:
    template = _template(json_object(response))
    if not template.name:
        raise ValueError("it holds no template")
    return template

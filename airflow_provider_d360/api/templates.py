"""
Templates: what WhatsApp has approved, or is asked to approve.

Two generations of endpoints live side by side. The older one exists on cloud and on-premise and does most;
the newer one, shaped like Meta's, is on cloud only and is needed to work with one template by its id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlencode

from airflow_provider_d360.api.errors import D360RequestError, Refusal
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.reading import child, integer, json_object, objects, string
from airflow_provider_d360.api.results import read_nothing
from airflow_provider_d360.api.wire import Call, Request, Response, json_request

_REFUSED = frozenset({"rejected", "disabled", "deleted", "pending_deletion", "archived"})
_FIELDS = "id,name,language,category,status,components,rejected_reason,quality_score,parameter_format"
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Template:
    """
    One template in one language.

    :param template_id: Its id.
    :param name: Its name; it has one in each of its languages.
    :param language: A code such as ``en_US``.
    :param category: ``AUTHENTICATION``, ``MARKETING`` or ``UTILITY``.
    :param status: In small letters: ``approved``, ``pending``, ``rejected``, ``paused``, ``disabled``, …
    :param components: What it consists of, as WhatsApp writes it.
    :param rejected_reason: Why it was rejected, if it was.
    :param quality: ``GREEN``, ``YELLOW``, ``RED`` or ``UNKNOWN``, when it was told.
    :param namespace: Whose it is; on-premise wants it with each message.
    :param parameter_format: ``NAMED`` or ``POSITIONAL``, when it was told.
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
        return self.status == "approved"

    def summary(self) -> dict[str, str | None]:
        """Write it without its components, small enough for an XCom."""
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

    :param templates: What is on it.
    :param next: The call that gets the next page; ``None`` on the last.
    """

    templates: tuple[Template, ...]
    next: Call[TemplatePage] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    How far the approval of a template has come.

    :param state: ``approved``, ``refused`` for good, or ``waiting``.
    :param reason: What there is to say about it.
    :param template_id: The template's id, once it is known.
    """

    state: Literal["approved", "refused", "waiting"]
    reason: str
    template_id: str | None = None


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
    List templates, page by page; all of them when nothing is asked for.

    :param name: Only those of this name.
    :param status: Only those with this status, in whatever case.
    :param language: Only those in this language.
    :param limit: How many a page may have.
    :param offset: How many to pass over.
    """
    path = hosting.need(hosting.templates, "list of templates")
    query: dict[str, object] = {"limit": limit, "offset": offset}
    if name is not None:
        # The others are not sent: the case of a status varies, and what a filter does with it is not said.
        query["filters"] = json.dumps({"business_templates.name": name}, separators=(",", ":"))
    wanted = {"name": name, "status": status and status.lower(), "language": language}

    def read(response: Response) -> TemplatePage:
        body = json_object(response)
        rows = [_template(item) for item in objects(body.get("waba_templates"))]
        seen, total = offset + len(rows), integer(body.get("total"))
        more = bool(rows) and (len(rows) >= limit if total is None else seen < total)
        following = list_templates(
            hosting, name=name, status=status, language=language, limit=limit, offset=seen
        )
        return TemplatePage(_fitting(rows, wanted), following if more else None)

    return Call(json_request("GET", f"{path}?{_query(query)}"), read, repeatable=True)


def list_message_templates(
    hosting: Hosting,
    *,
    name: str | None = None,
    status: str | None = None,
    language: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Call[TemplatePage]:
    """
    List templates the newer way, with quality and parameter format; cloud only.

    :param after: Where the page before ended. The other parameters are those of :func:`list_templates`.
    """
    path = hosting.need(hosting.message_templates, "Meta-shaped templates")
    query = {"limit": limit, "after": after, "name": name, "language": language, "fields": _FIELDS}
    wanted = {"name": name, "status": status and status.lower(), "language": language}

    def read(response: Response) -> TemplatePage:
        body = json_object(response)
        rows = [_template(item) for item in objects(body.get("data"))]
        paging = body.get("paging")
        cursor = string(child(paging, "cursors").get("after"))
        more = bool(rows) and cursor not in (None, after) and bool(child(body, "paging").get("next"))
        following = list_message_templates(
            hosting, name=name, status=status, language=language, limit=limit, after=cursor
        )
        return TemplatePage(_fitting(rows, wanted), following if more else None)

    return Call(json_request("GET", f"{path}?{_query(query)}"), read, repeatable=True)


def get_template(hosting: Hosting, template_id: str) -> Call[Template]:
    """Read one template by its id; cloud only."""
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
    Ask for the approval of a template. Repeatable: the second time it is a duplicate, and refused as one.

    :param name: Small letters, digits and underscores.
    :param language: A code such as ``en_US``.
    :param category: ``AUTHENTICATION``, ``MARKETING`` or ``UTILITY``.
    :param components: Header, body, footer and buttons, as WhatsApp writes them.
    :param more: What else the endpoint takes, such as ``allow_category_change``, ``parameter_format`` or
        ``message_send_ttl_seconds``.
    """
    path = hosting.need(hosting.templates, "way to create templates")
    body = {
        "name": name,
        "language": language,
        "category": category,
        "components": [dict(component) for component in components],
        **more,
    }

    def read(response: Response) -> Template:
        return _template({**body, "status": "pending", **json_object(response)})

    return Call(_posted(path, body), read, repeatable=True)


def edit_template(
    hosting: Hosting,
    template_id: str,
    *,
    components: Sequence[Mapping[str, object]] | None = None,
    category: str | None = None,
    **more: object,
) -> Call[None]:
    """
    Change a template, which has to be approved again; cloud only. Once a day, ten times in thirty days.

    :param components: The new components, all of them.
    :param category: The new category; only of a template that is not approved.
    """
    body: dict[str, object] = dict(more)
    if components is not None:
        body["components"] = [dict(component) for component in components]
    if category is not None:
        body["category"] = category
    return Call(_posted(_by_id(hosting, template_id), body), read_nothing, repeatable=True)


def delete_template(hosting: Hosting, name: str, *, template_id: str | None = None) -> Call[None]:
    """
    Delete a template in every language, or in one; its name is taken for another thirty days.

    :param template_id: Delete only the language that has this id; cloud only.
    """
    if template_id is None:
        path = hosting.need(hosting.templates, "way to delete templates")
        request = json_request("DELETE", f"{path}/{quote(name, safe='')}")
    else:
        path = hosting.need(hosting.message_templates, "way to delete a template by its id")
        request = json_request("DELETE", f"{path}?{_query({'hsm_id': template_id, 'name': name})}")
    return Call(request, read_nothing, repeatable=True)


def judge(templates: Iterable[Template], name: str, language: str) -> Verdict:
    """
    Say whether a template may be sent, has to be waited for, or never will be.

    :param templates: All that is known of that name; what has another name is passed over.
    """
    known = {template.language: template for template in templates if template.name == name}
    found = known.get(language)
    if found is None:
        there = f"it exists in {', '.join(sorted(known))}" if known else "there is none of that name"
        return Verdict("waiting", f"Template {name} is not there in {language}; {there}")
    what = f"Template {name} in {language} is {found.status or 'without a status'}"
    if found.approved:
        return Verdict("approved", what, found.template_id)
    if found.status in _REFUSED:
        reason = f": {found.rejected_reason}" if found.rejected_reason else ""
        return Verdict("refused", what + reason, found.template_id)
    return Verdict("waiting", what, found.template_id)


def same_content(one: Iterable[Mapping[str, object]], other: Iterable[Mapping[str, object]]) -> bool:
    """Tell whether two definitions say the same, whatever the case of their types and their examples."""
    return _content(list(one)) == _content(list(other))


def _content(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            key: item.upper() if key in ("type", "format") and isinstance(item, str) else _content(item)
            for key, item in value.items()
            if key != "example" and item is not None
        }
    return [_content(item) for item in value] if isinstance(value, list | tuple) else value


def _by_id(hosting: Hosting, template_id: str) -> str:
    path = hosting.need(hosting.message_templates, "template by its id")
    return f"{path}/{quote(template_id, safe='')}"


def _posted(path: str, body: Mapping[str, object]) -> Request:
    try:
        return json_request("POST", path, body)
    except (TypeError, ValueError, RecursionError):
        title = "The template holds something that JSON cannot express"
        raise D360RequestError(Refusal(title, "Render it to text or a plain number before.")) from None


def _query(values: Mapping[str, object]) -> str:
    return urlencode({name: value for name, value in values.items() if value is not None}, quote_via=quote)


def _fitting(rows: Iterable[Template], wanted: Mapping[str, str | None]) -> tuple[Template, ...]:
    """Filter once more on this side: a filter that is not understood is not refused but passed over."""
    asked = {name: value for name, value in wanted.items() if value is not None}
    return tuple(row for row in rows if all(getattr(row, name) == value for name, value in asked.items()))


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

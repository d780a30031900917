"""Endpoints of templates, both generations of them, and the review that a template goes through."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, Hosting
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.answers import RefusedError, answer, gateway_error
from airflow_provider_d360.emulator.bodies import INVALID, INVALID_BODY, MISSING, Problem
from airflow_provider_d360.emulator.records import JSONObject
from airflow_provider_d360.emulator.routes import Asked, Route

NAMESPACE = "c8ae5f90_307a_ca4c_b8f6_d1e2a2573574"
COUNT_MISMATCH = Problem(132000, 2000)
NO_SUCH_TEMPLATE = Problem(132001, 2001)
DUPLICATE = Problem(100, 1004)
_CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")


@dataclass(slots=True)
class StoredTemplate:
    """
    One template in one language.

    :param template_id: Its id.
    :param hosting: Whose account it belongs to: each hosting has one.
    :param content: The body that it was created with.
    :param status: ``pending``, ``approved``, ``rejected`` or what a test sets.
    :param rejected_reason: Why it is going to be rejected; empty when it is going to be approved.
    :param due: When its review ends, on the monotonic clock.
    :param pending_reads: How many reads do not show the end of its review yet.
    """

    template_id: str
    hosting: Hosting
    content: JSONObject
    status: str = "pending"
    rejected_reason: str = ""
    due: float = 0.0
    pending_reads: int = 0

    @property
    def name(self) -> str:
        return str(self.content["name"])

    @property
    def language(self) -> str:
        return str(self.content["language"])

    def look(self) -> str:
        """Read the status, as somebody who asks for it: late."""
        if self.status == "pending" and time.monotonic() >= self.due:
            if self.pending_reads > 0:
                self.pending_reads -= 1
            else:
                self.status = "rejected" if self.rejected_reason else "approved"
        return self.status


@dataclass(slots=True)
class Shelf:
    """
    What is kept of templates, and how they are reviewed.

    :param stored: The templates.
    :param review_seconds: How long a review takes at least.
    :param pending_reads: How many reads still show a template as pending.
    :param rejections: Reasons by names of templates, where ``*`` matches as in a shell.
    """

    stored: list[StoredTemplate] = field(default_factory=list)
    review_seconds: float = 0.0
    pending_reads: int = 1
    rejections: dict[str, str] = field(default_factory=dict)

    def add(
        self, content: JSONObject, *, hosting: Hosting = CLOUD, status: str | None = None
    ) -> StoredTemplate:
        """
        Take a template in, as if it were created over the API.

        :param content: ``name``, ``language``, ``category`` and ``components``.
        :param status: A status that it has at once, without a review.
        """
        template = StoredTemplate(str(10**14 + secrets.randbelow(10**14)), hosting, content)
        self.review(template)
        template.status = status or template.status
        self.stored.append(template)
        return template

    def review(self, template: StoredTemplate) -> None:
        """Begin to review a template."""
        reasons = (reason for name, reason in self.rejections.items() if fnmatchcase(template.name, name))
        template.status, template.rejected_reason = "pending", next(reasons, "")
        template.due = time.monotonic() + self.review_seconds
        template.pending_reads = self.pending_reads


def get_templates(asked: Asked) -> Response:
    """List templates the older way: offset, limit, sort and filters."""
    query = _query(asked)
    try:
        filters = json.loads(query.get("filters", "{}"))
        limit, offset = int(query.get("limit", "1000")), int(query.get("offset", "0"))
        items = [_item(template) for template in _of_account(asked) if _fits(template, filters)]
    except (ValueError, AttributeError):
        raise RefusedError(gateway_error(400, "limit, offset or filters cannot be read")) from None
    page = items[offset : offset + limit]
    body = {"filters": filters, "limit": limit, "offset": offset, "sort": ["id"], "total": len(items)}
    return answer(200, {"count": len(page), **body, "waba_templates": page})


def post_template(asked: Asked) -> Response:
    """Take a template in for review."""
    body = _body(asked)
    for name in ("name", "category", "language", "components"):
        if not body.get(name):
            MISSING.refuse(asked.hosting, f"The parameter {name} is required")
    if not re.fullmatch(r"[a-z0-9_]{1,512}", str(body["name"])):
        INVALID_BODY.refuse(asked.hosting, "name may hold small letters, digits and underscores")
    if body["category"] not in _CATEGORIES or not isinstance(body["components"], list):
        INVALID_BODY.refuse(asked.hosting, f"category must be one of {', '.join(_CATEGORIES)}")
    if any(known.name == body["name"] and known.language == body["language"] for known in _of_account(asked)):
        DUPLICATE.refuse(asked.hosting, "Content in this language already exists for this template")
    template = asked.emulator.templates.add(body, hosting=asked.hosting)
    if asked.hosting is ON_PREMISE:
        known = {"id": template.template_id, "namespace": NAMESPACE, "status": "submitted"}
        return answer(201, {**template.content, **known})
    return answer(201, {"id": template.template_id, "status": "PENDING", "category": body["category"]})


def delete_template(asked: Asked) -> Response:
    """Delete every language of a name."""
    name = asked.parts["name"]
    if not _remove(asked, name, None):
        raise RefusedError(gateway_error(404, "Template not found"))
    said = {"developer_message": f"template name={name} was deleted", "http_code": 200, "success": True}
    return answer(200, {"meta": said})


def get_message_templates(asked: Asked) -> Response:
    """List templates the newer way: page after page."""
    query = _query(asked)
    found = [
        template
        for template in _of_account(asked)
        if query.get("name", template.name) in template.name
        and query.get("language", template.language) == template.language
    ]
    limit, after = int(query.get("limit", "25")), query.get("after", "0")
    start = int(after) if after.isdecimal() else 0
    end = start + limit
    paging: JSONObject = {"cursors": {"before": str(start), "after": str(end)}}
    if end < len(found):
        paging["next"] = f"https://graph.facebook.com/v23.0/message_templates?limit={limit}&after={end}"
    return answer(200, {"data": [_meta_item(template) for template in found[start:end]], "paging": paging})


def get_message_template(asked: Asked) -> Response:
    """Read one template."""
    return answer(200, _meta_item(_template(asked)))


def post_message_template(asked: Asked) -> Response:
    """Change one template, which is reviewed again then."""
    template, body = _template(asked), _body(asked)
    if not body.get("components") and not body.get("category"):
        MISSING.refuse(asked.hosting, "components or category is required")
    if "category" in body and template.status == "approved":
        INVALID.refuse(asked.hosting, "The category of an approved template cannot be changed")
    template.content = {**template.content, **body}
    asked.emulator.templates.review(template)
    return answer(200, {"success": True})


def delete_message_template(asked: Asked) -> Response:
    """Delete a template by its name, or one language of it by its id as well."""
    query = _query(asked)
    if not _remove(asked, query.get("name", ""), query.get("hsm_id")):
        NO_SUCH_TEMPLATE.refuse(asked.hosting, "There is no such template")
    return answer(200, {"success": True})


def check_sent(asked: Asked, content: Mapping[str, Any]) -> None:
    """
    Refuse a template message that does not fit its template.

    Templates that were never created here pass, unless ``emulator.strict_templates`` is set.
    """
    known = [template for template in _of_account(asked) if template.name == content["name"]]
    if not known and not asked.emulator.strict_templates:
        return
    language = content["language"]["code"]
    found = [one for one in known if one.language == language and one.look() == "approved"]
    if not found:
        NO_SUCH_TEMPLATE.refuse(
            asked.hosting, f"template name ({content['name']}) does not exist in {language}"
        )
    given = {
        str(component.get("type", "")).lower(): len(component.get("parameters") or ())
        for component in content.get("components") or ()
    }
    for part in found[0].content["components"]:
        kind, blanks = (
            str(part.get("type", "")).lower(),
            len(set(re.findall(r"{{.+?}}", part.get("text", "")))),
        )
        if kind in ("header", "body") and "text" in part and given.get(kind, 0) != blanks:
            said = f"{kind}: number of localizable_params ({given.get(kind, 0)}) does not match {blanks}"
            COUNT_MISMATCH.refuse(asked.hosting, said)


ROUTES = (
    Route("GET", "/v1/configs/templates", (CLOUD, ON_PREMISE), get_templates),
    Route("POST", "/v1/configs/templates", (CLOUD, ON_PREMISE), post_template),
    Route("DELETE", "/v1/configs/templates/{name}", (CLOUD, ON_PREMISE), delete_template),
    Route("GET", "/message_templates", (CLOUD,), get_message_templates),
    Route("DELETE", "/message_templates", (CLOUD,), delete_message_template),
    Route("GET", "/message_templates/{template_id}", (CLOUD,), get_message_template),
    Route("POST", "/message_templates/{template_id}", (CLOUD,), post_message_template),
)


def _query(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.request.path.partition("?")[2]).items()}


def _body(asked: Asked) -> JSONObject:
    try:
        return asked.json()
    except ValueError:
        INVALID_BODY.refuse(asked.hosting, "The body is not a JSON object")


def _of_account(asked: Asked) -> list[StoredTemplate]:
    return [one for one in asked.emulator.templates.stored if one.hosting is asked.hosting]


def _template(asked: Asked) -> StoredTemplate:
    found = [one for one in _of_account(asked) if one.template_id == asked.parts["template_id"]]
    return found[0] if found else INVALID_BODY.refuse(asked.hosting, "Object with this ID does not exist")


def _remove(asked: Asked, name: str, template_id: str | None) -> bool:
    gone = [one for one in _of_account(asked) if one.name == name and template_id in (None, one.template_id)]
    stored = asked.emulator.templates.stored
    stored[:] = [one for one in stored if one not in gone]
    return bool(gone)


def _fits(template: StoredTemplate, filters: Mapping[str, str]) -> bool:
    actual = {
        "id": template.template_id,
        "business_templates.name": template.name,
        "status": template.status,
        "category": template.content["category"],
        "language": template.language,
    }
    return all(actual.get(name, value) == value for name, value in filters.items())


def _item(template: StoredTemplate) -> JSONObject:
    return {
        **template.content,
        "id": template.template_id,
        "namespace": NAMESPACE,
        "status": template.look(),
        "rejected_reason": template.rejected_reason if template.status == "rejected" else "NONE",
    }


def _meta_item(template: StoredTemplate) -> JSONObject:
    item = {**_item(template), "status": template.status.upper(), "quality_score": {"score": "UNKNOWN"}}
    del item["namespace"]
    return {"parameter_format": "POSITIONAL", **item}

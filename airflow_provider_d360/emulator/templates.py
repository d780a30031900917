"""Endpoints of templates, in the older and the newer form, and the check of template messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.definition_rules import check_category, check_components, check_definition
from airflow_provider_d360.emulator.records import JSONObject
from airflow_provider_d360.emulator.responses import (
    DUPLICATE,
    INVALID,
    INVALID_BODY,
    MISSING,
    NO_SUCH_TEMPLATE,
    TEMPLATE_DISABLED,
    TEMPLATE_PAUSED,
    RejectedError,
    gateway_error,
    json_response,
)
from airflow_provider_d360.emulator.routes import RequestContext, Route
from airflow_provider_d360.emulator.template_fit import check_fit
from airflow_provider_d360.emulator.template_store import NAMESPACE, StoredTemplate

_SUSPENDED = {"paused": TEMPLATE_PAUSED, "disabled": TEMPLATE_DISABLED}


def _get_templates(context: RequestContext) -> Response:
    """List templates in the older form, with offset, limit and filters."""
    query = context.query
    try:
        filters = json.loads(query.get("filters", "{}"))
        limit, offset = int(query.get("limit", "1000")), int(query.get("offset", "0"))
        items = [item for item in _listed(context) if _matches(item, filters)]
    except (ValueError, AttributeError):
        items = None
    if items is None:
        raise RejectedError(gateway_error(400, "limit, offset or filters cannot be read"))
    if limit < 0 or offset < 0:
        raise RejectedError(gateway_error(400, "limit and offset may not be negative"))
    page = items[offset : offset + limit]
    body = {"filters": filters, "limit": limit, "offset": offset, "sort": ["id"], "total": len(items)}
    return json_response(200, {"count": len(page), **body, "waba_templates": page})


def _post_template(context: RequestContext) -> Response:
    """Create a template; its review starts."""
    body = context.json()
    check_definition(body)
    if any(one.name == body["name"] and one.language == body["language"] for one in _of_account(context)):
        DUPLICATE.reject("Content in this language already exists for this template")
    template = context.state.templates.add(body, hosting=context.hosting)
    if context.hosting is ON_PREMISE:
        known = {"id": template.template_id, "namespace": NAMESPACE, "status": "submitted"}
        return json_response(201, {**template.content, **known})
    return json_response(201, {"id": template.template_id, "status": "PENDING", "category": body["category"]})


def _delete_template(context: RequestContext) -> Response:
    """Delete a template in all languages."""
    name = context.path_values["name"]
    if not _delete(context, name, None):
        raise RejectedError(gateway_error(404, "Template not found"))
    message = {"developer_message": f"template name={name} was deleted", "http_code": 200, "success": True}
    return json_response(200, {"meta": message})


def _get_message_template(context: RequestContext) -> Response:
    """Return one template."""
    return json_response(200, _newer_form(context.state.templates.listed(_template(context))))


def _post_message_template(context: RequestContext) -> Response:
    """Change a template; its review starts again."""
    template, body = _template(context), context.json()
    if not body.get("components") and not body.get("category"):
        MISSING.reject("components or category is required")
    if "category" in body:
        check_category(body["category"])
        if template.status == "approved":
            INVALID.reject("The category of an approved template cannot be changed")
    content = {**template.content, **body}
    check_components(content["components"], content["category"], content.get("parameter_format"))
    template.content = content
    context.state.templates.review(template)
    return json_response(200, {"success": True})


def _delete_message_template(context: RequestContext) -> Response:
    """Delete a template by its name; with ``hsm_id``, in one language only."""
    if not _delete(context, context.query.get("name", ""), context.query.get("hsm_id")):
        NO_SUCH_TEMPLATE.reject("There is no such template")
    return json_response(200, {"success": True})


def check_template_message(context: RequestContext, content: Mapping[str, Any]) -> None:
    """
    Check that a template message fits its template.

    Messages for a name that was never created here are not checked, except when ``strict`` is set.

    :param context: The request.
    :param content: The value of ``template``, already checked by itself.
    :raises InvalidError: when the template is missing, not approved, or does not fit.
    """
    known = [one for one in _of_account(context) if one.name == content["name"]]
    if not known and not context.state.strict:
        return
    language = content["language"]["code"]
    template = next((one for one in known if one.language == language), None)
    status = template.read_status().lower() if template else None
    if status in _SUSPENDED:
        _SUSPENDED[status].reject(f"Template {content['name']} is {status}")
    if template is None or status != "approved":
        NO_SUCH_TEMPLATE.reject(f"template name ({content['name']}) does not exist in {language}")
    check_fit(content.get("components") or [], template.content["components"])


ROUTES = (
    Route("GET", "/v1/configs/templates", (CLOUD, ON_PREMISE), _get_templates),
    Route("POST", "/v1/configs/templates", (CLOUD, ON_PREMISE), _post_template),
    Route("DELETE", "/v1/configs/templates/{name}", (CLOUD, ON_PREMISE), _delete_template),
    Route("DELETE", "/message_templates", (CLOUD,), _delete_message_template),
    Route("GET", "/message_templates/{template_id}", (CLOUD,), _get_message_template),
    Route("POST", "/message_templates/{template_id}", (CLOUD,), _post_message_template),
)


def _of_account(context: RequestContext) -> list[StoredTemplate]:
    return [one for one in context.state.templates.stored if one.hosting is context.hosting]


def _listed(context: RequestContext) -> list[JSONObject]:
    return [context.state.templates.listed(one) for one in _of_account(context)]


def _template(context: RequestContext) -> StoredTemplate:
    template_id = context.path_values["template_id"]
    template = next((one for one in _of_account(context) if one.template_id == template_id), None)
    return template or INVALID_BODY.reject("Object with this ID does not exist")


def _delete(context: RequestContext, name: str, template_id: str | None) -> bool:
    deleted = [
        one for one in _of_account(context) if one.name == name and template_id in (None, one.template_id)
    ]
    stored = context.state.templates.stored
    stored[:] = [one for one in stored if one not in deleted]
    return bool(deleted)


def _matches(item: JSONObject, filters: Mapping[str, str]) -> bool:
    actual = {**item, "business_templates.name": item["name"]}
    keys = ("id", "business_templates.name", "status", "category", "language")
    return all(actual[key] == filters.get(key, actual[key]) for key in keys)


def _newer_form(item: JSONObject) -> JSONObject:
    newer = {"parameter_format": "POSITIONAL", **item, "status": item["status"].upper()}
    del newer["namespace"]
    return {**newer, "quality_score": {"score": "UNKNOWN"}}

"""Endpoints of the business profile and of blocked users."""

from __future__ import annotations

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.content_rules import URL
from airflow_provider_d360.emulator.message_rules import canonical, check_product
from airflow_provider_d360.emulator.records import AccountSettings, JSONObject
from airflow_provider_d360.emulator.responses import MISSING, ON_PREMISE_META, json_response
from airflow_provider_d360.emulator.routes import RequestContext, Route
from airflow_provider_d360.emulator.schema import array, every, matching, record, string

_TEXT = string(256, least=0)
# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-profiles
_PROFILE = record(
    None,
    {
        "messaging_product": string(),
        "about": string(139),
        "address": _TEXT,
        "description": string(512, least=0),
        "email": every(string(128, least=0), matching(r"([^@\s]+@[^@\s]+\.[^@\s]+)?", "an e-mail address")),
        "profile_picture_handle": string(),
        "vertical": string(least=0),
        "websites": array(every(_TEXT, URL), 0, 2),
    },
)


def _get_profile(context: RequestContext) -> Response:
    """Return the requested fields of the profile."""
    fields = context.query.get("fields", "").split(",")
    profile = {name: value for name, value in _settings(context).profile.items() if name in fields}
    return json_response(200, {"data": [{**profile, "messaging_product": "whatsapp"}]})


def _post_profile(context: RequestContext) -> Response:
    """Change the given fields of the profile."""
    body = context.json()
    check_product(context.hosting, body)
    _PROFILE(body, "")
    del body["messaging_product"]
    if "profile_picture_handle" in body:
        body["profile_picture_url"] = f"https://pps.whatsapp.net/{body.pop('profile_picture_handle')}"
    _settings(context).profile.update(body)
    return json_response(200, {"success": True})


def _get_on_premise_profile(context: RequestContext) -> Response:
    """Return the profile in the form of on-premise."""
    profile = _settings(context).profile
    return json_response(200, {"settings": {"business": {"profile": profile}}, "meta": ON_PREMISE_META})


def _post_on_premise_profile(context: RequestContext) -> Response:
    """Change the given fields of the profile on-premise."""
    _settings(context).profile.update(context.json())
    return json_response(200, {"meta": ON_PREMISE_META})


def _post_contact_block(context: RequestContext) -> Response:
    """Block one user on-premise."""
    _settings(context).blocked.append(context.path_values["number"])
    return json_response(200, {"meta": ON_PREMISE_META})


def _post_blocked(context: RequestContext) -> Response:
    """Block users. Invalid users are reported in ``failed_users``; the rest are blocked."""
    users = _users(context)
    added = [user for user in users if user.isdecimal() or "." in user]
    failed = [user for user in users if user not in added]
    settings = _settings(context)
    settings.blocked += [user for user in added if user not in settings.blocked]
    outcome: JSONObject = {"added_users": [{"input": user, **_user(user)} for user in added]}
    if failed:
        error = {"code": 139103, "message": "Failed to block user"}
        outcome["failed_users"] = [{"input": user, "errors": [error]} for user in failed]
    return json_response(200, {"messaging_product": "whatsapp", "block_users": outcome})


def _delete_blocked(context: RequestContext) -> Response:
    """Unblock users."""
    users, settings = _users(context), _settings(context)
    settings.blocked = [user for user in settings.blocked if user not in users]
    outcome = {"removed_users": [{"input": user, **_user(user)} for user in users]}
    return json_response(200, {"messaging_product": "whatsapp", "block_users": outcome})


ROUTES = (
    Route("GET", "/whatsapp_business_profile", (CLOUD,), _get_profile),
    Route("POST", "/whatsapp_business_profile", (CLOUD,), _post_profile),
    Route("GET", "/v1/settings/business/profile", (ON_PREMISE,), _get_on_premise_profile),
    Route("POST", "/v1/settings/business/profile", (ON_PREMISE,), _post_on_premise_profile),
    Route("POST", "/v1/contacts/{number}/block", (ON_PREMISE,), _post_contact_block),
    Route("POST", "/block_users", (CLOUD,), _post_blocked),
    Route("DELETE", "/block_users", (CLOUD,), _delete_blocked),
)


def _settings(context: RequestContext) -> AccountSettings:
    return context.state.settings[context.number.key]


def _users(context: RequestContext) -> list[str]:
    body = context.json()
    check_product(context.hosting, body)
    users = body.get("block_users")
    if not isinstance(users, list) or not users or not all(isinstance(user, dict) for user in users):
        MISSING.reject("The parameter block_users is required.")
    return [canonical(str(user.get("user") or user.get("user_id"))) for user in users]


def _user(user: str) -> dict[str, str]:
    return {"wa_id": user} if user.isdecimal() else {"user_id": user}

"""Endpoints of what belongs to a number: profile, blocked users, conversational components."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.answers import ON_PREMISE_META, answer
from airflow_provider_d360.emulator.bodies import INVALID, INVALID_BODY, MISSING, canonical, check_product
from airflow_provider_d360.emulator.records import JSONObject
from airflow_provider_d360.emulator.routes import Asked, Route, header

MOST_COMMANDS = 30


@dataclass(slots=True)
class Settings:
    """
    What is set for one number.

    :param profile: The business profile.
    :param photo: The picture in it, as on-premise takes it.
    :param blocked: Whom the number has blocked.
    :param automation: How a chat begins.
    """

    profile: JSONObject = field(default_factory=dict)
    photo: bytes = b""
    blocked: list[str] = field(default_factory=list)
    automation: JSONObject = field(default_factory=dict)


def get_profile(asked: Asked) -> Response:
    """Read the profile, as far as its fields were asked for."""
    fields = parse_qs(asked.request.path.partition("?")[2]).get("fields", [""])[0].split(",")
    profile = {name: value for name, value in _settings(asked).profile.items() if name in fields}
    return answer(200, {"data": [{**profile, "messaging_product": "whatsapp"}]})


def post_profile(asked: Asked) -> Response:
    """Change the profile."""
    body = _body(asked)
    check_product(asked.hosting, body)
    del body["messaging_product"]
    if "profile_picture_handle" in body:
        body["profile_picture_url"] = f"https://pps.whatsapp.net/{body.pop('profile_picture_handle')}"
    _settings(asked).profile.update(body)
    return answer(200, {"success": True})


def get_on_premise_profile(asked: Asked) -> Response:
    """Read the profile, the on-premise way."""
    profile = {name: value for name, value in _settings(asked).profile.items() if name != "about"}
    return answer(200, {"settings": {"business": {"profile": profile}}, "meta": ON_PREMISE_META})


def post_on_premise_profile(asked: Asked) -> Response:
    """Change the profile, the on-premise way."""
    _settings(asked).profile.update(_body(asked))
    return answer(200, {"meta": ON_PREMISE_META})


def patch_about(asked: Asked) -> Response:
    """Change the *about* text."""
    text = _body(asked).get("text")
    if not isinstance(text, str):
        MISSING.refuse(asked.hosting, "text is required")
    _settings(asked).profile["about"] = text
    return answer(200, {"meta": ON_PREMISE_META})


def post_photo(asked: Asked) -> Response:
    """Change the picture."""
    if header(asked.request, "content-type") not in ("image/jpeg", "image/png"):
        INVALID.refuse(asked.hosting, "The picture must be image/jpeg or image/png")
    _settings(asked).photo = asked.request.body
    return answer(201, {"meta": ON_PREMISE_META})


def post_contact_block(asked: Asked) -> Response:
    """Block one person, the on-premise way."""
    _settings(asked).blocked.append(asked.parts["number"])
    return answer(200, {"meta": ON_PREMISE_META})


def get_blocked(asked: Asked) -> Response:
    """List who is blocked, page by page."""
    query = parse_qs(asked.request.path.partition("?")[2])
    limit, start = int(query.get("limit", ["25"])[0]), int(query.get("after", ["0"])[0])
    blocked = _settings(asked).blocked
    rows = [{"messaging_product": "whatsapp", **_named(user)} for user in blocked[start : start + limit]]
    cursors = {"before": str(start), "after": str(start + limit)} if start + limit < len(blocked) else {}
    return answer(200, {"data": rows, "paging": {"cursors": cursors}})


def post_blocked(asked: Asked) -> Response:
    """Block people; who is none is reported, and the others are blocked."""
    users = _users(asked)
    added = [user for user in users if user.isdecimal() or "." in user]
    failed = [user for user in users if user not in added]
    settings = _settings(asked)
    settings.blocked += [user for user in added if user not in settings.blocked]
    outcome: JSONObject = {"added_users": [{"input": user, **_named(user)} for user in added]}
    if failed:
        error = {"code": 139103, "message": "Failed to block user"}
        outcome["failed_users"] = [{"input": user, "errors": [error]} for user in failed]
    return answer(200, {"messaging_product": "whatsapp", "block_users": outcome})


def delete_blocked(asked: Asked) -> Response:
    """Unblock people."""
    users, settings = _users(asked), _settings(asked)
    settings.blocked = [user for user in settings.blocked if user not in users]
    outcome = {"removed_users": [{"input": user, **_named(user)} for user in users]}
    return answer(200, {"messaging_product": "whatsapp", "block_users": outcome})


def get_automation(asked: Asked) -> Response:
    """Read how a chat begins."""
    return answer(200, {"conversational_automation": _settings(asked).automation, "id": asked.number.digits})


def post_automation(asked: Asked) -> Response:
    """Set how a chat begins."""
    body = _body(asked)
    if len(body.get("commands") or ()) > MOST_COMMANDS:
        INVALID_BODY.refuse(asked.hosting, f"There may be {MOST_COMMANDS} commands")
    _settings(asked).automation = body
    return answer(200, {"success": True})


ROUTES = (
    Route("GET", "/whatsapp_business_profile", (CLOUD,), get_profile),
    Route("POST", "/whatsapp_business_profile", (CLOUD,), post_profile),
    Route("GET", "/v1/settings/business/profile", (ON_PREMISE,), get_on_premise_profile),
    Route("POST", "/v1/settings/business/profile", (ON_PREMISE,), post_on_premise_profile),
    Route("PATCH", "/v1/settings/profile/about", (ON_PREMISE,), patch_about),
    Route("POST", "/v1/settings/profile/photo", (ON_PREMISE,), post_photo),
    Route("POST", "/v1/contacts/{number}/block", (ON_PREMISE,), post_contact_block),
    Route("GET", "/block_users", (CLOUD,), get_blocked),
    Route("POST", "/block_users", (CLOUD,), post_blocked),
    Route("DELETE", "/block_users", (CLOUD,), delete_blocked),
    Route("GET", "/conversational_automation", (CLOUD,), get_automation),
    Route("POST", "/conversational_automation", (CLOUD,), post_automation),
)


def _settings(asked: Asked) -> Settings:
    return asked.emulator.settings[asked.number.key]


def _body(asked: Asked) -> JSONObject:
    try:
        return asked.json()
    except ValueError:
        INVALID_BODY.refuse(asked.hosting, "The body is not a JSON object")


def _users(asked: Asked) -> list[str]:
    body = _body(asked)
    check_product(asked.hosting, body)
    users = body.get("block_users")
    if not isinstance(users, list) or not users:
        MISSING.refuse(asked.hosting, "block_users is required")
    return [canonical(str(user.get("user") or user.get("user_id"))) for user in users]


def _named(user: str) -> dict[str, str]:
    return {"wa_id": user} if user.isdecimal() else {"user_id": user}

"""What belongs to a number besides its messages: its profile, whom it blocks, how it greets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode

from airflow_provider_d360.api.errors import D360RequestError, Refusal
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.reading import child, json_object, objects, string, strings
from airflow_provider_d360.api.recipients import address
from airflow_provider_d360.api.results import read_nothing
from airflow_provider_d360.api.wire import Call, Request, Response, Source, json_request

_PROFILE_FIELDS = "about,address,description,email,profile_picture_url,websites,vertical"


@dataclass(frozen=True, slots=True)
class BusinessProfile:
    """What people see of a business. On on-premise, ``about`` and the picture are kept elsewhere."""

    about: str | None = None
    address: str | None = None
    description: str | None = None
    email: str | None = None
    vertical: str | None = None
    websites: tuple[str, ...] = ()
    profile_picture_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class BlockOutcome:
    """
    Who is blocked, or unblocked, now.

    :param done: Those with whom it worked.
    :param failed: The others, and why.
    """

    done: tuple[str, ...] = field(repr=False)
    failed: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class BlockedPage:
    """
    One page of the people a number has blocked.

    :param users: Their numbers, or user ids.
    :param next: The call that gets the next page; ``None`` on the last.
    """

    users: tuple[str, ...] = field(repr=False)
    next: Call[BlockedPage] | None = None


@dataclass(frozen=True, slots=True)
class Automation:
    """
    How a chat begins.

    :param enable_welcome_message: Tell the webhook when somebody opens the chat for the first time.
    :param prompts: Ice breakers, to tap on.
    :param commands: What may be typed after a slash, and what it does.
    """

    enable_welcome_message: bool = False
    prompts: tuple[str, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict)


def get_business_profile(hosting: Hosting) -> Call[BusinessProfile]:
    """Read the business profile."""
    path = hosting.need(hosting.profile, "business profile")
    query = f"?fields={_PROFILE_FIELDS}" if hosting.names_product else ""
    return Call(json_request("GET", path + query), _read_profile, repeatable=True)


def set_business_profile(hosting: Hosting, **fields: object) -> Call[None]:
    """
    Change the business profile; what is not given stays.

    :param fields: ``address``, ``description``, ``email``, ``vertical``, ``websites``; on cloud ``about`` and
        ``profile_picture_handle`` too, which :func:`~airflow_provider_d360.api.media.fill_upload` returns.
    """
    path = hosting.need(hosting.profile, "business profile")
    elsewhere = {"about": "set_about", "profile_picture_handle": "set_photo"}
    for name in () if hosting.names_product else sorted(set(elsewhere) & set(fields)):
        title = f"The {hosting.name} hosting has no {name} in its profile"
        raise D360RequestError(Refusal(title, f"Use {elsewhere[name]}."))
    return Call(json_request("POST", path, {**hosting.product, **fields}), read_nothing, repeatable=True)


def set_about(hosting: Hosting, text: str) -> Call[None]:
    """Change the *about* text of the profile."""
    if hosting.profile_about is None:
        return set_business_profile(hosting, about=text)
    return Call(json_request("PATCH", hosting.profile_about, {"text": text}), read_nothing, repeatable=True)


def set_photo(hosting: Hosting, source: Source, mime_type: str) -> Call[None]:
    """Change the picture of the profile; on-premise only. On cloud it is a field of the profile."""
    path = hosting.need(hosting.profile_photo, "photo endpoint; upload it and set profile_picture_handle")
    return Call(
        Request("POST", path, {"Content-Type": mime_type}, source=source), read_nothing, repeatable=True
    )


def block_users(hosting: Hosting, users: Sequence[str], *, reason: str = "blocked") -> Call[BlockOutcome]:
    """
    Block people who wrote within the last 24 hours; at most 1000, on on-premise one at a time.

    :param users: Phone numbers, or business-scoped user ids.
    :param reason: Why; told on on-premise only.
    """
    if hosting.contact_block is None:
        return _block(hosting, "POST", users)
    if len(users) != 1:
        raise D360RequestError(
            Refusal(f"The {hosting.name} hosting blocks one person at a time", "Call it once for each.")
        )
    number = address(users[0]).get("to")
    if number is None:
        raise D360RequestError(
            Refusal(f"The {hosting.name} hosting knows no user ids", "Give a phone number.")
        )
    request = json_request("POST", hosting.contact_block.format(number=number), {"reason": reason})
    return Call(request, lambda _: BlockOutcome((number,)), repeatable=True, private=frozenset({number}))


def unblock_users(hosting: Hosting, users: Sequence[str]) -> Call[BlockOutcome]:
    """Unblock people; cloud only."""
    return _block(hosting, "DELETE", users)


def list_blocked_users(hosting: Hosting, *, limit: int = 100, after: str | None = None) -> Call[BlockedPage]:
    """List who is blocked, page by page; cloud only."""
    path = hosting.need(hosting.blocked_users, "list of blocked users")
    query = urlencode({"limit": limit, **({} if after is None else {"after": after})})
    return Call(
        json_request("GET", f"{path}?{query}"), partial(_read_blocked, hosting, limit, after), repeatable=True
    )


def get_automation(hosting: Hosting) -> Call[Automation]:
    """Read how a chat begins; cloud only."""
    path = hosting.need(hosting.automation, "conversational components")
    return Call(json_request("GET", path), _read_automation, repeatable=True)


def set_automation(hosting: Hosting, automation: Automation) -> Call[None]:
    """Set how a chat begins, in place of what is set; cloud only. At most 30 commands."""
    path = hosting.need(hosting.automation, "conversational components")
    body = {
        "enable_welcome_message": automation.enable_welcome_message,
        "prompts": list(automation.prompts),
        "commands": [
            {"command_name": name, "command_description": does} for name, does in automation.commands.items()
        ],
    }
    return Call(json_request("POST", path, body), read_nothing, repeatable=True)


def _block(hosting: Hosting, method: str, users: Sequence[str]) -> Call[BlockOutcome]:
    path = hosting.need(hosting.blocked_users, "way to block and unblock users")
    people = [address(user) for user in users]
    wanted = [{"user_id": one["recipient"]} if "recipient" in one else {"user": one["to"]} for one in people]
    request = json_request(method, path, {**hosting.product, "block_users": wanted})
    private = frozenset(value for one in wanted for value in one.values())
    return Call(request, _read_outcome, repeatable=True, private=private)


def _read_profile(response: Response) -> BusinessProfile:
    body = json_object(response)
    on_premise = child(child(child(body, "settings"), "business"), "profile")
    profile = next(objects(body.get("data")), on_premise)
    texts = {
        name: string(profile.get(name))
        for name in ("about", "address", "description", "email", "vertical", "profile_picture_url")
    }
    return BusinessProfile(**texts, websites=strings(profile.get("websites")))


def _read_outcome(response: Response) -> BlockOutcome:
    outcome = child(json_object(response), "block_users")
    done = [*objects(outcome.get("added_users")), *objects(outcome.get("removed_users"))]
    failed = {
        _user(item): "; ".join(
            f"{error.get('code', '')} {error.get('message', '')}".strip()
            for error in objects(item.get("errors"))
        )
        for item in objects(outcome.get("failed_users"))
    }
    return BlockOutcome(tuple(map(_user, done)), failed)


def _read_blocked(hosting: Hosting, limit: int, after: str | None, response: Response) -> BlockedPage:
    body = json_object(response)
    rows = list(objects(body.get("data")))
    nested = [user for row in rows for user in objects(row.get("block_users"))]  # Meta nests the list
    users = tuple(map(_user, nested or [row for row in rows if "block_users" not in row]))
    cursor = string(child(child(body, "paging"), "cursors").get("after"))
    more = bool(users) and cursor not in (None, after)
    return BlockedPage(users, list_blocked_users(hosting, limit=limit, after=cursor) if more else None)


def _read_automation(response: Response) -> Automation:
    body = json_object(response)
    inner = child(body, "conversational_automation") or next(objects(body.get("data")), body)
    commands = {
        string(item.get("command_name")) or "": string(item.get("command_description")) or ""
        for item in objects(inner.get("commands"))
    }
    return Automation(inner.get("enable_welcome_message") is True, strings(inner.get("prompts")), commands)


def _user(item: Mapping[str, object]) -> str:
    return next((found for name in ("wa_id", "user_id", "input") if (found := string(item.get(name)))), "")

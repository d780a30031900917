"""What belongs to a number besides its messages: its business profile, and the people that it blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_provider_d360.api.checks.content import META, URL
from airflow_provider_d360.api.checks.grammar import every, items, record
from airflow_provider_d360.api.checks.spots import Check, Spot
from airflow_provider_d360.api.checks.values import text
from airflow_provider_d360.api.errors import D360RequestError, request_error
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.reading import child, json_object, objects, read_nothing, string, strings
from airflow_provider_d360.api.recipients import address
from airflow_provider_d360.api.wire import Call, Response, json_request

_READ_FIELDS = "about,address,description,email,profile_picture_url,websites,vertical"
_MOST_USERS = 1000
_PAGE = f"{META}/business-profiles"
_FIELDS: dict[str, Check] = {
    "about": text(139),
    "address": text(256, least=0),
    "description": text(512, least=0),
    "email": text(128, least=0),
    "profile_picture_handle": text(),
    "vertical": text(),
    "websites": items(every(text(256), URL), 0, 2),
}
_CLOUD_FIELDS = ("about", "profile_picture_handle")


@dataclass(frozen=True, slots=True)
class BusinessProfile:
    """
    The profile that people see of a business.

    :param about: One line below the name; cloud only.
    :param address: The postal address.
    :param description: What the business does.
    :param email: The address to write to.
    :param vertical: The industry, such as ``RETAIL``.
    :param websites: At most two.
    :param profile_picture_url: The picture's address, which is signed; cloud only.
    """

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
    The result of blocking or unblocking.

    :param done: The numbers or user ids of those with whom it worked.
    :param failed: The reasons of the others, by number or user id.
    """

    done: tuple[str, ...] = field(repr=False)
    failed: Mapping[str, str] = field(default_factory=dict, repr=False)


def get_business_profile(hosting: Hosting) -> Call[BusinessProfile]:
    """
    Read the business profile.

    :param hosting: The hosting of the number; not the sandbox.
    """
    path = hosting.need(hosting.profile, "business profile")
    query = f"?fields={_READ_FIELDS}" if hosting.names_product else ""
    return Call(json_request("GET", path + query), _read_profile, repeatable=True)


def set_business_profile(hosting: Hosting, **fields: object) -> Call[None]:
    """
    Change the business profile. Fields that are not given stay as they are.

    :param hosting: The hosting of the number; not the sandbox.
    :param fields: ``address`` (at most 256 characters), ``description`` (512), ``email`` (128), ``vertical``
        and ``websites`` (two, 256 each); on cloud also ``about`` (139) and ``profile_picture_handle``, which
        :func:`~airflow_provider_d360.sending.media.upload_sample` returns.
    :raises D360RequestError: when a field is unknown to the hosting, or too long.
    """
    path = hosting.need(hosting.profile, "business profile")
    known = [name for name in _FIELDS if hosting.names_product or name not in _CLOUD_FIELDS]
    unknown = sorted(set(fields) - set(known))
    if unknown or not fields:
        title = f"The profile of the {hosting.name} hosting has no {', '.join(unknown)}"
        raise request_error(title if unknown else "No field is given", f"Give one of {', '.join(known)}.")
    violations = record(None, _FIELDS)(fields, Spot("", _PAGE))
    problems = "; ".join(map(str, violations))
    if problems:
        raise request_error(f"The profile breaks documented rules: {problems}", "Correct the profile.")
    return Call(json_request("POST", path, {**hosting.product, **fields}), read_nothing, repeatable=True)


def block_users(
    hosting: Hosting, users: Sequence[str], *, default_region: str | None = None
) -> Call[BlockOutcome]:
    """
    Block people, who can then no longer write to the number. They must have written within 24 hours.

    :param hosting: The hosting of the number; not the sandbox.
    :param users: Phone numbers or business-scoped user ids: at most 1000, on on-premise one phone number.
    :param default_region: The country of numbers with a leading 0; by default, they are errors.
    :raises D360RequestError: when one of them cannot be a recipient, or there are too many.
    """
    people = _people(users, default_region)
    if hosting.contact_block is None:
        return _block(hosting, "POST", people)
    if len(people) != 1:
        raise request_error(
            f"The {hosting.name} hosting blocks one person at a time", "Call it once for each."
        )
    number = people[0].get("user")
    if number is None:
        raise request_error(f"The {hosting.name} hosting knows no user ids", "Give a phone number.")
    request = json_request("POST", hosting.contact_block.format(number=number), {"reason": "blocked"})
    return Call(
        request, lambda _: BlockOutcome((number,)), repeatable=True, private=lambda: frozenset({number})
    )


def unblock_users(
    hosting: Hosting, users: Sequence[str], *, default_region: str | None = None
) -> Call[BlockOutcome]:
    """
    Unblock people.

    :param hosting: The hosting of the number; cloud only.
    :param users: Phone numbers or business-scoped user ids, at most 1000.
    :param default_region: As in :func:`block_users`.
    :raises D360RequestError: when one of them cannot be a recipient, or there are too many.
    """
    return _block(hosting, "DELETE", _people(users, default_region))


def _people(users: Sequence[str], default_region: str | None) -> list[dict[str, str]]:
    if isinstance(users, str) or not isinstance(users, Sequence):
        raise request_error(
            f"users must be a list, not {type(users).__name__}", "Put a single one into a list."
        )
    if not 0 < len(users) <= _MOST_USERS:
        raise request_error(
            f"users has {len(users)} items, at least 1 and at most {_MOST_USERS}", "Split it."
        )
    people = [_person(index, user, default_region) for index, user in enumerate(users)]
    return [{"user_id": one["recipient"]} if "recipient" in one else {"user": one["to"]} for one in people]


def _person(index: int, user: object, default_region: str | None) -> dict[str, str]:
    try:
        return address(user, default_region=default_region)
    except D360RequestError as error:
        detail = replace(error.detail, title=f"users[{index}] {error.detail.title.removeprefix('to ')}")
        raise D360RequestError(detail) from error


def _block(hosting: Hosting, method: str, people: Sequence[Mapping[str, str]]) -> Call[BlockOutcome]:
    path = hosting.need(hosting.blocked_users, "way to block and unblock users")
    request = json_request(method, path, {**hosting.product, "block_users": people})
    return Call(
        request,
        _read_outcome,
        repeatable=True,
        private=lambda: frozenset(value for one in people for value in one.values()),
    )


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


def _user(item: Mapping[str, object]) -> str:
    names = ("wa_id", "user_id", "input")
    return next((user for name in names if (user := string(item.get(name)))), "")

"""Contact cards and places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from airflow_provider_d360.messages.values import String


class NameParts(TypedDict, total=False):
    """The parts of a contact's name."""

    first_name: String
    last_name: String
    middle_name: String
    suffix: String
    prefix: String


class _WholeName(TypedDict):
    formatted_name: String


class Name(_WholeName, NameParts):
    """A contact's name: the whole, and at least one part of it."""


class Phone(TypedDict, total=False):
    """A phone number; with ``wa_id`` the card offers to write to it."""

    phone: String
    type: String
    wa_id: String


class Email(TypedDict, total=False):
    """An email address."""

    email: String
    type: String


class Url(TypedDict, total=False):
    """A web address."""

    url: String
    type: String


class Address(TypedDict, total=False):
    """A postal address."""

    street: String
    city: String
    state: String
    zip: String
    country: String
    country_code: String
    type: String


class Organization(TypedDict, total=False):
    """Where a contact works."""

    company: String
    department: String
    title: String


class _Contact(TypedDict):
    name: Name


class Contact(_Contact, total=False):
    """One contact card."""

    phones: Sequence[Phone]
    emails: Sequence[Email]
    urls: Sequence[Url]
    addresses: Sequence[Address]
    org: Organization
    birthday: String


class ContactsMessage(TypedDict):
    """A message with contact cards."""

    type: Literal["contacts"]
    contacts: list[Contact]


class _Place(TypedDict):
    latitude: float | str
    longitude: float | str


class Place(_Place, total=False):
    """The object under ``location``."""

    name: String
    address: String


class LocationMessage(TypedDict):
    """A place on the map; as it is also a location parameter of a template."""

    type: Literal["location"]
    location: Place


def contact(
    formatted_name: String,
    *,
    phone: String | None = None,
    email: String | None = None,
    name: NameParts | None = None,
    phones: Sequence[Phone] | None = None,
    emails: Sequence[Email] | None = None,
    urls: Sequence[Url] | None = None,
    addresses: Sequence[Address] | None = None,
    org: Organization | None = None,
    birthday: String | None = None,
) -> Contact:
    """
    Build one contact card for :func:`contacts`.

    :param formatted_name: The name as it is shown. WhatsApp needs one part of the name besides, so without
        ``name`` it is the first name, too.
    :param phone: The only phone number, when there is no more to say about it than ``phones`` could.
    :param email: The only email address, likewise.
    :param name: The parts of the name, in place of ``first_name``.
    :param phones: Phone numbers with type and ``wa_id``.
    :param emails: Email addresses with type.
    :param urls: Web addresses with type.
    :param addresses: Postal addresses.
    :param org: Where the contact works.
    :param birthday: ``YYYY-MM-DD``.
    :raises TypeError: when both ``phone`` and ``phones``, or both ``email`` and ``emails`` are given.
    """
    if phone is not None and phones is not None:
        raise TypeError("contact() takes phone or phones, not both")
    if email is not None and emails is not None:
        raise TypeError("contact() takes email or emails, not both")
    parts: NameParts = {"first_name": formatted_name} if name is None else name
    card: Contact = {"name": {"formatted_name": formatted_name, **parts}}
    if phone is not None:
        phones = [{"phone": phone}]
    if email is not None:
        emails = [{"email": email}]
    for key, value in (
        ("phones", phones),
        ("emails", emails),
        ("urls", urls),
        ("addresses", addresses),
        ("org", org),
        ("birthday", birthday),
    ):
        if value is not None:
            card[key] = value  # type: ignore[literal-required]
    return card


def contacts(*cards: Contact) -> ContactsMessage:
    """
    Build a message with contact cards.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param cards: At least one :func:`contact`.
    """
    return {"type": "contacts", "contacts": [*cards]}


def location(
    latitude: float | str,
    longitude: float | str,
    *,
    name: String | None = None,
    address: String | None = None,
) -> LocationMessage:
    """
    Build a place on the map.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param latitude: Decimal degrees, from -90 to 90.
    :param longitude: Decimal degrees, from -180 to 180.
    :param name: What the place is called. Required by 360dialog's page, optional on Meta's.
    :param address: Its address, shown only with ``name``.
    """
    place: Place = {"latitude": latitude, "longitude": longitude}
    if name is not None:
        place["name"] = name
    if address is not None:
        place["address"] = address
    return {"type": "location", "location": place}

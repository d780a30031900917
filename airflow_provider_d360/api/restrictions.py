"""Whom a connection may write to: a staging Airflow must not reach customers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from airflow_provider_d360.api.errors import D360RecipientError, D360RequestError, ErrorDetail
from airflow_provider_d360.api.privacy import mask_number
from airflow_provider_d360.api.recipients import canonical

_PREFIX = re.compile(r"\+?[1-9][0-9]*")
_LIST = re.compile(r"[,;\n]")


@dataclass(frozen=True, slots=True)
class Restriction:
    """
    The recipients that a connection may write to, and who gets the messages for everybody else.

    :param recipients: Whole recipients, as :func:`~airflow_provider_d360.api.recipients.canonical` returns
        them.
    :param prefixes: Digits that allowed phone numbers begin with, country code first.
    :param redirect_to: Who gets the messages for everybody else, canonical too; None refuses them.
    """

    recipients: frozenset[str] = field(repr=False)
    prefixes: tuple[str, ...] = field(default=(), repr=False)
    redirect_to: str | None = field(default=None, repr=False)

    def allows(self, to: str) -> bool:
        """
        Return whether a message may go to this recipient itself.

        :param to: The recipient, canonical.
        """
        if to == self.redirect_to or to in self.recipients:
            return True
        return to.isdecimal() and to.startswith(self.prefixes)

    def destination(self, to: str) -> str:
        """
        Return who gets a message for this recipient: the recipient, or ``redirect_to``.

        :param to: The recipient, canonical.
        :raises D360RecipientError: when nobody may get it.
        """
        if self.allows(to):
            return to
        return self.redirect_to or self.refuse(to)

    def refuse(self, to: str) -> NoReturn:
        """
        Refuse a recipient.

        :param to: The recipient, canonical.
        :raises D360RecipientError: always.
        """
        raise D360RecipientError(
            ErrorDetail(
                f"This connection may not write to {mask_number(to)}: its only_to does not allow it",
                "Nothing was sent. To test with this person, add the number to only_to in the connection; in "
                "production, remove only_to.",
            )
        )

    def __str__(self) -> str:
        """Say what is restricted, without whole numbers."""
        number = len(self.recipients) + len(self.prefixes)
        some = f"only_to names {number} {'recipient or prefix' if number == 1 else 'recipients or prefixes'}"
        if self.redirect_to is None:
            return f"{some}; messages to anybody else are refused"
        who = mask_number(self.redirect_to)
        return f"{some if number else 'redirect_to is set'}; messages to anybody else go to {who}"


def read_restriction(
    only_to: object, redirect_to: object, default_region: str | None = None
) -> Restriction | None:
    """
    Read the restriction of a connection; None if it is not restricted.

    :param only_to: Phone numbers, user ids and group ids, separated by commas or as a list; digits with ``*``
        at their end, such as ``+44 77*``, allow all numbers that begin with them. None and an empty
        text count as missing.
    :param redirect_to: A phone number or user id. Alone, it gets every message.
    :param default_region: The country of numbers that begin with 0.
    :raises D360RequestError: when an entry cannot be read, or there are entries of which none is left. The
        text names its place and does not repeat it.
    """
    is_restricted, is_redirected = only_to not in (None, ""), redirect_to not in (None, "")
    if not is_restricted and not is_redirected:
        return None
    whole, prefixes = _read_list(only_to, default_region) if is_restricted else ([], [])
    target = _recipient("redirect_to", redirect_to, default_region) if is_redirected else None
    return Restriction(frozenset(whole), tuple(prefixes), target)


def _read_list(only_to: object, default_region: str | None) -> tuple[list[str], list[str]]:
    given = only_to if isinstance(only_to, list) else [only_to]
    entries = [part for item in given for part in (_LIST.split(item) if isinstance(item, str) else [item])]
    entries = [entry for entry in entries if not isinstance(entry, str) or entry.strip()]
    if not entries:
        raise _wrong("only_to", "names nobody", "Name a number of yours, or leave only_to out.")
    whole, prefixes = [], []
    for position, entry in enumerate(entries, 1):
        place = f"entry {position} of only_to"
        if isinstance(entry, str) and entry.strip().endswith("*"):
            prefixes.append(_prefix(place, entry.strip().removesuffix("*")))
        else:
            whole.append(_recipient(place, entry, default_region))
    return whole, prefixes


def _prefix(place: str, written: str) -> str:
    digits = re.sub(r"[ ().\-/]", "", written)
    if not _PREFIX.fullmatch(digits):
        raise _wrong(place, "is no beginning of a phone number", "Write country code first: +44 77*.")
    return digits.removeprefix("+")


def _recipient(place: str, written: object, default_region: str | None) -> str:
    is_group = place != "redirect_to" and isinstance(written, str) and any(ch.isalpha() for ch in written)
    try:
        return canonical(
            written, "group" if is_group else "individual", default_region=default_region
        )  # user ids are read alike
    except D360RequestError as error:
        problem, remedy = error.detail.title.removeprefix("to "), error.detail.remedy
    raise _wrong(place, problem, remedy)


def _wrong(place: str, problem: str, remedy: str) -> D360RequestError:
    return D360RequestError(ErrorDetail(f"{place} {problem}", remedy))

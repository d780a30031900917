"""Who a message goes to: a phone number, a business-scoped user id, or a group."""

from __future__ import annotations

import re

from airflow_provider_d360.api.errors import D360RequestError, Refusal

# Blanks, dashes, brackets, dots and slashes between digits, and the invisible marks that come along
# when a number is copied out of an address book.
_FILLING = re.compile(r"[\s\-().\/\u00ad\u2010-\u2015\u2212\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_PHONE = re.compile(r"[0-9]{3,15}\Z")  # E.164: at most 15 digits
_SCOPED_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]+\Z")
_GROUP = re.compile(r"[A-Za-z0-9_.:@=\-]+\Z")


def address(to: object, recipient_type: str = "individual") -> dict[str, str]:
    """
    Read a recipient into the fields of a message's envelope.

    A phone number may be written with blanks, dashes, brackets and a leading ``+`` or ``00``; its digits are
    never changed otherwise. A business-scoped user id such as ``BR.1502…`` goes into ``recipient``.

    :raises D360RequestError: when this cannot be a recipient. The text does not repeat it.
    """
    if recipient_type not in ("individual", "group"):
        raise _wrong("recipient_type", "must be 'individual' or 'group'")
    if isinstance(to, bool) or not isinstance(to, str | int):
        raise _wrong("to", f"must be a string, not {type(to).__name__}; map over a list with .expand(to=[…])")
    text = str(to).strip()
    if recipient_type == "group":
        if not _GROUP.match(text):
            raise _wrong("to", "is not a group id; take it from the groups endpoint or a group's webhook")
        return {"recipient_type": "group", "to": text}
    if _SCOPED_ID.match(text):
        return {"recipient_type": "individual", "recipient": text}
    return {"recipient_type": "individual", "to": _phone(text)}


def canonical(to: object, recipient_type: str = "individual") -> str:
    """
    Write a recipient in the one way in which each writing of it is the same.

    :raises D360RequestError: as :func:`address` does.
    """
    fields = address(to, recipient_type)
    return fields.get("recipient") or fields["to"]


def _phone(text: str) -> str:
    digits = _FILLING.sub("", text)
    if digits.startswith("+"):
        digits = digits[1:]
    elif digits.startswith("00"):
        digits = digits[2:]
    if not digits:
        raise _wrong("to", "is empty; give the number with its country code, such as 49 151 23456789")
    if not _PHONE.match(digits):
        raise _wrong(
            "to",
            f"is no phone number ({len(text)} characters); give at most 15 digits with the country code, "
            "or a user id such as BR.1502, or recipient_type='group' with a group id",
        )
    return digits


def _wrong(field: str, problem: str) -> D360RequestError:
    return D360RequestError(Refusal(title=f"{field} {problem}", remedy="Correct the recipient."))

"""
Recipients: a phone number, a business-scoped user id or a group id, read strictly.

A wrong character in a number is an error, never removed: ``447700900123.0`` without its dot is the number of
another person. The library ``phonenumbers`` knows country codes, lengths and trunk zeros; it never
rewrites an international number here, because it would read ``ext 5``, ``.0`` and letters as something else.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from numbers import Integral

from airflow_provider_d360.api.errors import Condition, D360RequestError, ErrorDetail

# Marks without width or meaning that come along when a number is copied out of an address book.
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_DASH = re.compile(r"[\u2010-\u2015\u2212]")
_WRITTEN = re.compile(r"\(?\+? ?\(?[0-9](?:[ ().\-/]*[0-9])*")
_FLOAT = re.compile(r"[1-9][0-9]*\.[0-9]+|[^./]*[./][0-9]{1,3}|.*\.[0-9]")
_BRACKETED_ZERO = re.compile(r"\( ?0 ?\)")
_SCOPED_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]+")
_GROUP = re.compile(r"[A-Za-z0-9_.:@=\-]+")
_MISSING = frozenset({"none", "nan", "null", "<na>", "nat", "undefined"})
_LONGEST = 15  # digits, country code included: E.164

# Forms that WhatsApp uses, or kept when a country lengthened its numbers; phonenumbers does not know them.
_KEPT_FORMS = re.compile(
    r"521[0-9]{10}"  # Mexico, mobile
    r"|549?[0-9]{2,4}15[0-9]{6,8}"  # Argentina, mobile, with its 15
    r"|225[0-9]{8}|229[0-9]{8}"  # Ivory Coast before 2021, Benin before 2024
)


def address(
    to: object, recipient_type: str = "individual", *, default_region: str | None = None
) -> dict[str, str]:
    """
    Read a recipient into the fields of a message's envelope.

    An international number may be written with a leading ``+`` or ``00`` or neither, with spaces, dashes,
    brackets, dots and slashes. A bracketed zero after the country code (``+44 (0)20 …``) is dropped where
    the country does not dial it; no other digit is ever changed. Digits without ``+``, ``00`` and leading
    ``0`` are always international. A number with a leading ``0`` is national and needs ``default_region``.

    :param to: A text or a whole number. Digits other than 0 to 9, letters, extensions, several numbers in one
        text and floats are errors.
    :param recipient_type: ``individual`` or ``group``; the id of a group is not changed.
    :param default_region: The country of national numbers, as two letters such as ``DE``. Default: national
        numbers are errors.
    :return: ``recipient_type`` with ``to``, or with ``recipient`` for a user id such as ``BR.1502…``.
    :raises D360RequestError: when this cannot be a recipient. The text does not repeat it.
    """
    text = canonical(to, recipient_type, default_region=default_region)
    is_user_id = recipient_type == "individual" and not text.isdecimal()
    return {"recipient_type": recipient_type, "recipient" if is_user_id else "to": text}


def canonical(to: object, recipient_type: str = "individual", *, default_region: str | None = None) -> str:
    """
    Return one text for all spellings of a recipient; applied to its own result, it returns the same.

    :param to: The recipient, as for :func:`address`.
    :param recipient_type: ``individual`` or ``group``.
    :param default_region: The country of national numbers.
    :raises D360RequestError: as :func:`address` does.
    """
    if recipient_type not in ("individual", "group"):
        raise _wrong("recipient_type must be 'individual' or 'group'", "Correct recipient_type.")
    text = _text(to)
    if recipient_type == "group":
        if not _GROUP.fullmatch(text):
            raise _wrong("to is not a group id", "Take it from the groups endpoint or a group's webhook.")
        return text
    return text if _SCOPED_ID.fullmatch(text) else _phone(text, default_region)


def check_region(region: str) -> str:
    """
    Return a country as ``phonenumbers`` writes it.

    :param region: Two letters (ISO 3166-1), such as ``DE``, in upper or lower case.
    :raises ValueError: when there is no such country.
    """
    import phonenumbers

    known = region.strip().upper()
    if known not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("must be the two letters of a country, such as DE")
    return known


def _text(to: object) -> str:
    if not isinstance(to, str):
        if not isinstance(to, bool) and isinstance(to, Integral):
            return str(int(to))
        remedy = "Give the number as a text or a whole number."
        if isinstance(to, list | tuple | set | frozenset):
            remedy = "Map over a list with .expand(to=[…])."
        raise _wrong(f"to must be a string, not {type(to).__name__}", remedy)
    text = str.__str__(to).strip()
    if not text:
        raise _wrong("to is empty", "Give the number with its country code, such as +44 7700 900123.")
    if text.lower() in _MISSING:
        raise _wrong(
            f"to is the text {text!r}", "The task, variable or column that it comes from holds no value."
        )
    return text


@lru_cache(maxsize=1024)  # a message is addressed twice: for its identity, and for its envelope
def _phone(text: str, default_region: str | None) -> str:
    plain = text.removeprefix("+")
    if plain.isascii() and plain.isdecimal() and not plain.startswith("0"):
        return _international(plain)
    written = _written(text)
    before_zero, *after_zero = (re.sub(r"[^0-9]", "", part) for part in _BRACKETED_ZERO.split(written))
    digits = "0".join((before_zero, *after_zero))
    if len(after_zero) > 1:
        raise _wrong("to holds several zeros in brackets", "Write the number without them.")
    if "+" not in written and digits.startswith("0") and not digits.startswith("00"):
        if after_zero and before_zero:
            raise _wrong("to holds a zero in brackets that is no trunk zero", "Write the number without it.")
        return _national(digits, default_region)
    if "+" not in written and digits.startswith("00"):
        digits, before_zero = digits[2:], before_zero[2:]
    elif "+" not in written and "(" in written:
        _check_brackets(written, digits)
    return _international(digits, len(before_zero) if after_zero else None)


def _written(text: str) -> str:
    """Return a number in plain characters, or raise an error that says what is wrong with it."""
    text = _DASH.sub("-", _INVISIBLE.sub("", text))
    text = "".join(" " if unicodedata.category(ch) == "Zs" else ch for ch in text).strip()
    if not text or text == "+":
        raise _wrong("to is empty", "Give the number with its country code, such as +44 7700 900123.")
    if any(ch.isdecimal() and not ch.isascii() for ch in text):
        raise _wrong("to holds digits of another script", "Write the number with the digits 0 to 9.")
    if any(ch.isalpha() for ch in text):
        raise _wrong(
            f"to is no phone number: it holds letters ({len(text)} characters)",
            "Give the digits of one number, without extension; or a user id such as BR.1502; or a group id "
            "with recipient_type='group'.",
        )
    if not _WRITTEN.fullmatch(text) or text.count("(") != text.count(")"):
        raise _wrong(
            f"to is no phone number ({len(text)} characters)",
            "Give one number with its country code, such as +44 7700 900123; only spaces, dashes, brackets, "
            "dots and slashes may stand between its digits.",
        )
    if _FLOAT.fullmatch(text):
        raise _wrong(
            "to looks like a number with decimals or an appendix, not like a phone number",
            "Convert it before with str(int(number)), or write it as +44 7700 900123.",
        )
    return text


def _check_brackets(written: str, digits: str) -> None:
    """
    Refuse a number without + whose first brackets do not follow its country code: ``8 (495) …``, ``(11) …``.

    They hold an area code of the writer's country. Read as international, it is the number of another person.
    """
    before = re.sub(r"[^0-9]", "", written.partition("(")[0])
    if before != _country_code(digits):
        raise _wrong(
            "to holds an area code in brackets, and its country is not known",
            "Give the number with + and its country code, such as +44 7700 900123.",
        )


def _country_code(digits: str) -> str:
    """Return the country code of a number; an empty text if it has none."""
    return _first_code(digits[:3])


@lru_cache(maxsize=1024)
def _first_code(digits: str) -> str:
    return next((digits[:size] for size in (1, 2, 3) if digits[:size] in _country_codes()), "")


@cache
def _country_codes() -> frozenset[str]:
    import phonenumbers

    return frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


def _international(digits: str, zero_at: int | None = None) -> str:
    """
    Check an international number.

    :param digits: Its digits, country code first.
    :param zero_at: The position of a zero in brackets among them; ``None`` without one.
    """
    import phonenumbers

    code = _country_code(digits)
    if not code:
        raise _wrong(
            "to does not begin with a country code", "Give the country code first, such as 49 for Germany."
        )
    rest = digits[len(code) :]
    region = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)][0]
    if zero_at not in (None, len(code)):
        raise _wrong("to holds a zero in brackets that is no trunk zero", "Write the number without it.")
    if rest.startswith("0") and not _dials_zero(region):
        if zero_at is None:
            raise _wrong(
                "to holds a zero after the country code, which is not dialled from abroad",
                "Write the number without this zero, or the zero in brackets.",
            )
        rest = rest[1:]
    is_short = len(code + rest) <= _LONGEST
    if not (is_short and (_is_possible(code, len(rest)) or _KEPT_FORMS.fullmatch(code + rest))):
        raise _wrong(
            f"to is no phone number: with country code {code} it has {len(rest)} more digits, at most 15 "
            "digits in all, and no number of that country is so long or short",
            "Give the whole number with its country code. Digits without + count as international.",
        )
    return code + rest


@lru_cache(maxsize=4096)
def _is_possible(code: str, length: int) -> bool:
    """Return whether a country has numbers of so many digits after its code."""
    import phonenumbers

    number = phonenumbers.PhoneNumber(country_code=int(code), national_number=int("1" * length or 0))
    return phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE


def _dials_zero(region: str) -> bool:
    """Return whether a country has numbers whose first digit, dialled from abroad too, is a zero: Italy."""
    import phonenumbers

    kinds = (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
    examples = (phonenumbers.example_number_for_type(region, kind) for kind in kinds)
    return any(example.italian_leading_zero for example in examples if example is not None)


def _national(digits: str, default_region: str | None) -> str:
    import phonenumbers

    if default_region is None:
        raise _wrong(
            "to begins with 0, so it is a national number and its country is not known",
            "Give the number with its country code, or set default_region in the connection.",
        )
    try:
        number = phonenumbers.parse(digits, default_region)
    except phonenumbers.NumberParseException:
        number = None
    if number is None:
        raise _wrong(f"to is no phone number of {default_region}", "Give the number with its country code.")
    return _international(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:])


def _wrong(problem: str, remedy: str) -> D360RequestError:
    return D360RequestError(ErrorDetail(problem, remedy, condition=Condition.RECIPIENT_INVALID))

"""One spelling for each person: in three countries WhatsApp itself writes a number in two ways."""

from __future__ import annotations

import re

_MEXICO = re.compile(r"521([0-9]{10})")  # mobiles had a 1 after the country code until 2019
_BRAZIL = re.compile(r"55([0-9]{2})9([6-9][0-9]{7})")  # mobiles of before 2012 have no 9 in their wa_id
_ARGENTINA = re.compile(r"549([0-9]{10})")  # mobiles have a 9 after the country code, only from abroad
_ARGENTINA_INLAND = re.compile(
    r"54(11|[0-9]{3,4}?)15([0-9]{6,8})"
)  # or a 15 after the area code, only inland
_NATIONAL_DIGITS = 10
_TWO_FORMS = frozenset({"52", "54", "55"})


def person(recipient: str) -> str:
    """
    Return one text for all numbers of this recipient. It is for comparing, not for sending.

    Somebody who is written to as 55 11 9 6123 4567 writes back as 55 11 6123 4567. Mexico and Argentina have
    two forms as well. User ids, and numbers of other countries, stay as they are.

    :param recipient: The recipient, as :func:`~airflow_provider_d360.api.recipients.canonical` returns it, or
        the ``wa_id`` of a webhook.
    """
    if recipient[:2] not in _TWO_FORMS:
        return recipient
    for pattern, code in ((_MEXICO, "52"), (_BRAZIL, "55"), (_ARGENTINA, "54")):
        if match := pattern.fullmatch(recipient):
            return code + "".join(match.groups())
    if match := _ARGENTINA_INLAND.fullmatch(recipient):
        national = "".join(match.groups())
        if len(national) == _NATIONAL_DIGITS:
            return f"54{national}"
    return recipient

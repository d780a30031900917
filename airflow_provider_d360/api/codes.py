"""
The codes of Meta, of the on-premise API and of 360dialog's gateway, and what each means for the caller.

Meta's page lists codes under
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes, 360dialog its
own under https://docs.360dialog.com/docs/support/api-error-message-list.
"""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_d360.api.errors import (
    Condition,
    D360AmbiguousError,
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360RecipientError,
    D360RequestError,
    D360UnavailableError,
)


class Meaning(NamedTuple):
    """
    What one code or sentence means.

    :param kind: The error to raise. An ambiguous one becomes *unavailable* where repeating is harmless.
    :param remedy: What to do, in one sentence.
    :param soon: Whether it proves that nothing was accepted and a retry within seconds makes sense; ``None``
        leaves it to the HTTP status.
    :param wait_seconds: How long the documentation says to wait; ``None`` when it does not.
    :param condition: The cause, where code decides by it; ``None`` for all others.
    """

    kind: type[D360Error]
    remedy: str
    soon: bool | None = None
    wait_seconds: float | None = None
    condition: Condition | None = None


_KEY = Meaning(
    D360AuthError,
    "Put this number's API key into the connection's password; moving a number makes its old key invalid.",
    condition=Condition.KEY_REJECTED,
)
_ACCOUNT = Meaning(D360AuthError, "The account may not do this; look at its state in the 360dialog Hub.")
_REGISTRATION = Meaning(
    D360AuthError, "The number is not fully registered; finish its set-up in the 360dialog Hub."
)
_PAYMENT = Meaning(D360AuthError, "Settle the account's payment in the 360dialog Hub.")
_BUSY = Meaning(D360RateLimitError, "Send more slowly, with fewer tasks at once.", soon=True)
_PARAMETER = Meaning(
    D360RequestError, "Correct the message or the arguments; the details name the parameter."
)
_TEMPLATE = Meaning(D360RequestError, "Compare the parameters with the approved template.")
_TEMPLATE_UNKNOWN = Meaning(
    D360RequestError,
    "Check the template's name and language, such as en or en_US, and its approval.",
    condition=Condition.STOP_SENDING,
)
_MEDIA = Meaning(D360RequestError, "Check the media's link, type and size.")
_MEDIA_UNKNOWN = Meaning(
    D360RequestError,
    "Upload the file again: a media id works for 30 days, with the number that uploaded or received it only.",
)
_MARKETING = Meaning(D360RequestError, "Use an approved marketing template here, and only here.")
_GROUP = Meaning(D360RequestError, "Check the group id and that this number may write to the group.")
_UNCERTAIN = Meaning(D360AmbiguousError, "Look for the message's status before sending it again.")
_UNREACHABLE = Meaning(D360RecipientError, "Reach this recipient on another channel.")
_WINDOW = Meaning(
    D360RecipientError,
    "Send an approved template instead: more than 24 hours have passed since the recipient last wrote.",
    condition=Condition.WINDOW_CLOSED,
)
_TEMPLATE_STATE = Meaning(
    D360RequestError,
    "The template is paused or disabled; improve it in the WhatsApp Manager or use another.",
    condition=Condition.STOP_SENDING,
)

_WINDOW_NAMES = r"\b(24.?hours?|customer (service|care)|messaging|conversation|allowed) window"
_NOT_THERE = r"\b(not found|not exist|\w+n.t exist|unknown|no longer|expired|cannot be loaded)"

META: dict[int, Meaning] = {
    **dict.fromkeys((0, 190), _KEY),
    **dict.fromkeys((3, 10, *range(200, 300), 131005, 368, 131031, 130497, 131037), _ACCOUNT),
    **dict.fromkeys((131042, 131044), _PAYMENT),
    **dict.fromkeys((131045, 133000, 133005, 133006, 133008, 133009, 133010, 133015), _REGISTRATION),
    1005: Meaning(
        D360AuthError, "The number still lives on the switched-off on-premise API; move it to the cloud."
    ),
    **dict.fromkeys((4, 80007, 80008, 130429), _BUSY),
    131056: Meaning(
        D360RateLimitError,
        "Leave six seconds between messages to the same recipient.",
        soon=True,
        condition=Condition.PAIR_LIMIT,
    ),
    613: _BUSY._replace(soon=None),
    131048: Meaning(
        D360RateLimitError,
        "Stop the campaign and look at the number's quality rating in the Hub.",
        soon=False,
        condition=Condition.STOP_SENDING,
    ),
    131057: Meaning(
        D360RateLimitError,
        "The number is in maintenance, such as an upgrade to more messages per second; wait a minute.",
        False,
        60.0,
    ),
    131064: Meaning(
        D360RateLimitError,
        "Templates in a wrong category used up a limit; stop, and correct their categories.",
        soon=False,
        condition=Condition.STOP_SENDING,
    ),
    132069: Meaning(D360RateLimitError, "The flow is throttled to ten messages an hour.", False, 3600.0),
    133016: Meaning(
        D360RateLimitError, "The number was registered too often; wait 72 hours.", False, 72 * 3600.0
    ),
    **dict.fromkeys((1, 2, 131000, 131016, 133004), _UNCERTAIN),
    134101: Meaning(
        D360UnavailableError, "The template is still being synchronised; wait ten minutes.", False, 600.0
    ),
    **dict.fromkeys((33, 100, 131008, 131009, 131051, 135000), _PARAMETER),
    **dict.fromkeys((131052, 131053), _MEDIA),
    131062: Meaning(
        D360RequestError, "This message needs a phone number; a user id is not supported for it."
    ),
    **dict.fromkeys((132000, 132008, 132012, 132018), _TEMPLATE),
    132001: _TEMPLATE_UNKNOWN,
    132005: Meaning(D360RequestError, "Shorten the template's parameters."),
    132007: Meaning(
        D360RequestError,
        "The content breaks a WhatsApp policy; change it.",
        condition=Condition.STOP_SENDING,
    ),
    **dict.fromkeys((132015, 132016), _TEMPLATE_STATE),
    132068: Meaning(
        D360RequestError,
        "The flow is blocked; correct it in the WhatsApp Manager.",
        condition=Condition.STOP_SENDING,
    ),
    **dict.fromkeys((131055, 131063, 134100, 134102), _MARKETING),
    **dict.fromkeys((131020, 131041, *range(131201, 131216)), _GROUP),
    131021: Meaning(
        D360RecipientError, "Sender and recipient are the same number; choose another recipient."
    ),
    131026: Meaning(
        D360RecipientError,
        "Ask for another number, or use another channel: the recipient is not on WhatsApp, has an old app or "
        "has not accepted its terms.",
    ),
    131030: Meaning(D360RecipientError, "Add the recipient to the test number's list of allowed numbers."),
    **dict.fromkeys((131047, 470), _WINDOW),
    131049: Meaning(
        D360RecipientError,
        "WhatsApp limits marketing to this person; wait at least 24 hours. US numbers never get any.",
        False,
        24 * 3600.0,
        Condition.PERSON_CAPPED,
    ),
    131050: Meaning(
        D360RecipientError,
        "The recipient stopped your marketing messages; take them off the list.",
        condition=Condition.OPTED_OUT,
    ),
    130403: Meaning(D360RecipientError, "Your business has blocked this recipient; unblock them first."),
    **dict.fromkeys((130472, 1026), _UNREACHABLE),
    137000: Meaning(
        D360RecipientError, "The recipient's identity has changed; confirm it and drop the old hash."
    ),
}

ON_PREMISE: dict[int, Meaning] = {
    400: _MEDIA,
    402: _PAYMENT,
    **dict.fromkeys(
        (408, 410), Meaning(D360RecipientError, "The message was not delivered in time; send a new one.")
    ),
    **dict.fromkeys((429, 1015, 1016), _BUSY),
    **dict.fromkeys((430, 432, 433, 1031), _REGISTRATION),
    470: _WINDOW,
    471: META[131048],
    **dict.fromkeys((472, 1026), _UNREACHABLE),
    480: META[137000],
    **dict.fromkeys((500, 1014), _UNCERTAIN),
    **dict.fromkeys((501, 1001, 1002, 1004, 1006, 1008, 1009, 1010, 1024, 1025), _PARAMETER),
    1005: _KEY,
    1011: Meaning(D360UnavailableError, "The service is starting; try again.", soon=True),
    1013: Meaning(
        D360RecipientError, "The number is not on WhatsApp, or was not checked with /v1/contacts before."
    ),
    **dict.fromkeys((1021, 1022, 1023), _GROUP),
    2001: META[132001],
    **dict.fromkeys((2000, *range(2002, 2013)), _TEMPLATE),
    **dict.fromkeys((2015, 2016), _TEMPLATE_STATE),
}

# What a code means in the status of a message that was accepted before, where that differs.
FAILED_STATUS: dict[int, Meaning] = {
    135000: Meaning(
        D360AuthError,
        "If the message was held for quality assessment, WhatsApp dropped it: stop sending templates, "
        "and look at the account in the WhatsApp Manager.",
        condition=Condition.STOP_SENDING,
    ),
}

# 360dialog's gateway writes sentences, in two generations, and hands on Meta's without their code. The first
# that fits decides.
SENTENCES: tuple[tuple[str, Meaning], ...] = (
    (r"exceeded the (endpoint rate )?limit|rate limit|too many requests", _BUSY),
    (r"invalid api.?key|token expired|missing d360-api-key|unauthori[sz]ed", _KEY),
    (
        r"\bis blocked",
        Meaning(D360RequestError, "Check the connection's hosting: this path does not exist there."),
    ),
    (r"lack of payment|overdue invoice", _PAYMENT),
    (r"has been disabled|permission denied", _ACCOUNT),
    (
        r"re-?engagement message|24 hours (have|has) passed|"
        rf"\b(outside|expired|closed)\b.{{0,40}}{_WINDOW_NAMES}|{_WINDOW_NAMES}.{{0,40}}\b(closed|expired|over|ended)",
        _WINDOW,
    ),
    (rf"\btemplates?\b.{{0,80}}{_NOT_THERE}|\b(unknown|no such) template", _TEMPLATE_UNKNOWN),
    (
        rf"\b(media|file|object with id)\b.{{0,80}}{_NOT_THERE}|\b(unknown|no such|invalid) media",
        _MEDIA_UNKNOWN,
    ),
)

# Meta uses these codes for anything; a sentence beside them may say more.
GENERIC = frozenset({33, 100, 1006, 1009, 131009})

_RESOURCE_UNKNOWN = Meaning(
    D360RequestError,
    "Check the id or the name in the request; if it is right, check the connection's host and hosting.",
)


def by_code(code: int | None, *, on_premise: bool) -> Meaning | None:
    """
    Return the meaning of a code; ``None`` for an unknown code.

    The two APIs use different codes, but gateways put each into the other's envelope. A code that only the
    other API has counts, unless it may be an HTTP status.

    :param code: The code; ``None`` returns ``None``.
    :param on_premise: Whether it came in the envelope of the on-premise API.
    """
    own, other = (ON_PREMISE, META) if on_premise else (META, ON_PREMISE)
    if code is None or code in own:
        return own.get(code) if code is not None else None
    return other.get(code) if code >= 470 and code not in (500, 501) else None


def by_status(status: int, *, known_envelope: bool = True) -> Meaning:
    """
    Return the meaning of an HTTP status, for responses without a code: 360dialog sends rate limits as 400.

    :param status: The HTTP status.
    :param known_envelope: Whether the body is one that 360dialog sends. Without one, a 404 comes from some
        other server.
    """
    if status == 429:
        return _BUSY
    if status == 401:
        return _KEY
    if status in (402, 403):
        return _ACCOUNT
    if status == 404 and known_envelope:
        return _RESOURCE_UNKNOWN
    if 300 <= status < 400 or status in (404, 405, 410):
        return Meaning(
            D360RequestError, "Check the connection's host and hosting: this address is not the API's."
        )
    if 400 <= status < 500 and status != 408:
        return _PARAMETER
    return _UNCERTAIN

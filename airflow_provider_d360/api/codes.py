"""
The codes of Meta, of the on-premise API and of 360dialog's gateway, and what each means for the caller.

Meta's page lists codes under
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes, 360dialog its
own under https://docs.360dialog.com/docs/support/api-error-message-list.
"""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_d360.api.errors import (
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
    What one code means.

    :param kind: The error to raise. An ambiguous one becomes *unavailable* where repeating is harmless.
    :param remedy: What to do, in one sentence.
    :param soon: Whether the code proves that nothing was accepted and a try within seconds makes sense;
        ``None`` leaves it to the HTTP status.
    :param wait_seconds: How long the documentation says to wait.
    """

    kind: type[D360Error]
    remedy: str
    soon: bool | None = None
    wait_seconds: float | None = None


_KEY = Meaning(
    D360AuthError,
    "Put this number's API key into the connection's password; moving a number makes its old key invalid.",
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
_MARKETING = Meaning(D360RequestError, "Use an approved marketing template here, and only here.")
_GROUP = Meaning(D360RequestError, "Check the group id and that this number may write to the group.")
_UNCERTAIN = Meaning(D360AmbiguousError, "Look for the message's status before sending it again.")
_UNREACHABLE = Meaning(D360RecipientError, "Reach this recipient on another channel.")
_WINDOW = Meaning(
    D360RecipientError,
    "More than 24 hours have passed since the recipient last wrote; send an approved template instead.",
)
_TEMPLATE_STATE = Meaning(
    D360RequestError, "The template is paused or disabled; improve it or use another one."
)

META: dict[int, Meaning] = {
    **dict.fromkeys((0, 190), _KEY),
    **dict.fromkeys((3, 10, *range(200, 300), 131005, 368, 131031, 130497, 131037), _ACCOUNT),
    **dict.fromkeys((131042, 131044), _PAYMENT),
    **dict.fromkeys((131045, 133000, 133005, 133006, 133008, 133009, 133010, 133015), _REGISTRATION),
    1005: Meaning(
        D360AuthError, "The number still lives on the switched-off on-premise API; move it to the cloud."
    ),
    **dict.fromkeys((4, 80007, 130429), _BUSY),
    131056: Meaning(
        D360RateLimitError, "Leave six seconds between messages to the same recipient.", soon=True
    ),
    613: _BUSY._replace(soon=None),
    131048: Meaning(
        D360RateLimitError,
        "Stop the campaign and look at the number's quality rating in the Hub.",
        soon=False,
    ),
    131064: Meaning(D360RateLimitError, "The messaging limit is used up; try again later.", soon=False),
    132069: Meaning(D360RateLimitError, "The flow is throttled to ten messages an hour.", False, 3600.0),
    133016: Meaning(
        D360RateLimitError, "The number was registered too often; wait 72 hours.", False, 72 * 3600.0
    ),
    **dict.fromkeys((1, 2, 131000, 131016, 131057, 133004), _UNCERTAIN),
    134101: Meaning(
        D360UnavailableError, "The template is still being synchronised; wait ten minutes.", False, 600.0
    ),
    **dict.fromkeys((33, 100, 131008, 131009, 131051, 135000), _PARAMETER),
    **dict.fromkeys((131052, 131053), Meaning(D360RequestError, "Check the media's link, type and size.")),
    131062: Meaning(
        D360RequestError, "This message needs a phone number; a user id is not supported for it."
    ),
    **dict.fromkeys((132000, 132008, 132012, 132018), _TEMPLATE),
    132001: Meaning(
        D360RequestError, "Check the template's name and language, such as en or en_US, and its approval."
    ),
    132005: Meaning(D360RequestError, "Shorten the template's parameters."),
    132007: Meaning(D360RequestError, "The content breaks a WhatsApp policy; change it."),
    **dict.fromkeys((132015, 132016), _TEMPLATE_STATE),
    132068: Meaning(D360RequestError, "The flow is blocked; correct it in the WhatsApp Manager."),
    **dict.fromkeys((131055, 131063, 134100, 134102), _MARKETING),
    **dict.fromkeys((131020, 131041, *range(131201, 131216)), _GROUP),
    131021: Meaning(
        D360RecipientError, "Sender and recipient are the same number; choose another recipient."
    ),
    131026: Meaning(
        D360RecipientError, "The recipient is not on WhatsApp, has an old app or has not accepted its terms."
    ),
    131030: Meaning(D360RecipientError, "Add the recipient to the test number's list of allowed numbers."),
    131047: _WINDOW,
    131049: Meaning(
        D360RecipientError,
        "WhatsApp limits marketing to this person; wait at least 24 hours.",
        False,
        24 * 3600.0,
    ),
    131050: Meaning(
        D360RecipientError, "The recipient stopped your marketing messages; take them off the list."
    ),
    130403: Meaning(D360RecipientError, "Your business has blocked this recipient; unblock them first."),
    **dict.fromkeys((130472, 1026), _UNREACHABLE),
    137000: Meaning(
        D360RecipientError, "The recipient's identity has changed; confirm it and drop the old hash."
    ),
}

ON_PREMISE: dict[int, Meaning] = {
    400: Meaning(D360RequestError, "Check the media's link, type and size."),
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

# 360dialog's gateway speaks in sentences, two generations of them; the first that fits decides.
GATEWAY: tuple[tuple[str, Meaning], ...] = (
    (r"exceeded the (endpoint rate )?limit|rate limit|too many requests", _BUSY),
    (r"invalid api.?key|token expired|missing d360-api-key|unauthori[sz]ed", _KEY),
    (
        r"\bis blocked",
        Meaning(D360RequestError, "Check the connection's hosting: this path does not exist there."),
    ),
    (r"lack of payment|overdue invoice", _PAYMENT),
    (r"has been disabled|permission denied", _ACCOUNT),
)


def by_status(status: int) -> Meaning:
    """Judge by the HTTP status alone: the last resort, because rate limits come as 400 here."""
    if status == 429:
        return _BUSY
    if status == 401:
        return _KEY
    if status in (402, 403):
        return _ACCOUNT
    if 300 <= status < 400 or status in (404, 405, 410):
        return Meaning(
            D360RequestError, "Check the connection's host and hosting: this address is not the API's."
        )
    if 400 <= status < 500 and status != 408:
        return _PARAMETER
    return _UNCERTAIN

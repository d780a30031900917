"""Titles and HTTP statuses of WhatsApp's error codes, as the service sends them."""

from __future__ import annotations

# Codes that are not listed are still sent, as a 400 whose title says nothing.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
_CLOUD = {
    0: (401, "AuthException"),
    1: (400, "API Unknown"),
    2: (503, "API Service"),
    3: (500, "API Method"),
    4: (400, "API Too Many Calls"),
    10: (403, "API Permission Denied"),
    33: (400, "Parameter value is not valid"),
    100: (400, "Invalid parameter"),
    190: (401, "Access token has expired"),
    200: (403, "API Permission"),
    368: (403, "Temporarily blocked for policies violations"),
    613: (400, "Calls to this API have exceeded the rate limit"),
    80007: (400, "Rate limit issues"),
    130429: (400, "Rate limit hit"),
    130472: (400, "User's number is part of an experiment"),
    130497: (403, "Business account is restricted from messaging users in this country"),
    131000: (500, "Something went wrong"),
    131005: (403, "Access denied"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (500, "Service unavailable"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient not in allowed list"),
    131031: (403, "Business account locked"),
    131037: (400, "Display name approval is required"),
    131042: (400, "Business eligibility payment issue"),
    131045: (500, "Incorrect certificate"),
    131047: (400, "Re-engagement message"),
    131048: (400, "Spam rate limit hit"),
    131049: (400, "This message was not delivered to maintain healthy ecosystem engagement"),
    131050: (400, "User has stopped marketing messages"),
    131051: (400, "Unsupported message type"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131056: (400, "Business and consumer pair rate limit hit"),
    131057: (500, "Account in maintenance mode"),
    131062: (400, "Business-scoped user id is not supported for this message"),
    132000: (400, "Template param count mismatch"),
    132001: (404, "Template does not exist"),
    132005: (400, "Template hydrated text too long"),
    132007: (400, "Template format character policy violated"),
    132012: (400, "Template parameter format mismatch"),
    132015: (400, "Template is paused"),
    132016: (400, "Template is disabled"),
    133004: (503, "Server temporarily unavailable"),
    133010: (400, "Phone number not registered"),
    134101: (400, "Template is still syncing"),
    137000: (400, "Recipient identity key hash mismatch"),
}

# https://developers.facebook.com/docs/whatsapp/api/errors
_ON_PREMISE = {
    400: (400, "Media error"),
    470: (400, "Message failed to send because more than 24 hours have passed"),
    471: (400, "Spam rate limit hit"),
    1000: (400, "Generic error"),
    1001: (400, "Message too long"),
    1002: (400, "Invalid recipient type"),
    1004: (400, "Resource already exists"),
    1005: (403, "Access denied"),
    1006: (404, "Resource not found"),
    1008: (400, "Required parameter is missing"),
    1009: (400, "Parameter value is not valid"),
    1010: (400, "Parameter is not required"),
    1011: (503, "Service not ready"),
    1013: (400, "User is not valid"),
    1014: (500, "Internal error"),
    1015: (429, "Too many requests"),
    1016: (503, "System overloaded"),
    2000: (400, "Template param count mismatch"),
    2001: (404, "Template does not exist"),
}

_MEANINGS = {**_CLOUD, **_ON_PREMISE}


def meaning(code: int) -> tuple[int, str]:
    """Look up the HTTP status and the title that go with a code."""
    return _MEANINGS.get(code, (400, "Unknown error"))

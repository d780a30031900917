"""The title and HTTP status of each of WhatsApp's error codes."""

from __future__ import annotations

# Other codes can be sent, too: with the status 400 and the title "Unknown error".
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
    80008: (400, "There have been too many calls to this WhatsApp Business account"),
    130403: (400, "Blocked by business"),
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
    131055: (400, "Only marketing templates are supported"),
    131057: (500, "Account in maintenance mode"),
    131063: (400, "Marketing templates are disabled on Cloud API"),
    131064: (400, "Messaging limit reached"),
    131062: (400, "Business-scoped user id is not supported for this message"),
    132000: (400, "Template param count mismatch"),
    132001: (404, "Template does not exist"),
    132005: (400, "Template hydrated text too long"),
    132007: (400, "Template format character policy violated"),
    132008: (400, "Template parameter value mismatch"),
    132012: (400, "Template parameter format mismatch"),
    132015: (400, "Template is paused"),
    132016: (400, "Template is disabled"),
    132018: (400, "There is an issue with the parameters in your template"),
    132068: (400, "Flow is in blocked state"),
    132069: (400, "Flow is in throttled state"),
    133004: (503, "Server temporarily unavailable"),
    133010: (400, "Phone number not registered"),
    133016: (400, "Account register deregister rate limit exceeded"),
    134100: (400, "Only marketing messages are supported"),
    134101: (400, "Template is still syncing"),
    134102: (400, "Template is unavailable for use"),
    135000: (400, "Generic user error"),
    137000: (400, "Recipient identity key hash mismatch"),
}

# https://developers.facebook.com/docs/whatsapp/api/errors
_ON_PREMISE = {
    400: (400, "Media error"),
    470: (400, "Message failed to send because more than 24 hours have passed"),
    480: (400, "User's identity has changed"),
    500: (500, "Generic error"),
    501: (400, "Message type is not supported"),
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
    1026: (400, "Receiver is incapable of receiving this message"),
    1031: (403, "Account locked"),
    2000: (400, "Template param count mismatch"),
    2001: (404, "Template does not exist"),
    2005: (400, "Template hydrated text too long"),
    2012: (400, "Template parameter format mismatch"),
    2015: (400, "Template is paused"),
    2016: (400, "Template is disabled"),
}

_MEANINGS = {**_CLOUD, **_ON_PREMISE}


def meaning(code: int) -> tuple[int, str]:
    """
    Return the HTTP status and the title of an error code.

    :param code: The error code, of cloud or on-premise.
    """
    return _MEANINGS.get(code, (400, "Unknown error"))

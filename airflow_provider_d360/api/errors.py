"""
What can go wrong, sorted by what the caller does about it.

::

    D360Error
    ├── D360RequestError      fix the message, the template, the arguments
    ├── D360AuthError         fix the key or the account
    ├── D360RecipientError    this recipient cannot get it
    ├── D360RateLimitError    wait; nothing was accepted
    ├── D360UnavailableError  try later; nothing was accepted
    └── D360AmbiguousError    may have been accepted; a person, a policy or the store decides
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Condition(Enum):
    """
    A cause that code decides by, whichever code, sentence or hosting stated it.

    The class of an error says what a person does. A condition is for code that treats one cause unlike others
    of the same class; :mod:`~airflow_provider_d360.api.codes` says which codes and sentences mean it.
    """

    KEY_REJECTED = "key_rejected"
    """The API key is wrong or expired; other errors of its class concern the account."""
    RECIPIENT_INVALID = "recipient_invalid"
    """``to`` cannot be a recipient, so another message to it cannot help."""
    WINDOW_CLOSED = "window_closed"
    """More than 24 hours have passed since the recipient last wrote: only a template can be sent."""
    PAIR_LIMIT = "pair_limit"
    """Too many messages to the same recipient: Meta asks for another back-off than for other rate limits."""
    OPTED_OUT = "opted_out"
    """The recipient stopped marketing messages: at WhatsApp, or by what they wrote to us."""
    PERSON_CAPPED = "person_capped"
    """WhatsApp limits marketing to this person, from all businesses together; later it may go through."""
    STOP_SENDING = "stop_sending"
    """The next message to anybody would fail as well, or do harm: a campaign stops."""


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """
    What is known about one failure. Holds no key, no message text and no whole number.

    :param title: What happened, in a few words.
    :param remedy: What to do about it, in one sentence. Default: empty.
    :param code: The code of Meta or of the on-premise API; ``None`` when the response had none.
    :param details: What the service wrote beyond the title. Default: empty.
    :param http_status: The HTTP status; ``None`` when there was no response.
    :param fbtrace_id: Meta's id of this request, for a support ticket. Default: empty.
    :param retry_after_seconds: How long the service asks to wait, or is known to need; ``None`` when unknown.
    :param retry_soon: The response proves that nothing was accepted, and a retry within seconds makes sense.
        Default: ``False``.
    :param condition: The cause, where code decides by it; ``None`` for all others.
    :param subcode: Meta's ``error_subcode``, for a support ticket; ``None`` when the response had none.
    """

    title: str
    remedy: str = ""
    code: int | None = None
    details: str = ""
    http_status: int | None = None
    fbtrace_id: str = ""
    retry_after_seconds: float | None = None
    retry_soon: bool = False
    condition: Condition | None = None
    subcode: int | None = None

    def __str__(self) -> str:
        head = self.title if self.code is None else f"{self.code} {self.title}".rstrip()
        if self.details and self.details not in head:
            head = f"{head}: {self.details}"
        known = [f"HTTP {self.http_status}"] if self.http_status else []
        known += [f"subcode {self.subcode}"] if self.subcode is not None else []
        known += [f"fbtrace_id {self.fbtrace_id}"] if self.fbtrace_id else []
        head += f" ({', '.join(known)})" if known else ""
        return f"{head}. {self.remedy}" if self.remedy else head


class D360Error(Exception):
    """
    Any failure of a call to 360dialog.

    :param detail: What is known about it.
    """

    def __init__(self, detail: ErrorDetail) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return str(self.detail)


class D360RequestError(D360Error):
    """The request is wrong: fix the message, the template or the arguments. Nothing was accepted."""


class D360AuthError(D360Error):
    """The key or the account is the problem: wrong key, locked account, unpaid bill. Nothing was accepted."""


class D360RecipientError(D360Error):
    """The recipient cannot get this message: not on WhatsApp, outside the 24-hour window, opted out."""


class D360RateLimitError(D360Error):
    """Too fast, or too much. Nothing was accepted; ``detail.retry_after_seconds`` is how long to wait."""


class D360UnavailableError(D360Error):
    """The service cannot be reached or does not work. Nothing was accepted, or repeating is harmless."""


class D360AmbiguousError(D360Error):
    """The response was lost or proves nothing: the message may be on its way; again may mean twice."""


def request_error(title: str, remedy: str) -> D360RequestError:
    """
    Build the error for arguments that are certain to be rejected, before anything is sent.

    :param title: What is wrong, in a few words.
    :param remedy: What to do about it, in one sentence.
    """
    return D360RequestError(ErrorDetail(title, remedy))

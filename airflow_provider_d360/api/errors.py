"""
What can go wrong, sorted by what the caller does about it.

::

    D360Error
    ├── D360RequestError      fix the message, the template, the arguments
    ├── D360AuthError         fix the key or the account
    ├── D360RecipientError    this recipient cannot get it
    ├── D360RateLimitError    wait; nothing was accepted
    ├── D360UnavailableError  try later; nothing was accepted
    └── D360AmbiguousError    may have been accepted; a human, a policy or the store decides
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    What is known about one failure. Holds no key, no message text and no whole number.

    :param title: What happened, in a few words.
    :param remedy: What to do about it, in one sentence.
    :param code: The code of Meta or of the on-premise API, if the answer had one.
    :param details: What the service said beyond the title.
    :param http_status: The HTTP status, if there was an answer.
    :param fbtrace_id: Meta's id of this request, for a support ticket.
    :param retry_after_seconds: How long the service asked to wait, or is known to need.
    :param retry_soon: The answer proves that nothing was accepted, and trying again within seconds makes
        sense.
    """

    title: str
    remedy: str = ""
    code: int | None = None
    details: str = ""
    http_status: int | None = None
    fbtrace_id: str = ""
    retry_after_seconds: float | None = None
    retry_soon: bool = False

    def __str__(self) -> str:
        head = self.title if self.code is None else f"{self.code} {self.title}".rstrip()
        if self.details and self.details not in head:
            head = f"{head}: {self.details}"
        known = [f"HTTP {self.http_status}"] if self.http_status else []
        known += [f"fbtrace_id {self.fbtrace_id}"] if self.fbtrace_id else []
        head += f" ({', '.join(known)})" if known else ""
        return f"{head}. {self.remedy}" if self.remedy else head


class D360Error(Exception):
    """
    Any failure of a call to 360dialog.

    :param refusal: What is known about it.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal

    def __str__(self) -> str:
        return str(self.refusal)


class D360RequestError(D360Error):
    """The request is wrong: fix the message, the template or the arguments. Nothing was accepted."""


class D360AuthError(D360Error):
    """The key or the account is the problem: wrong key, locked account, unpaid bill. Nothing was accepted."""


class D360RecipientError(D360Error):
    """The recipient cannot get this message: not on WhatsApp, outside the 24-hour window, opted out."""


class D360RateLimitError(D360Error):
    """Too fast, or too much. Nothing was accepted; ``refusal.retry_after_seconds`` is how long to wait."""


class D360UnavailableError(D360Error):
    """The service cannot be reached or does not work. Nothing was accepted, or repeating is harmless."""


class D360AmbiguousError(D360Error):
    """The answer was lost or proves nothing: the message may be on its way; again may mean twice."""

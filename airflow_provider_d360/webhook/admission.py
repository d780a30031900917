"""Who may deliver: compared in constant time, before anything else is looked at."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

Headers = Mapping[bytes, bytes]

_SIGNATURE = b"x-360dialog-signature"


class NoCredentialsError(ValueError):
    """The receiver would take deliveries from anybody."""


class Admission:
    """
    Decides whose deliveries are taken.

    :param credentials: Sets of headers with their values, as ``D360ConfigureWebhookOperator`` registered
        them. A delivery that carries all headers of any one set is admitted: two sets make rotation possible.
    :param platform_secret: The partner's platform secret. With it, the signature of the body is required too.
    :raises NoCredentialsError: when there is no set, or one that anybody fulfils.
    """

    def __init__(self, credentials: Sequence[Mapping[str, str]], platform_secret: str | None = None) -> None:
        if not credentials or not all(
            wanted and all(value.strip() for value in wanted.values()) for wanted in credentials
        ):
            raise NoCredentialsError(
                "No credentials are configured, so anybody could deliver. Set webhook_username and "
                "webhook_password in the connection, and register them with D360ConfigureWebhookOperator."
            )
        self._credentials = [
            [(name.lower().encode(), value.strip().encode()) for name, value in wanted.items()]
            for wanted in credentials
        ]
        self._secret = platform_secret.encode() if platform_secret else None

    def admits(self, headers: Headers) -> bool:
        """Say whether the headers are those of somebody who may deliver."""
        matches = [
            [hmac.compare_digest(headers.get(name, b"").strip(), value) for name, value in wanted]
            for wanted in self._credentials
        ]
        return any([all(match) for match in matches])  # noqa: C419 - all are looked at, always

    def trusts(self, headers: Headers, body: bytes) -> bool:
        """Say whether the body is signed, if it must be."""
        if self._secret is None:
            return True
        given = headers.get(_SIGNATURE, b"").lower().removeprefix(b"sha256=")
        wanted = hmac.new(self._secret, body, hashlib.sha256).hexdigest().encode()
        return hmac.compare_digest(given, wanted)

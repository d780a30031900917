"""Who may deliver: headers are compared in constant time, before anything else of a request is read."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

Headers = Mapping[bytes, bytes]

_SIGNATURE = b"x-360dialog-signature"


class NoCredentialsError(ValueError):
    """The receiver would accept deliveries from anybody."""


class Admission:
    """
    Decides whose deliveries are accepted.

    :param credentials: Sets of headers with their values, as ``D360ConfigureWebhookOperator`` registered
        them. A delivery must carry all headers of one set: with two sets, credentials can be rotated.
    :param platform_secret: The partner's platform secret. With it, the body must be signed, too.
    :raises NoCredentialsError: if there is no set, or an empty one.
    """

    def __init__(self, credentials: Sequence[Mapping[str, str]], platform_secret: str | None = None) -> None:
        if not credentials or not all(
            headers and all(value.strip() for value in headers.values()) for headers in credentials
        ):
            raise NoCredentialsError(
                "No credentials are configured, so anybody could deliver. Set webhook_username and "
                "webhook_password in the connection, and register them with D360ConfigureWebhookOperator."
            )
        self._credentials = [
            [(name.lower().encode(), value.strip().encode()) for name, value in headers.items()]
            for headers in credentials
        ]
        self._secret = platform_secret.encode() if platform_secret else None

    def admits(self, headers: Headers) -> bool:
        """
        Return True if the headers hold valid credentials.

        :param headers: Names in lower case.
        """
        matches = [
            [hmac.compare_digest(headers.get(name, b"").strip(), value) for name, value in required]
            for required in self._credentials
        ]
        return any([all(match) for match in matches])  # noqa: C419 - always compares all

    def trusts(self, headers: Headers, body: bytes) -> bool:
        """
        Return True if the body carries a valid signature, or if none is required.

        :param headers: Names in lower case.
        :param body: The body as it was sent, not decompressed.
        """
        if self._secret is None:
            return True
        signature = headers.get(_SIGNATURE, b"").lower().removeprefix(b"sha256=")
        expected = hmac.new(self._secret, body, hashlib.sha256).hexdigest().encode()
        return hmac.compare_digest(signature, expected)

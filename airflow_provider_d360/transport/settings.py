"""The settings of one number: its hosting, its key, its base URL, its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.restrictions import Restriction
from airflow_provider_d360.transport.sockets import is_loopback


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """
    One number at 360dialog, and how to reach it.

    :param hosting: The hosting of the number: cloud, on-premise or sandbox.
    :param api_key: The number's API key. It is sent to ``base_url`` and nowhere else.
    :param base_url: The root of all request URLs: ``https://…``; ``http://`` only for loopback addresses.
    :param timeout_seconds: The time limit of one request, from connecting to the last byte of its response.
        Connecting may take at most 10 seconds of it.
    :param max_attempts: The number of attempts for a request that is known not to have been accepted.
    :param messages_per_second: The rate limit of the number.
    :param incoming_share: The part of it that is left to incoming messages, where processes share the limit.
    :param budget_seconds: The time limit of one call: all its attempts and the waits between them.
    :param default_region: The country of numbers with a leading 0, such as ``DE``; ``None`` reads none.
    :param restriction: Whom the connection may write to; ``None`` restricts nothing.
    :param webhook_secrets: The webhook login. Like the key, it is removed from every error text.
    :raises D360RequestError: when ``base_url`` is not a URL to which a key may be sent.
    """

    hosting: Hosting
    api_key: str = field(repr=False)
    base_url: str
    timeout_seconds: float = 30.0
    max_attempts: int = 3
    messages_per_second: float = 80.0
    incoming_share: float = 0.1
    budget_seconds: float = 90.0
    default_region: str | None = None
    restriction: Restriction | None = None
    webhook_secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def secrets(self) -> frozenset[str]:
        """The strings that are removed from every error text."""
        return self.webhook_secrets | {self.api_key}

    @property
    def host(self) -> str:
        """The host of ``base_url``, without port and path."""
        return urlsplit(self.base_url).hostname or ""

    def url(self, path: str) -> str:
        """
        Build the URL of a request.

        :param path: The path and query of the request. Must start with ``/``.
        :raises D360RequestError: when it does not: ``@elsewhere`` would change the host.
        """
        if not path.startswith("/"):
            raise D360RequestError(ErrorDetail("The path must start with /", "Correct the call's path."))
        return self.base_url.rstrip("/") + path

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            _ = parts.port, self.host.encode("idna")
        except ValueError:  # its text quotes the URL
            parts = None
        if parts is None:
            raise _not_usable("its name or its port cannot be one")
        if parts.scheme == "http" and not is_loopback(self.host):
            raise _not_usable("http:// would send the key in clear text; use https://")
        if parts.scheme not in ("http", "https") or not self.host:
            raise _not_usable("it must look like https://waba-v2.360dialog.io")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise _not_usable("it may hold a path, but no user, query or fragment")


def _not_usable(problem: str) -> D360RequestError:
    return D360RequestError(
        ErrorDetail(title=f"host is not usable: {problem}", remedy="Correct the connection's host.")
    )

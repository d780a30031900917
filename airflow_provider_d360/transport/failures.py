"""Exchanges without a response: was the request sent, and why did it fail."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.privacy import scrub
from airflow_provider_d360.api.responses import lost_response, never_sent

if TYPE_CHECKING:
    from airflow_provider_d360.api.wire import Call
    from airflow_provider_d360.transport.bodies import BodyStream
    from airflow_provider_d360.transport.settings import ConnectionSettings

_NO_CONNECTION = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
_TIMEOUTS = (asyncio.TimeoutError, TimeoutError)  # two classes before Python 3.11


def failure_of(
    call: Call[Any], settings: ConnectionSettings, body: BodyStream, error: BaseException
) -> BaseException:
    """
    Return the error to raise for an exchange without a response, and keep its request from being sent later.

    It is not chained to the library's own error, which holds the request with its key, and quotes it.

    :param call: The call.
    :param settings: The settings of the connection.
    :param body: The body that was, or was not, sent.
    :param error: The error of the HTTP library.
    """
    started = body.abandon()
    if body.problem is not None:
        return body.problem
    root = _root(error)
    reason = scrub(_reason(root), settings.secrets)
    if started or not (body or isinstance(root, _NO_CONNECTION)):
        return lost_response(call, f"No response from {settings.host} ({reason})")
    certificate = isinstance(root, ssl.SSLError) and "CERTIFICATE" in (root.reason or "")
    remedy = (
        "Check the CA bundle (REQUESTS_CA_BUNDLE) and the connection's host."
        if certificate
        else "Check the network, the proxy and the connection's host. Nothing was sent."
    )
    return never_sent(f"Cannot connect to {settings.host}", reason, remedy, retry_soon=not certificate)


def reason_of(error: BaseException) -> str:
    """
    Explain in a few words why there was no response. Nothing of the request is quoted.

    :param error: The error of the HTTP library.
    """
    return _reason(_root(error))


def _root(error: BaseException) -> BaseException:
    """Find the innermost of the errors that HTTP libraries wrap; a timeout has nothing of interest inside."""
    while not isinstance(error, _TIMEOUTS) and (error.__cause__ or error.__context__):
        error = error.__cause__ or error.__context__ or error
    return error


def _reason(root: BaseException) -> str:
    """
    Explain an error in the words of the operating system or of OpenSSL, which quote nothing.

    The texts of HTTP libraries quote headers, URLs and bodies; of their errors, only the type is shown.
    """
    if isinstance(root, _TIMEOUTS):
        return "it took too long"
    if isinstance(root, ssl.SSLCertVerificationError):
        return root.verify_message
    if isinstance(root, ssl.SSLError):
        return (root.reason or type(root).__name__).lower().replace("_", " ")
    if isinstance(root, OSError) and type(root).__module__ in ("builtins", "socket") and root.strerror:
        return root.strerror
    proxy = re.match(r"Tunnel connection failed: (\d{3})\b", str(root))
    return f"the proxy responded with HTTP {proxy[1]}" if proxy else type(root).__name__

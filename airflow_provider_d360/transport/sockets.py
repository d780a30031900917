"""The rules of our connections: trusted certificates, loopback, proxies, unchanged paths, 1xx responses."""

from __future__ import annotations

import ipaddress
import os
import re
from contextvars import ContextVar
from functools import cache, lru_cache
from http.client import BadStatusLine, HTTPResponse, parse_headers
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_d360.api.errors import D360UnavailableError, ErrorDetail

if TYPE_CHECKING:
    import ssl

    import requests
    import yarl
    from requests.adapters import HTTPAdapter

_MOST_INFORMATIONAL = 20

_target: ContextVar[str] = ContextVar("d360_target", default="")


def ca_bundle() -> str:
    """Return the path of the CA bundle that requests would use: from the environment, or its own."""
    from requests.certs import where  # type: ignore[attr-defined, unused-ignore]

    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or str(where())


def tls_context() -> ssl.SSLContext:
    """
    Return TLS settings that trust the CA bundle. All connections of a process share them until it changes.

    Reading the bundle takes 30 ms: do not call this on an event loop.

    :raises D360UnavailableError: when it cannot be read.
    """
    bundle = ca_bundle()
    try:
        return _trusting(bundle, Path(bundle).stat().st_mtime_ns)
    except OSError:
        failure = _unreadable_bundle()
    raise failure


@lru_cache(maxsize=1)
def _trusting(bundle: str, changed_at: int) -> ssl.SSLContext:
    import ssl

    folder = Path(bundle).is_dir()
    return ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)


def _unreadable_bundle() -> D360UnavailableError:
    return D360UnavailableError(
        ErrorDetail(
            "The CA bundle is missing or cannot be read",
            "Correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment. Nothing was sent.",
        )
    )


def is_loopback(host: str | None) -> bool:
    """
    Return True if a host is this machine, where plain HTTP is safe.

    :param host: A name or an address; ``None`` is not loopback.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def new_session(host: str) -> requests.Session:
    """
    Make a session that uses the proxies and certificates that requests users expect, but no ``.netrc``.

    :param host: The host it is for. For loopback, no proxy is used.
    """
    import requests

    session = requests.Session()
    session.auth = _no_auth  # without it, requests reads a login from ~/.netrc
    session.get_redirect_target = _no_redirect  # type: ignore[method-assign]  # it fails at broken ones
    session.verify = ca_bundle()
    session.trust_env = not is_loopback(host)
    for scheme in ("https://", "http://"):
        session.mount(scheme, _verbatim_adapter()())
    return session


def proxy_for(url: str) -> str | None:
    """
    Return the proxy that requests would use. aiohttp's own search would read logins from ``~/.netrc``, too.

    :param url: A URL of the host.
    """
    from requests.utils import get_environ_proxies, select_proxy

    if is_loopback(urlsplit(url).hostname):
        return None
    return select_proxy(url, get_environ_proxies(url))


def keep_target(url: str) -> None:
    """
    Make the next request of this thread use path and query of a URL byte for byte, and log neither.

    :param url: The URL of the request. What no path may hold, such as a space, is percent-encoded.
    """
    from requests.utils import requote_uri

    parts = urlsplit(url)
    target = url.partition("://")[2][len(parts.netloc) :].partition("#")[0]
    target = target if target.startswith("/") else f"/{target}"
    _target.set(target if _is_plain(target) else requote_uri(target))


@lru_cache(maxsize=64)  # messages all go to one
def exact_url(url: str) -> str | yarl.URL:
    """
    Return a URL in a form that aiohttp does not rewrite.

    :param url: The URL of the request.
    """
    import yarl

    return yarl.URL(url, encoded=True) if _is_plain(url) else url


def _is_plain(text: str) -> bool:
    return re.fullmatch(r"[!\"$-~]+", text) is not None


def _no_redirect(resp: requests.Response) -> str | None:
    return None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class FinalResponse(HTTPResponse):
    """
    An HTTP response that skips informational ones before it, such as 103 Early Hints.

    Python's own class skips 100 only. 101 stays: we ask for no other protocol, so it ends the exchange.
    """

    def begin(self) -> None:
        super().begin()
        # urllib3 would log what it cannot parse, and a broken server may quote the request there.
        self.headers.defects.clear()
        self.headers.set_payload("")

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MOST_INFORMATIONAL):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == 101:
                return version, status, reason
            parse_headers(self.fp)
        raise BadStatusLine("too many informational responses")


@cache
def _verbatim_adapter() -> type[HTTPAdapter]:
    """
    Build an adapter whose connections send a path byte for byte and skip 1xx responses.

    requests and urllib3 rewrite the percent signs of a path, which breaks the signed addresses of media.
    """
    from requests.adapters import HTTPAdapter

    class VerbatimAdapter(HTTPAdapter):
        def request_url(self, request: Any, proxies: Any) -> str:
            """Return the path that urllib3 logs; the one that is sent may hold numbers and signatures."""
            return "/…"

        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
            try:
                super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
                is_readable = True
            except OSError:
                is_readable = False
            if not is_readable:
                raise _unreadable_bundle()
            conn.ConnectionCls = _verbatim_connection(type(conn).ConnectionCls)

    return VerbatimAdapter


@cache
def _verbatim_connection(plain: Any) -> Any:
    class VerbatimConnection(plain):  # type: ignore[misc]
        response_class = FinalResponse

        def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
            super().putrequest(method, _target.get() or url, *args, **kwargs)

    return VerbatimConnection

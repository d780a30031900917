"""What a connection must know: which certificates to trust, who is loopback, how a path is written."""

from __future__ import annotations

import ipaddress
import os
import re
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

    import requests
    import yarl
    from requests.adapters import HTTPAdapter

_target: ContextVar[str] = ContextVar("d360_target", default="")


def ca_bundle() -> str:
    """Find the certificates that requests would trust: those named in the environment, or its own."""
    from requests.certs import where  # type: ignore[attr-defined, unused-ignore]

    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or str(where())


def tls_context() -> ssl.SSLContext:
    """Read the bundle; that takes long enough to be kept off the event loop."""
    import ssl

    bundle = ca_bundle()
    folder = Path(bundle).is_dir()
    return ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)


def is_loopback(host: str | None) -> bool:
    """Say whether a host is this machine, where nobody listens in."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def new_session(base_url: str) -> requests.Session:
    """Make a session that finds proxies and certificates as requests users expect, and no login."""
    import requests

    session = requests.Session()
    session.auth = _no_auth  # or requests would look for a login in ~/.netrc
    session.get_redirect_target = _no_redirect  # type: ignore[method-assign]  # it would read broken ones
    session.verify = ca_bundle()
    session.trust_env = not is_loopback(urlsplit(base_url).hostname)
    for scheme in ("https://", "http://"):
        session.mount(scheme, _verbatim_adapter()())
    return session


def proxy_for(url: str) -> str | None:
    """Find the proxy that requests would use; aiohttp's own search would bring logins from ~/.netrc along."""
    from requests.utils import get_environ_proxies, select_proxy

    if is_loopback(urlsplit(url).hostname):
        return None
    return select_proxy(url, get_environ_proxies(url))


def keep_target(url: str) -> None:
    """Let the next requests of this thread go to path and query of this URL exactly as they are written."""
    parts = urlsplit(url)
    target = url.partition("://")[2][len(parts.netloc) :]
    _target.set(target if _is_plain(target) else "")


def exact_url(url: str) -> str | yarl.URL:
    """Keep aiohttp from rewriting an URL."""
    import yarl

    return yarl.URL(url, encoded=True) if _is_plain(url) else url


def _is_plain(text: str) -> bool:
    return re.fullmatch(r"[!\"$-~]+", text) is not None


def _no_redirect(resp: requests.Response) -> str | None:
    return None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


@cache
def _verbatim_adapter() -> type[HTTPAdapter]:
    """
    Build an adapter that asks for a path byte for byte.

    requests and urllib3 rewrite the percent signs of a path, which breaks the signed addresses of media.
    """
    from requests.adapters import HTTPAdapter

    class VerbatimAdapter(HTTPAdapter):
        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
            conn.ConnectionCls = _verbatim_connection(type(conn).ConnectionCls)

    return VerbatimAdapter


@cache
def _verbatim_connection(plain: Any) -> Any:
    class VerbatimConnection(plain):  # type: ignore[misc]
        def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
            super().putrequest(method, _target.get() or url, *args, **kwargs)

    return VerbatimConnection

"""Whether anybody serves a URL, seen from this machine."""

from __future__ import annotations

import queue
import threading
from urllib.parse import urlsplit

from airflow_provider_d360 import __version__
from airflow_provider_d360.transport.failures import reason_of
from airflow_provider_d360.transport.sockets import keep_target, new_session

_SECONDS = 10.0


def why_unserved(url: str, seconds: float = _SECONDS) -> str | None:
    """
    Send one GET without key, login or headers of the webhook, and return why nobody serves a URL, or None.

    Every response counts as served, a redirect (it is not followed) and 405 included, but 404 and 5xx do not.
    A receiver that requires a login, or takes POST only, is served.

    :param url: The URL.
    :param seconds: The longest time, in seconds, for everything. Default: 10.
    """
    outcomes: queue.Queue[str | None] = queue.Queue()
    # A daemon: a server that sends its headers byte by byte must not delay the end of the process.
    threading.Thread(target=lambda: outcomes.put(_look(url, seconds)), daemon=True).start()
    try:
        return outcomes.get(timeout=seconds)
    except queue.Empty:
        return reason_of(TimeoutError())


def _look(url: str, seconds: float) -> str | None:
    import requests
    import urllib3

    from airflow_provider_d360.api.errors import D360UnavailableError

    try:
        keep_target(url)
        with (
            new_session(urlsplit(url).hostname or "") as session,
            session.get(
                url,
                headers={"User-Agent": f"airflow-provider-d360/{__version__}"},
                timeout=seconds,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            unserved = response.status_code == 404 or response.status_code >= 500
            return f"HTTP {response.status_code}" if unserved else None
    except D360UnavailableError as error:  # the CA bundle of this machine
        return str(error)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return reason_of(error)

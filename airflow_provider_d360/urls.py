"""Where the pages and the receiver live below Airflow's own address. Imports nothing of this package."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

URL_PREFIX = "/d360"


def base_url() -> str:
    """Return the address of Airflow's user interface (``[api] base_url``) without a slash at its end."""
    try:
        from airflow.sdk.configuration import conf
    except ImportError:  # before 3.2
        from airflow.configuration import conf
    return (conf.get("api", "base_url", fallback="") or "").rstrip("/")


def base_path() -> str:
    """Return the path below which Airflow lives, such as ``/airflow``; empty at the root of a host."""
    return urlsplit(base_url()).path.rstrip("/")


def messages_path(short_id: str | None = None) -> str:
    """
    Return the path of the page of all messages, or of one.

    :param short_id: The short form of the message's id, which the store knows; all messages without it.
    """
    path = f"{base_path()}{URL_PREFIX}/messages"
    return path if short_id is None else f"{path}/{quote(short_id, safe='')}"

"""Where the pages and the receiver live below Airflow's own address. Imports nothing of this package."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

URL_PREFIX = "/d360"
VIEW_ROUTE = "whatsapp"


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


def page_path(*parts: str) -> str:
    """
    Return the path of a page of ours.

    :param parts: Its parts below the prefix, such as ``messages`` and a message's short id.
    """
    return "/".join([base_path() + URL_PREFIX, *(quote(part, safe="") for part in parts)])


def messages_path(short_id: str | None = None) -> str:
    """
    Return the path of the page of all messages, or of one.

    :param short_id: The short form of the message's id, which the store knows; all messages without it.
    """
    return page_path("messages") if short_id is None else page_path("messages", short_id)


def framed_path(path: str) -> str:
    """
    Return the path at which Airflow 3.3 and later show a page of ours inside their own.

    :param path: The path of the page.
    """
    return f"{base_path()}/plugin/{VIEW_ROUTE}{path}"

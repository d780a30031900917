"""Pages as HTML: everything is escaped, nothing is loaded from elsewhere, and nobody else may frame them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from airflow_provider_d360.pages.addresses import page_path

ASSETS = {"pages.css": "text/css", "pages.js": "text/javascript"}


def render(template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """
    Fill a template in.

    :param template: The name of a file in ``templates``.
    :param status_code: The HTTP status of the response.
    :param values: What it shows. ``sections`` and ``current`` are the tabs above it, ``refresh`` the seconds
        after which it is loaded again; default: none.
    """
    values = {"sections": (), "current": None, "refresh": None, **values}
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(values), status_code, _HEADERS)


def asset(name: str) -> Response:
    """
    Return a file that pages load. Browsers may keep it: its address changes with its content.

    :param name: Its name in ``static``.
    """
    if name not in ASSETS:
        raise HTTPException(404)
    headers = {"Cache-Control": "max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(_content(name), media_type=ASSETS[name], headers=headers)


def clock(instant: float) -> str:
    """
    Write an instant as people read it, in UTC.

    :param instant: In Unix seconds.
    """
    return _utc(instant).strftime("%Y-%m-%d %H:%M:%S")


def iso(instant: float) -> str:
    """
    Write an instant in ISO 8601, in UTC.

    :param instant: In Unix seconds.
    """
    return _utc(instant).isoformat(timespec="seconds")


def elapsed(seconds: float) -> str:
    """
    Write a duration, roughly; WhatsApp's own times are whole seconds.

    :param seconds: The duration; a negative one is written as 0.
    """
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{max(0, round(seconds))} s"


def _utc(instant: float) -> datetime:
    try:
        return datetime.fromtimestamp(instant, timezone.utc)
    except (OverflowError, OSError, ValueError):  # a webhook may say anything
        return datetime.fromtimestamp(0, timezone.utc)


@cache
def _content(name: str) -> bytes:
    return Path(__file__).with_name("static").joinpath(name).read_bytes()


def _asset_path(name: str) -> str:
    return page_path("static", name, query={"v": hashlib.sha256(_content(name)).hexdigest()[:12]})


_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
    "base-uri": "'none'",
}

_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

_ENVIRONMENT = Environment(
    loader=PackageLoader("airflow_provider_d360.pages", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(clock=clock, iso=iso, elapsed=elapsed)
_ENVIRONMENT.globals.update(asset=_asset_path)

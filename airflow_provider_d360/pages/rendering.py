"""Pages as HTML: everything is escaped, nothing is loaded from elsewhere, and nobody else may frame them."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_TEMPLATES = "templates"


def render(template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """
    Fill a template in.

    :param template: The name of a file in ``templates``.
    :param status_code: The HTTP status of the response.
    :param values: What it shows.
    """
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(values), status_code, _HEADERS)


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


def _source(name: str) -> str:
    return Path(__file__).with_name(_TEMPLATES).joinpath(name).read_text(encoding="utf-8")


def _allow(text: str) -> str:
    """Name an inline style or script in the policy: that one and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_STYLE, _SCRIPT = _source("page.css"), _source("page.js")

_POLICY = {
    "default-src": "'none'",
    "style-src": _allow(_STYLE),
    "script-src": _allow(_SCRIPT),
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
    loader=PackageLoader("airflow_provider_d360.pages", _TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(clock=clock, iso=iso, elapsed=elapsed)
_ENVIRONMENT.globals.update(style=Markup(_STYLE), script=Markup(_SCRIPT))  # noqa: S704 - files of ours

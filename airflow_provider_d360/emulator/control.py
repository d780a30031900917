"""The emulator's own endpoints, under ``/_emulator/``: for tests in another process or another language."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from airflow_provider_d360.api.wire import Request, Response
from airflow_provider_d360.emulator.answers import answer
from airflow_provider_d360.emulator.app import Emulator
from airflow_provider_d360.emulator.faults import fault_named

PREFIX = "/_emulator/"


def control(emulator: Emulator, request: Request) -> Response:
    """Answer a request for a path below ``PREFIX``; no key is asked for."""
    name = request.path.partition("?")[0].removeprefix(PREFIX)
    if request.method == "GET" and name in _READERS:
        return answer(200, _READERS[name](emulator))
    if request.method != "POST" or name not in _ACTIONS:
        return answer(404, {"error": f"There is no {request.method} {PREFIX}{name}"})
    try:
        arguments = json.loads(request.body or b"{}")
        return answer(200, _ACTIONS[name](emulator, **arguments))
    except (ValueError, TypeError, LookupError) as error:
        return answer(400, {"error": str(error)})


def _sent(emulator: Emulator) -> list[dict[str, Any]]:
    return [asdict(sent) for sent in emulator.sent]


def _requests(emulator: Emulator) -> list[dict[str, Any]]:
    return [
        {
            "method": request.method,
            "path": request.path,
            "headers": dict(request.headers),
            "body": request.body.decode(errors="replace"),
        }
        for request in emulator.requests
    ]


def _deliveries(emulator: Emulator) -> list[dict[str, Any]]:
    return [asdict(delivery) for delivery in emulator.deliveries]


def _fail_next(
    emulator: Emulator, *, fault: str, times: int = 1, path: str | None = None, **arguments: Any
) -> dict[str, Any]:
    emulator.fail_next(fault_named(fault, **arguments), times, path)
    return {}


def _refuse(
    emulator: Emulator, *, code: int, to: str | None = None, times: int | None = None
) -> dict[str, Any]:
    emulator.refuse(code, to, times)
    return {}


def _set_statuses(emulator: Emulator, *, statuses: list[str], to: str | None = None) -> dict[str, Any]:
    emulator.set_statuses(statuses, to)
    return {}


def _receive(emulator: Emulator, **arguments: Any) -> dict[str, Any]:
    return {"message_id": emulator.receive(**arguments)}


def _store_media(emulator: Emulator, *, content_base64: str, **arguments: Any) -> dict[str, Any]:
    content = base64.b64decode(content_base64, validate=True)
    return {"media_id": emulator.media.add(content, **arguments)}


def _add_template(emulator: Emulator, *, status: str | None = None, **content: Any) -> dict[str, Any]:
    return {"template_id": emulator.templates.add(content, status=status).template_id}


def _reset(emulator: Emulator) -> dict[str, Any]:
    emulator.reset()
    return {}


_READERS: dict[str, Callable[[Emulator], object]] = {
    "sent": _sent,
    "requests": _requests,
    "deliveries": _deliveries,
}
_ACTIONS: dict[str, Callable[..., object]] = {
    "faults": _fail_next,
    "refusals": _refuse,
    "statuses": _set_statuses,
    "inbound": _receive,
    "media": _store_media,
    "templates": _add_template,
    "reset": _reset,
}

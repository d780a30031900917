"""The emulator's own endpoints under ``/_emulator/``, for tests in another process or another language."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from airflow_provider_d360.api.wire import Request, Response
from airflow_provider_d360.emulator.app import Emulator
from airflow_provider_d360.emulator.faults import fault_named
from airflow_provider_d360.emulator.responses import json_response

PREFIX = "/_emulator/"


def control(emulator: Emulator, request: Request) -> Response:
    """
    Handle a request below ``PREFIX``, which needs no API key.

    :param emulator: The emulator.
    :param request: The request.
    """
    name = request.path.partition("?")[0].removeprefix(PREFIX)
    if request.method == "GET" and name in _READERS:
        return json_response(200, _READERS[name](emulator))
    if request.method != "POST" or name not in _ACTIONS:
        return json_response(404, {"error": f"There is no {request.method} {PREFIX}{name}"})
    try:
        arguments = json.loads(request.body or b"{}")
        return json_response(200, _ACTIONS[name](emulator, **arguments) or {})
    except (ValueError, TypeError, LookupError) as error:
        return json_response(400, {"error": str(error)})


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
) -> None:
    emulator.fail_next(fault_named(fault, **arguments), times, path)


def _receive(emulator: Emulator, **arguments: Any) -> dict[str, Any]:
    return {"message_id": emulator.receive(**arguments)}


def _tap(emulator: Emulator, *, message_id: str, choice: str | int) -> dict[str, Any]:
    return {"message_id": emulator.tap(message_id, choice)}


def _quote(emulator: Emulator, *, message_id: str, message: str | dict[str, Any]) -> dict[str, Any]:
    return {"message_id": emulator.quote(message_id, message)}


def _store_media(emulator: Emulator, *, content_base64: str, **arguments: Any) -> dict[str, Any]:
    content = base64.b64decode(content_base64, validate=True)
    return {"media_id": emulator.media.add(content, **arguments)}


def _set_categories(emulator: Emulator, **categories: str) -> None:
    emulator.templates.categories.update(categories)


def _set_strict(emulator: Emulator, *, strict: bool = True) -> None:
    emulator.strict = strict


def _add_template(emulator: Emulator, *, status: str | None = None, **content: Any) -> dict[str, Any]:
    return {"template_id": emulator.templates.add(content, status=status).template_id}


_READERS: dict[str, Callable[[Emulator], object]] = {
    "sent": _sent,
    "requests": _requests,
    "deliveries": _deliveries,
}
_ACTIONS: dict[str, Callable[..., object]] = {
    "faults": _fail_next,
    "rejections": Emulator.reject,
    "statuses": Emulator.set_statuses,
    "inbound": _receive,
    "taps": _tap,
    "quotes": _quote,
    "media": _store_media,
    "templates": _add_template,
    "template_status": Emulator.set_template_status,
    "notices": Emulator.report,
    "held_templates": Emulator.hold_template,
    "released_templates": Emulator.release_held,
    "dropped_templates": Emulator.drop_held,
    "preferences": Emulator.set_preference,
    "marketing_caps": Emulator.cap_marketing,
    "categories": _set_categories,
    "strict": _set_strict,
    "reset": Emulator.reset,
}

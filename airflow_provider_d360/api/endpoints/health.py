"""Health: whether a number is able to send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.reading import json_object, objects, string
from airflow_provider_d360.api.wire import Call, Response, json_request


@dataclass(frozen=True, slots=True)
class Health:
    """
    Whether the number, or the on-premise server, is able to send.

    :param can_send_message: ``AVAILABLE``, ``LIMITED`` or ``BLOCKED``.
    :param problems: Codes and descriptions of what limits it, as far as the response has them.
    """

    can_send_message: str
    problems: tuple[str, ...] = ()


def health(hosting: Hosting) -> Call[Health]:
    """
    Read whether a number is able to send; on on-premise, whether the server is connected.

    :param hosting: The hosting of the number; not the sandbox.
    """
    path = hosting.need(hosting.health, "health endpoint")
    return Call(json_request("GET", path), read_health, repeatable=True)


def read_health(response: Response) -> Health:
    """
    Read the response about a cloud number, or an on-premise server with its one gateway or several nodes.

    :param response: The response.
    :raises ValueError: when it holds no health.
    """
    body = json_object(response)
    cloud, server = body.get("health_status"), body.get("health")
    if isinstance(cloud, dict) and isinstance(cloud.get("can_send_message"), str):
        return Health(cloud["can_send_message"], tuple(_problems(cloud)))
    if isinstance(server, dict) and server:
        return _server_health(server)
    raise ValueError("it holds no health")


def _server_health(server: dict[str, object]) -> Health:
    nodes = [server] if "gateway_status" in server else list(objects(list(server.values())))
    states = sorted({str(node.get("gateway_status", "unknown")) for node in nodes})
    if states == ["connected"]:
        return Health("AVAILABLE")
    up = "connected" in states
    return Health("LIMITED" if up else "BLOCKED", tuple(f"gateway {state}" for state in states))


def _problems(health: Mapping[str, object]) -> Iterator[str]:
    for entity in objects(health.get("entities")):
        kind = string(entity.get("entity_type")) or "entity"
        for error in objects(entity.get("errors")):
            yield f"{kind}: {error.get('error_code', '')} {error.get('error_description', '')}".strip()
        notes = entity.get("additional_info")
        yield from (
            (f"{kind}: {note}" for note in notes if isinstance(note, str)) if isinstance(notes, list) else ()
        )

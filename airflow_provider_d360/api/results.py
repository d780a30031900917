"""What answers say, as frozen values. Readers require the least that a call is useless without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from airflow_provider_d360.api.reading import json_object, objects
from airflow_provider_d360.api.wire import Response


@dataclass(frozen=True, slots=True)
class Sent:
    """
    A message that 360dialog has accepted; whether it arrives, only its statuses tell.

    :param message_id: The message's id. ``None`` only on the sandbox, which may not answer with one.
    :param wa_id: The recipient's WhatsApp id, when it was told. It can differ from the number that was given.
    :param user_id: The recipient's business-scoped user id, when it was told.
    :param message_status: ``accepted``, ``held_for_quality_assessment`` or ``paused``; told for templates
        only.
    """

    message_id: str | None
    wa_id: str | None = field(default=None, repr=False)
    user_id: str | None = field(default=None, repr=False)
    message_status: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """
    Where deliveries go.

    :param url: The URL; ``None`` when none is set.
    :param headers: Headers sent with each delivery, credentials among them, so ``repr`` does not show them.
    :param phone_numbers: Of a WABA-level webhook: the numbers of the account.
    """

    url: str | None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    phone_numbers: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ContactCheck:
    """
    Whether a number is on WhatsApp, as the on-premise API says.

    :param given: The number as it was asked for.
    :param status: ``valid``, ``invalid`` or ``processing``.
    :param wa_id: The WhatsApp id of a valid number.
    """

    given: str = field(repr=False)
    status: str
    wa_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Health:
    """
    Whether the number, or the on-premise server, is able to send.

    :param can_send_message: ``AVAILABLE``, ``LIMITED`` or ``BLOCKED``.
    :param problems: What limits it: codes and descriptions, as far as the service tells.
    """

    can_send_message: str
    problems: tuple[str, ...] = ()


def read_sent(response: Response, *, id_required: bool) -> Sent:
    """Read the answer to a send; raise ``ValueError`` when an id is required and there is none."""
    if not response.body.strip() and not id_required:
        return Sent(None)
    body = json_object(response)
    message = next(objects(body.get("messages")), {})
    contact = next(objects(body.get("contacts")), {})
    message_id = _string(message.get("id"))
    if message_id is None and id_required:
        raise ValueError("it holds no message id")
    return Sent(
        message_id,
        _string(contact.get("wa_id")),
        _string(contact.get("user_id")),
        _string(message.get("message_status")),
    )


def read_nothing(response: Response) -> None:
    """Read an answer that says no more than its status does."""


def read_webhook(response: Response) -> WebhookConfig:
    """Read the webhook of a number or an account."""
    body = json_object(response)
    headers, numbers = body.get("headers"), body.get("phone_numbers")
    return WebhookConfig(
        _string(body.get("url")),
        {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {},
        tuple(str(number) for number in numbers) if isinstance(numbers, list) else (),
    )


def read_contacts(response: Response) -> tuple[ContactCheck, ...]:
    """Read which numbers are on WhatsApp."""
    return tuple(
        ContactCheck(str(item.get("input", "")), str(item.get("status", "")), _string(item.get("wa_id")))
        for item in objects(json_object(response).get("contacts"))
    )


def read_health(response: Response) -> Health:
    """Read the health of a cloud number, or of an on-premise server with its one gateway or several nodes."""
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
        kind = _string(entity.get("entity_type")) or "entity"
        for error in objects(entity.get("errors")):
            yield f"{kind}: {error.get('error_code', '')} {error.get('error_description', '')}".strip()
        notes = entity.get("additional_info")
        yield from (
            (f"{kind}: {note}" for note in notes if isinstance(note, str)) if isinstance(notes, list) else ()
        )


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

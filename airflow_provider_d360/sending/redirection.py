"""Who gets a message while the connection is restricted, and the line that says for whom it was."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.privacy import mask_number

if TYPE_CHECKING:
    from airflow_provider_d360.transport.settings import ConnectionSettings

log = logging.getLogger(__name__)

_WITH_CAPTION = ("image", "video", "document")
_LONGEST_TEXT, _LONGEST_CAPTION = 4096, 1024  # characters; the body of an interactive message as a caption


@dataclass(frozen=True, slots=True)
class Outgoing:
    """
    A message on its way.

    :param to: The recipient, as :func:`~airflow_provider_d360.api.recipients.canonical` returns it.
    :param recipient_type: ``individual`` or ``group``.
    :param content: The message dict.
    :param reply_to: The id of the message that it quotes.
    """

    to: str
    recipient_type: str
    content: Mapping[str, Any]
    reply_to: str | None = None


def is_refused(settings: ConnectionSettings, to: str) -> bool:
    """
    Return whether the connection may not write to a recipient, nor send the message to anybody in its place.

    :param settings: The settings of the connection.
    :param to: The recipient, as ``canonical`` returns it.
    """
    limits = settings.restriction
    return limits is not None and limits.redirect_to is None and not limits.allows(to)


def redirect(settings: ConnectionSettings, message: Outgoing) -> Outgoing:
    """
    Return the message as it may be sent: unchanged, or to the connection's ``redirect_to``.

    A redirected text, caption or interactive body begins with a line that says for whom it was, and is cut
    at WhatsApp's limit. Other messages, templates among them, have no free text and stay as they are. It
    quotes nothing: the quoted message is in another person's chat.

    :param settings: The settings of the connection.
    :param message: The message.
    :raises D360RecipientError: when the connection may not write to this recipient.
    """
    if settings.restriction is None or settings.restriction.allows(message.to):
        return message
    to = settings.restriction.destination(message.to)
    log.warning("The message for %s goes to %s (redirect_to).", mask_number(message.to), mask_number(to))
    content = {name: value for name, value in message.content.items() if name != "context"}
    return Outgoing(to, "individual", _with_line(content, f"[For {mask_number(message.to)}]"))


def _with_line(content: Mapping[str, Any], line: str) -> Mapping[str, Any]:
    kind = content.get("type")
    if kind == "text":
        return _begun(content, ("text", "body"), line, _LONGEST_TEXT)
    if kind in _WITH_CAPTION:
        return _begun(content, (str(kind), "caption"), line, _LONGEST_CAPTION)
    interactive = content.get("interactive")
    if kind == "interactive" and isinstance(interactive, Mapping) and "body" in interactive:
        return _begun(content, ("interactive", "body", "text"), line, _LONGEST_CAPTION)
    return content


def _begun(content: Mapping[str, Any], path: tuple[str, ...], line: str, longest: int) -> dict[str, Any]:
    """Return a copy in which the text at a path begins with a line."""
    name, *rest = path
    value = content.get(name)
    if rest:
        return {**content, name: _begun(value or {}, tuple(rest), line, longest)}
    text = f"{line}\n{value}" if value else line
    return {**content, name: text if len(text) <= longest else text[: longest - 1] + "…"}

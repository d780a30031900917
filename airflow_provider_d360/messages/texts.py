"""Text, reactions, and the rule that a string is a text message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict

from airflow_provider_d360.messages.values import String


class _Text(TypedDict):
    body: String


class Text(_Text, total=False):
    """The object under ``text``."""

    preview_url: bool


class TextMessage(TypedDict):
    """A text message."""

    type: Literal["text"]
    text: Text


class Reaction(TypedDict):
    """The object under ``reaction``."""

    message_id: String
    emoji: String


class ReactionMessage(TypedDict):
    """A reaction to a message."""

    type: Literal["reaction"]
    reaction: Reaction


def text(body: String, *, preview_url: bool = False) -> TextMessage:
    """
    Build a text message.

    WhatsApp delivers free text only within 24 hours of the recipient's last message to you. Outside
    that window, send a :func:`template`. At most 4096 characters.

    :param body: The text. WhatsApp's own ``*bold*`` and ``_italic_`` marks work.
    :param preview_url: Show a preview of the first link in ``body``.
    """
    content: Text = {"body": body}
    if preview_url is not False:
        content["preview_url"] = preview_url
    return {"type": "text", "text": content}


def reaction(message_id: String, emoji: String) -> ReactionMessage:
    """
    Build a reaction to a message that the recipient sent, or that you sent.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you, and to messages
    that are at most 30 days old. It reports ``sent`` and never ``delivered``.

    :param message_id: The message to react to.
    :param emoji: One emoji. An empty string takes the reaction back.
    """
    return {"type": "reaction", "reaction": {"message_id": message_id, "emoji": emoji}}


def as_message(message: str | Mapping[str, object]) -> Mapping[str, object]:
    """
    Return a message dict: a string becomes a text message, a mapping is returned as it is.

    :param message: A string or a message dict.
    :raises TypeError: for anything else. The error names the type and not the value.
    """
    if isinstance(message, str):
        return text(message)
    if isinstance(message, Mapping):
        return message
    raise TypeError(f"a message is a string or a dict, not {type(message).__name__}")
